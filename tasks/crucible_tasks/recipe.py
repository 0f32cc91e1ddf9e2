"""A recipe: every hyperparameter of a fine-tune, and why it has its default; YAML in and out.

`auto` in a file is None here: the trainer decides it from the weights, the corpus and the host, and
records what it decided beside the adapter.
"""

# ruff: noqa: RUF009 -- _key is dataclasses.field with the reason

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.flat_file import FlatFile, Key, Kind, number, one_of, read_flat_file, whole

#: what a file says where the trainer shall decide
AUTO = "auto"

#: columns of a written recipe
_WIDTH = 96


class Method(StrEnum):
    """What is trained: an adapter beside the frozen weights, or all of them."""

    LORA = "lora"
    QLORA = "qlora"
    DORA = "dora"
    FULL = "full"


class Choice(StrEnum):
    """Whether to use what helps only on some hosts."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


def _key(default: Any, read: Callable[[str], Any], why: str, *, is_list: bool = False) -> Any:
    return field(default=default, metadata={"read": read, "why": why, "is_list": is_list})


def _or_auto(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def read_or_auto(word: str) -> Any:
        if word == AUTO:
            return None
        try:
            return read(word)
        except ValueError as error:
            raise ValueError(f"{error}, or {AUTO}") from error

    return read_or_auto


def _member(kind: type[StrEnum]) -> Callable[[str], Any]:
    read = one_of(*kind)
    return lambda word: kind(read(word))


def _switch(word: str) -> bool:
    return one_of("on", "off")(word) == "on"


_share = number("a number from 0 to 1", lambda share: 0 <= share <= 1)
_positive = number("a number above 0", lambda value: value > 0)
_not_negative = number("a number of at least 0", lambda value: value >= 0)
_choice = _member(Choice)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is fine-tuned."""

    method: Method = _key(
        Method.LORA,
        _member(Method),
        "lora learns as much as full training from one project's code, in a tenth of the memory, "
        "and forgets less; qlora halves the memory again, and is slower; dora is a little better "
        "at small ranks, and slower; full needs 16 bytes for each weight",
    )
    rank: int = _key(16, whole(1, 1024), "holds one project's names and idioms; more forgets more")
    alpha: int = _key(32, whole(1, 4096), "twice the rank, so that a new rank needs no new rate")
    dropout: float = _key(
        0.0, _share, "the held-out split guards against overfitting, and no dropout is repeatable"
    )
    targets: tuple[str, ...] = _key(
        ("all-linear",),
        str,
        "adapters on every linear layer do as well as full training; on attention alone not",
        is_list=True,
    )
    learning_rate: float | None = _key(
        None, _or_auto(_positive), "auto is 0.0002 for adapters and 0.00002 for full training"
    )
    schedule: str = _key(
        "cosine", one_of("cosine", "linear", "constant"), "ends at 0, where the loss is lowest"
    )
    warmup: float = _key(0.03, _share, "share of the steps in which Adam's averages settle")
    weight_decay: float = _key(0.0, _not_negative, "a small adapter needs no other brake")
    clip: float = _key(1.0, _positive, "one odd file must not throw the weights away")
    epochs: float = _key(3.0, _positive, "code is repetitive: more only learns it by heart")
    max_steps: int | None = _key(None, _or_auto(whole(1)), "auto is what the epochs come to")
    batch: int = _key(
        16, whole(1, 65_536), "rows of a step over all processes: any number of hosts does the same"
    )
    micro_batch: int | None = _key(
        None, _or_auto(whole(1, 65_536)), "rows at once; auto is the most that memory holds"
    )
    sequence_tokens: int = _key(
        2048, whole(16, 1_048_576), "a file and its imports; longer files are cut at line ends"
    )
    packing: str = _key(
        "bfd_split",
        one_of("bfd_split", "off"),
        "rows are filled with whole pieces that do not see each other: nothing is padding and, "
        "unlike with bfd, nothing is cut off",
    )
    most_lost: float = _key(
        0.02, _share, "share of the corpus' tokens that may fit no row before training is refused"
    )
    fim_rate: float | None = _key(
        None,
        _or_auto(_share),
        "share of the pieces to fill in the middle, as editors ask; auto is 0.5 where the "
        "tokenizer has tokens for it, else 0",
    )
    fim_suffix_first: float = _key(
        0.5, _share, "share of those that begin with the suffix, in families trained so"
    )
    fim_blocks: float = _key(
        0.5, _share, "share of the middles that are whole blocks, as people leave out"
    )
    fim_loss: str = _key(
        "all", one_of("all", "middle"), "prefix and suffix are the project's code as well"
    )
    seed: int = _key(0, whole(0, 2**31 - 1), "the same seed gives the same losses")
    eval_every: int | None = _key(
        None, _or_auto(whole(1)), "steps; auto asks the held-out files twenty times in all"
    )
    patience: int = _key(
        3, whole(0), "evaluations without a better held-out loss before it stops; 0 never stops"
    )
    checkpoint_every: int | None = _key(
        None, _or_auto(whole(1)), "steps; auto is eval_every, so that the best is among them"
    )
    precision: str = _key(
        "auto",
        one_of("auto", "float32", "bfloat16"),
        "auto is bfloat16 on GPUs and CPUs that have it; emulated it is seven times slower",
    )
    activation_checkpointing: Choice = _key(
        Choice.AUTO, _choice, "a quarter slower, so auto is on only where memory needs it"
    )
    compile: Choice = _key(Choice.AUTO, _choice, "torch.compile; auto is on for long GPU runs")
    kernels: Choice = _key(Choice.AUTO, _choice, "Liger's kernels; auto is on for GPUs with them")
    deterministic: bool = _key(
        True, _switch, "off is a little faster on GPUs, and two runs then differ in the last digits"
    )
    sharding: str = _key(
        "ddp",
        one_of("ddp", "fsdp"),
        "every process holds all weights; fsdp cuts them where one GPU is too small",
    )
    memory_gib: float | None = _key(
        None,
        _or_auto(_positive),
        "what it may use of each GPU, or of the host; auto is what is free",
    )
    threads: int | None = _key(
        None,
        _or_auto(whole(1, 1024)),
        "of each process; auto is OMP_NUM_THREADS, else its share of the cores: more of them than "
        "cores wait for each other and are three times slower",
    )

    @property
    def trains_adapter(self) -> bool:
        """Whether the weights stay as they are."""
        return self.method is not Method.FULL

    @property
    def rate(self) -> float:
        """The highest learning rate."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 2e-4 if self.trains_adapter else 2e-5


#: what the demo model is trained with unless told otherwise: a million weights learn a project's
#: words within a minute of one core, from rows as short as what they were taught with, in many
#: small steps, at a rate that would spoil a large model
TOY = Recipe(
    learning_rate=0.0015,
    max_steps=180,
    batch=2,
    sequence_tokens=256,
    eval_every=30,
    patience=0,
    threads=1,
)


def read_recipe(path: str) -> Recipe:
    """Read and check a recipe file; what it does not say has its default.

    Raises FormatError, which names file, line and key, and InvalidInput for what is no such file.
    """
    found = read_flat_file(path, _RECIPE)
    recipe = Recipe(**found.values)
    _check_together(recipe, found)
    return recipe


def recipe_of(values: Mapping[str, Any]) -> Recipe:
    """A recipe from plain values, checked as those of a file are; None means `auto`.

    Raises InvalidInput, which names the key.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name not in _KEYS:
            raise InvalidInput(f"a recipe has no {name!r}", hint=f"it has {', '.join(_KEYS)}")
        found[name] = _of_plain(name, value)
    recipe = Recipe(**found)
    if recipe.micro_batch is not None and recipe.batch % recipe.micro_batch:
        problem = f"{recipe.micro_batch} does not divide batch, {recipe.batch}"
        raise InvalidInput(f"micro_batch: {problem}")
    return recipe


def _of_plain(name: str, value: object) -> Any:
    key = _KEYS[name]
    try:
        if key.is_list:
            words = value if isinstance(value, list | tuple) else (value,)
            return tuple(key.read(_word(one)) for one in words)
        return key.read(_word(value))
    except ValueError as error:
        raise InvalidInput(f"{name}: {_word(value)[:80]!r} is not {error}") from error


def write_recipe(recipe: Recipe) -> str:
    """The whole recipe as YAML with its reasons; `read_recipe` reads it back."""
    blocks = []
    for key in fields(Recipe):
        why = textwrap.fill(
            key.metadata["why"], _WIDTH, initial_indent="# ", subsequent_indent="# "
        )
        blocks.append(f"{why}\n{key.name}: {_word(getattr(recipe, key.name))}\n")
    return "\n".join(blocks)


def explained(recipe: Recipe) -> tuple[tuple[str, str, str], ...]:
    """Of every key its name, what it is here, and why it has its default."""
    return tuple(
        (key.name, _word(getattr(recipe, key.name)), key.metadata["why"]) for key in fields(Recipe)
    )


def _check_together(recipe: Recipe, file: FlatFile) -> None:
    if recipe.micro_batch is not None and recipe.batch % recipe.micro_batch:
        at = file.lines["micro_batch"]
        problem = f"micro_batch: {recipe.micro_batch} does not divide batch, {recipe.batch}"
        raise FormatError.at(file.path, at, problem)


def _word(value: object) -> str:
    match value:
        case None:
            return AUTO
        case bool():
            return "on" if value else "off"
        case tuple():
            return f"[{', '.join(map(str, value))}]"
        case float():
            # 2e-05 is a number to people who know, 0.00002 to all
            return f"{value:.12f}".rstrip("0").rstrip(".")
        case _:
            return str(value)


_KEYS = {
    key.name: Key(key.metadata["read"], is_list=key.metadata["is_list"]) for key in fields(Recipe)
}

_RECIPE = Kind("recipe", "rank: 16", _KEYS)
