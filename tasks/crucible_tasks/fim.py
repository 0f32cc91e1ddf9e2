"""Fill in the middle, in each model family's own tokens; built from ids, never from text.

A family is known by its tokenizer's vocabulary, not by its name: names are changed freely, and a
token that is not in the vocabulary would be learned as seven pieces of punctuation. A piece of code
is cut into prefix, middle and suffix before it is tokenised, as an editor's cursor cuts it. The
pieces are tokenised one by one, so no token reaches over a cut.
"""

# ruff: noqa: RUF001 -- DeepSeek's tokens are written with a fullwidth bar

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from crucible_infra.errors import InvalidInput
from crucible_tasks.recipe import Recipe

#: how many tokens a hole adds to a piece
FIM_TOKENS = 4

#: what half of the pieces is to teach without making the other direction worse
_USUAL_RATE = 0.5

Encode = Callable[[str], list[int]]


@dataclass(frozen=True, slots=True)
class FimFamily:
    """How one family writes it: `prefix` P `suffix` S `middle` M `end`."""

    name: str
    prefix: str
    suffix: str
    middle: str
    #: the first that the vocabulary has
    ends: tuple[str, ...]
    #: whether it was also trained with the suffix first: `prefix` `suffix` S `middle` P M `end`
    knows_suffix_first: bool


#: the more telling come first
FAMILIES = (
    FimFamily("CodeLlama", "▁<PRE>", "▁<SUF>", "▁<MID>", ("▁<EOT>",), knows_suffix_first=True),
    FimFamily(
        "DeepSeek-Coder",
        "<｜fim▁begin｜>",
        "<｜fim▁hole｜>",
        "<｜fim▁end｜>",
        ("<｜end▁of▁sentence｜>", "<|EOT|>"),
        knows_suffix_first=False,
    ),
    FimFamily(
        "Qwen2.5-Coder, CodeGemma",
        "<|fim_prefix|>",
        "<|fim_suffix|>",
        "<|fim_middle|>",
        ("<|endoftext|>", "<|file_separator|>"),
        knows_suffix_first=False,
    ),
    FimFamily(
        "StarCoder2, Granite",
        "<fim_prefix>",
        "<fim_suffix>",
        "<fim_middle>",
        ("<|endoftext|>", "<|end_of_text|>"),
        knows_suffix_first=True,
    ),
)


@dataclass(frozen=True, slots=True)
class FimTokens:
    """A family's tokens as one tokenizer numbers them."""

    family: str
    prefix: int
    suffix: int
    middle: int
    end: int
    knows_suffix_first: bool


@dataclass(frozen=True, slots=True)
class Hole:
    """A piece of code around a cursor."""

    prefix: str
    middle: str
    suffix: str


@dataclass(frozen=True, slots=True)
class FimRow:
    """The ids of one example."""

    ids: list[int]
    #: where the middle begins, after its token
    middle_start: int


def find_tokens(vocabulary: Mapping[str, int], rows: int) -> FimTokens | None:
    """The tokens of the family this vocabulary belongs to; None where there is none.

    `rows` is how many tokens the weights know: CodeLlama-34B shares a tokenizer with its smaller
    siblings, and not their tokens.
    """
    known = {token: number for token, number in vocabulary.items() if number < rows}
    for family in FAMILIES:
        end = next((token for token in family.ends if token in known), None)
        if end is not None and {family.prefix, family.suffix, family.middle} <= known.keys():
            return FimTokens(
                family.name,
                known[family.prefix],
                known[family.suffix],
                known[family.middle],
                known[end],
                family.knows_suffix_first,
            )
    return None


def rate(recipe: Recipe, tokens: FimTokens | None) -> float:
    """The share of pieces to fill in. Raises InvalidInput where it is asked for and impossible."""
    if tokens is not None:
        return _USUAL_RATE if recipe.fim_rate is None else recipe.fim_rate
    if recipe.fim_rate:
        names = "; ".join(family.name for family in FAMILIES)
        raise InvalidInput(
            f"fim_rate is {recipe.fim_rate:g}, and this model's tokenizer has no tokens for "
            "fill-in-the-middle",
            hint=f"set fim_rate to 0, or take a model that has them ({names})",
        )
    return 0.0


def dig(text: str, dice: random.Random, blocks: float) -> Hole:
    """Cut a piece of code at two places; a share of the middles are whole blocks."""
    if dice.random() < blocks and (block := _block(text, dice)) is not None:
        return block
    first, second = sorted(dice.randint(0, len(text)) for _ in range(2))
    return Hole(text[:first], text[first:second], text[second:])


def build(
    hole: Hole, tokens: FimTokens, encode: Encode, encode_inside: Encode, *, suffix_first: bool
) -> FimRow:
    """The row of one hole.

    `encode` is for what begins a text, `encode_inside` for what goes on in one: SentencePiece puts
    a space before the former.
    """
    prefix, suffix = encode(hole.prefix), encode_inside(hole.suffix)
    middle = encode_inside(hole.middle)
    if suffix_first:
        before = [tokens.prefix, tokens.suffix, *suffix, tokens.middle, *prefix]
    else:
        before = [tokens.prefix, *prefix, tokens.suffix, *suffix, tokens.middle]
    return FimRow([*before, *middle, tokens.end], len(before))


def _block(text: str, dice: random.Random) -> Hole | None:
    """A hole where a block was: the deeper lines below one line; None where there is no block."""
    lines = text.splitlines(keepends=True)
    heads = [
        index
        for index, (line, below) in enumerate(itertools.pairwise(lines))
        if line.strip() and below.strip() and _depth(below) > _depth(line)
    ]
    if not heads:
        return None
    head = dice.choice(heads)
    end = head + 1
    while end < len(lines) and (not lines[end].strip() or _depth(lines[end]) > _depth(lines[head])):
        end += 1
    # the blank lines below belong to what comes next
    while not lines[end - 1].strip():
        end -= 1
    parts = lines[: head + 1], lines[head + 1 : end], lines[end:]
    return Hole(*("".join(part) for part in parts))


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
