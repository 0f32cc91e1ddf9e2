"""What a training will need, rehearsed before it begins: the real graph, without its bytes.

The model is built on torch's `meta` device, where tensors have shapes and no content, and one row
goes forward. What autograd would keep for the way back is counted storage by storage, so the figure
holds for any architecture that transformers has. On top come the weights, their gradients and
Adam's two averages, the tiles of the head, and what CUDA itself takes. Where there is no GPU, what
Python and the libraries hold already is part of the figure, because the same memory holds both; it
is measured rather than guessed. So is what the C library's heap keeps of what was given back to it.

GiB foretold and used by the toy on one CPU host, by rows and tokens of a row:
2 x 256: 0.54, 0.54 · 1 x 1,024: 0.59, 0.56 · 8 x 512: 0.87, 0.86 · 8 x 1,024: 1.11, 1.12 ·
4 x 2,048: 1.21, 1.19 · 8 x 1,024 recomputed: 0.72, 0.76.

Compared with a GPU's own count it has not been yet: tests/performance/finetune_throughput.py does.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from transformers import AutoModelForCausalLM
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from crucible_infra.errors import InvalidInput, NotEnoughMemory
from crucible_tasks.recipe import Choice, Method, Recipe
from crucible_workers.trainer.adapting import adapter_shape
from crucible_workers.trainer.failures import LESS_MEMORY
from crucible_workers.trainer.weights import attention, computes_in_bfloat16, weights_dtype
from crucible_workers.trainer.work import Work, work_of

_GIB = 2**30

#: gradient and Adam's two averages, in float32
_OPTIMIZER_BYTES = 12

#: nf4 with double quantisation: half a byte and its share of the scales
_QUANTISED_BYTES = 0.516

#: cuBLAS' workspace, the context, and what the allocator cannot use
_CUDA_BYTES = int(0.75 * _GIB)

#: tokens and words of a tile of TRL's head
_TILE_TOKENS, _TILE_WORDS = 4096, 16_384

#: float32 copies of a tile where torch makes its gradient step by step, for want of Triton
_TILE_COPIES = 7

#: what libraries take of a host's memory once the training has begun
_LATE_BYTES = int(0.11 * _GIB)

#: what the heap takes for each byte of what comes and goes: it keeps holes of less than 32 MiB, so
#: models whose layers are larger are foretold more than they use
_HEAP_SHARE = 1.6

#: what is left to everybody else on a host without a GPU
_CPU_SHARE = 0.9

_CGROUPS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes, by what they are for."""

    weights: int
    optimizer: int
    #: of one row, all layers
    row: int
    #: of one row, where only each layer's input is kept
    row_checkpointed: int
    #: of one row, of one layer
    layer: int
    #: of the head, for each token of a tile
    head: int
    #: of one row
    tokens: int
    overhead: int
    #: what is taken for each byte of what comes and goes
    share: float = 1.0

    def total(self, micro_batch: int, *, is_checkpointed: bool) -> int:
        """The peak with this many rows at once."""
        row = self.row_checkpointed if is_checkpointed else self.row
        # the way back begins at the head; then one layer's gradients come on top, and where it is
        # made again what it keeps as well
        head = self.head * min(micro_batch * self.tokens, _TILE_TOKENS)
        layer = self.layer * micro_batch * (2 if is_checkpointed else 1)
        passing = int((micro_batch * row + max(head, layer)) * self.share)
        return self.weights + self.optimizer + passing + self.overhead


@dataclass(frozen=True, slots=True)
class Plan:
    """How the memory is used."""

    micro_batch: int
    is_checkpointed: bool
    needed: int
    available: int


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was found."""

    need: Need
    work: Work


def rehearse(config: Any, recipe: Recipe, device: torch.device) -> Rehearsal:
    """Build the model without its bytes and send one row through it."""
    is_half, has_gpu = computes_in_bfloat16(recipe, device), device.type == "cuda"
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(
            config,
            dtype=weights_dtype(recipe, device),
            attn_implementation=_REHEARSED + attention(device),
        )
        shape = adapter_shape(recipe)
        if shape is not None:
            model = get_peft_model(model, shape)
        row = torch.zeros((1, recipe.sequence_tokens), dtype=torch.long)
    kept = _Kept(model)
    backbone = model.get_base_model() if shape is not None else model
    with _Autocast() if is_half else nullcontext(), saved_tensors_hooks(kept.add, _same):
        backbone.base_model(input_ids=row, use_cache=False)
    layers, width = config.num_hidden_layers, config.hidden_size
    inputs = layers * recipe.sequence_tokens * width * (2 if is_half else 4)
    need = Need(
        sum(_bytes(weight, recipe) for weight in model.parameters()),
        _OPTIMIZER_BYTES * sum(w.numel() for w in model.parameters() if w.requires_grad),
        kept.total,
        inputs,
        kept.total // layers,
        _head_bytes(config, device, is_half=is_half),
        recipe.sequence_tokens,
        _CUDA_BYTES if has_gpu else resident_bytes() + _LATE_BYTES,
        1.0 if has_gpu else _HEAP_SHARE,
    )
    return Rehearsal(need, work_of(model, config, device))


def plan(need: Need, recipe: Recipe, rows: int, available: int) -> Plan:
    """The largest micro-batch that fits, of the `rows` a process has for each step.

    Raises NotEnoughMemory where not even one row does, InvalidInput where the recipe's own
    micro-batch does not divide `rows`.
    """
    if recipe.micro_batch is not None:
        if rows % recipe.micro_batch:
            raise InvalidInput(f"micro_batch {recipe.micro_batch} does not divide {rows} rows")
        sizes = [recipe.micro_batch]
    else:
        sizes = [size for size in range(rows, 0, -1) if rows % size == 0]
    least = 0
    for is_checkpointed in _choices(recipe):
        for size in sizes:
            least = need.total(size, is_checkpointed=is_checkpointed)
            if least <= available:
                return Plan(size, is_checkpointed, least, available)
    raise NotEnoughMemory(
        f"training needs {least / _GIB:.3g} GiB and {available / _GIB:.3g} GiB are free",
        hint=LESS_MEMORY,
    )


def available_bytes(recipe: Recipe, device: torch.device, processes: int) -> int:
    """What one of the `processes` of this host may use, before the model is loaded."""
    if recipe.memory_gib is not None:
        return int(recipe.memory_gib * _GIB)
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(min(_host_bytes()) * _CPU_SHARE) // processes


def resident_bytes() -> int:
    """What this process holds of the host's memory now: Python, torch and the other libraries."""
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    return pages * resource.getpagesize()


def _choices(recipe: Recipe) -> tuple[bool, ...]:
    if recipe.activation_checkpointing is Choice.AUTO:
        return (False, True)
    return (recipe.activation_checkpointing is Choice.ON,)


def _host_bytes() -> Iterator[int]:
    for line in Path("/proc/meminfo").read_text("utf-8").splitlines():
        if line.startswith("MemAvailable:"):
            # what this process has taken is its own
            yield int(line.split()[1]) * 1024 + resident_bytes()
    for path in _CGROUPS:
        text = path.read_text("utf-8").strip() if path.exists() else "max"
        if text != "max":
            yield int(text)


def _head_bytes(config: Any, device: torch.device, *, is_half: bool) -> int:
    """Of a token in a tile of TRL's head, when its gradient is made; float32 is added up in."""
    number = 2 if is_half else 4
    gradient = 4 * int(config.hidden_size)
    if device.type == "cuda":
        return _TILE_WORDS * number + gradient
    # memory of the host is taken when it is written to, and torch's copies are of what is there
    words = min(_TILE_WORDS, int(config.vocab_size))
    return words * (number + 4 * _TILE_COPIES) + gradient


def _bytes(weight: torch.nn.Parameter, recipe: Recipe) -> int:
    if recipe.method is Method.QLORA and weight.dim() == 2 and not weight.requires_grad:
        return int(weight.numel() * _QUANTISED_BYTES)
    return int(weight.numel() * weight.element_size())


class _Kept:
    """Storages that wait for the way back; each counts once, whatever looks at it."""

    def __init__(self, model: torch.nn.Module) -> None:
        # held, so that no other storage gets the number of one that is gone
        self._storages = {
            weight.untyped_storage()._cdata: weight.untyped_storage()  # noqa: SLF001 -- its identity
            for weight in model.parameters()
        }
        self.total = 0

    def add(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._storages:  # noqa: SLF001 -- as above
            self._storages[storage._cdata] = storage  # noqa: SLF001 -- as above
            self.total += storage.nbytes()
        return tensor


def _same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


class _Autocast(TorchFunctionMode):
    """Multiplies in bfloat16, which torch's own autocast does not do on `meta`."""

    def __torch_function__(
        self,
        function: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        del types
        if function is functional.linear:
            args = tuple(value.to(torch.bfloat16) if value is not None else None for value in args)
        return function(*args, **(kwargs or {}))


class _Flash(torch.autograd.Function):
    """What a fused attention keeps: its inputs, its output and one number for each head's row."""

    @staticmethod
    def forward(context: Any, *tensors: torch.Tensor) -> torch.Tensor:
        query = tensors[0]
        output = torch.empty_like(query)
        rows = torch.empty(query.shape[:-1], dtype=torch.float32, device=query.device)
        context.save_for_backward(*tensors, output, rows)
        return output


#: followed by the attention that is rehearsed, the name that transformers knows ours by
_REHEARSED = "crucible_rehearsal_"

_register: Callable[[str, Any], None] = ALL_ATTENTION_FUNCTIONS.register


def _attention_of(name: str) -> Callable[..., tuple[torch.Tensor, None]]:
    is_masked = not name.startswith("flash")

    def attend(
        module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, None]:
        del module
        kept = [query, key, value]
        if is_masked:
            # what keeps the pieces of a row apart, which every layer makes numbers of for itself
            shape = (len(query), 1, query.shape[-2], key.shape[-2])
            kept.append(torch.empty(shape, dtype=query.dtype, device=query.device))
        output: torch.Tensor = _Flash.apply(*kept)
        return output.transpose(1, 2).contiguous(), None

    return attend


for _name in ("sdpa", "flash_attention_2"):
    _register(_REHEARSED + _name, _attention_of(_name))
