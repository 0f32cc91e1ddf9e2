"""Merges an adapter into its base and saves the result, and asks weights what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from crucible_infra.errors import InvalidInput, RequestRefused
from crucible_tasks.generation import ModelIdentity, Prompt
from crucible_tasks.model_spec import ModelSpec
from crucible_tasks.sampling import Sampling
from crucible_workers.models.transformers_batch import Batch, Task
from crucible_workers.models.transformers_tokens import Tokens
from crucible_workers.models.transformers_weights import (
    Weights,
    describe,
    load_base,
    told,
)

_GREEDY = Sampling(temperature=0.0, top_p=1.0)


@dataclass(frozen=True, slots=True)
class Merged:
    """What was saved, and what the weights said before they were merged."""

    identity: ModelIdentity
    said: tuple[str, ...]


def merge(spec: ModelSpec, directory: Path, prompts: Sequence[str], limit: int) -> Merged:
    """Save the model in a directory, its adapter merged in, in the numbers its base has.

    Raises InvalidInput for weights that are quantised, and what opening them raises.
    """
    weights = describe(spec)
    if getattr(weights.config, "quantization_config", None) is not None:
        hint = "merge into the weights it was made from"
        raise InvalidInput(f"{spec}: quantised weights cannot be exported", hint=hint)
    loaded = _loaded(weights)
    said = _said(loaded.model, weights.tokens, prompts, limit)
    told(str(spec), lambda: _save(loaded, weights, directory))
    return Merged(weights.identity, said)


def answers(spec: ModelSpec, prompts: Sequence[str], limit: int) -> tuple[str, ...]:
    """How the weights, with their adapter, continue each prompt: greedily, in single precision."""
    weights = describe(spec)
    return _said(_loaded(weights).model, weights.tokens, prompts, limit)


@dataclass(frozen=True, slots=True)
class _Loaded:
    #: with the adapter's layers in it
    model: Any
    #: what peft made of it; None without an adapter
    adapted: Any = None


def _loaded(weights: Weights) -> _Loaded:
    # in single precision, so that the sum of weights and adapter is rounded once
    name = weights.name
    model = told(name, lambda: load_base(weights.base, weights.config, torch.float32)).eval()
    if weights.adapter is None:
        return _Loaded(model)
    from crucible_workers.models.transformers_adapter import attach  # noqa: PLC0415 -- slow

    adapter = weights.adapter
    adapted = told(name, lambda: attach(model, adapter)).eval()
    return _Loaded(adapted.get_base_model(), adapted)


def _said(model: Any, tokens: Tokens, prompts: Sequence[str], limit: int) -> tuple[str, ...]:
    batch = Batch(model, tokens)
    texts = []
    for prompt in prompts:
        given = tokens.encode(Prompt(prompt))
        row = batch.sample(Task(given, _GREEDY, (), limit, 1, math.inf), {0: 0})[0]
        texts.append(tokens.text(given, row.ids))
    return tuple(texts)


def _save(loaded: _Loaded, weights: Weights, directory: Path) -> None:
    merged = loaded.adapted.merge_and_unload(safe_merge=True) if loaded.adapted else loaded.model
    stored = getattr(weights.config, "dtype", None)
    model = merged.to(stored if isinstance(stored, torch.dtype) else torch.float32)
    if not all(bool(numbers.isfinite().all()) for numbers in model.parameters()):
        raise RequestRefused("the merged weights do not fit half precision")
    if model.generation_config is not None:
        # servers built on transformers take no temperature from anybody else
        model.generation_config.do_sample = True
    model.save_pretrained(directory)
    weights.tokens.save(directory)
    for path in directory.iterdir():
        # weights are written for their user alone; servers run under another one
        path.chmod(0o644)
