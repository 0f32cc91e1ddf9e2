"""A plain Llama in numpy: tokens in, the next token's logits out.

Everything is in double precision. How many sums of a matrix product are made at once decides in
which order their terms are added, so in single precision a sample drawn among others could differ
from the same sample drawn alone: now and then, and never twice on the same machine. In double
precision the order moves a probability by 10^-15, so that a seed means one text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible_infra.errors import FormatError
from crucible_workers.nano.low_rank import add_adapter
from crucible_workers.nano.weight_file import Array, read_tensors

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a model is."""

    layers: int
    heads: int
    #: of keys and values; several heads may share one
    shared_heads: int
    head_size: int
    #: positions it may have
    context: int
    epsilon: float
    theta: float
    end: frozenset[int]
    #: what must be said beside its numbers
    caution: str | None


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's weights, so that rows of states are multiplied from the left."""

    attention_scale: Array
    queries_keys_values: Array
    attention_out: Array
    gate_scale: Array
    gate_and_up: Array
    down: Array


class Cache:
    """Keys and values of every position so far: one slot for each text under way."""

    def __init__(self, shape: Shape, slots: int, length: int) -> None:
        size = (shape.layers, slots, shape.shared_heads, length, shape.head_size)
        self.keys = np.zeros(size)
        self.values = np.zeros(size)

    @property
    def slots(self) -> int:
        """How many texts it can hold."""
        return self.keys.shape[1]

    @property
    def length(self) -> int:
        """How many positions each may have."""
        return self.keys.shape[3]

    def copy(self, source: int, target: int, length: int) -> None:
        """Make one slot hold what another does."""
        for kept in (self.keys, self.values):
            kept[:, target, :, :length] = kept[:, source, :, :length]

    def grown(self, shape: Shape, slots: int, length: int) -> Cache:
        """The same in a larger one."""
        larger = Cache(shape, max(slots, self.slots), max(length, self.length))
        larger.keys[:, : self.slots, :, : self.length] = self.keys
        larger.values[:, : self.slots, :, : self.length] = self.values
        return larger


class Llama:
    """The model."""

    def __init__(self, shape: Shape, tensors: dict[str, Array]) -> None:
        self.shape = shape
        self._embedding = tensors["model.embed_tokens.weight"]
        self._layers = [_layer(tensors, number) for number in range(shape.layers)]
        self._scale = tensors["model.norm.weight"]
        head = tensors.get("lm_head.weight", self._embedding)
        self._head = np.ascontiguousarray(head.T)
        turns = 1 / shape.theta ** (np.arange(0, shape.head_size, 2) / shape.head_size)
        angles = np.outer(np.arange(shape.context), np.concatenate([turns, turns]))
        self._cosines, self._sines = np.cos(angles), np.sin(angles)

    def logits(self, tokens: Integers, starts: Integers, cache: Cache, first: int = 0) -> Array:
        """What may follow each row of tokens, the first of which stand at these positions.

        Row i continues what slot `first + i` of the cache holds, and is added to it.
        """
        rows, count = tokens.shape
        positions = starts[:, None] + np.arange(count)
        length = int(positions.max()) + 1
        # no position sees a later one
        hidden = np.arange(length) > positions[:, None, :, None]
        seen = _Seen(slice(first, first + rows), positions, hidden, length)
        states = self._embedding[tokens]
        for number, layer in enumerate(self._layers):
            normal = self._normalised(states, layer.attention_scale)
            parts = normal @ layer.queries_keys_values
            keys, values = cache.keys[number], cache.values[number]
            states = states + self._attended(parts, keys, values, seen) @ layer.attention_out
            both = self._normalised(states, layer.gate_scale) @ layer.gate_and_up
            gate, up = np.split(both, 2, axis=-1)
            # x times its logistic function, without an exponential that could overflow
            states = states + (gate * (0.5 + 0.5 * np.tanh(0.5 * gate)) * up) @ layer.down
        found: Array = self._normalised(states[:, -1], self._scale) @ self._head
        return found

    def _normalised(self, states: Array, scale: Array) -> Array:
        size = np.einsum("...i,...i->...", states, states)[..., None] / states.shape[-1]
        normal: Array = states / np.sqrt(size + self.shape.epsilon) * scale
        return normal

    def _attended(self, parts: Array, keys: Array, values: Array, seen: _Seen) -> Array:
        """What each position takes from those before it."""
        shape = self.shape
        rows, count, _ = parts.shape
        split = parts.reshape(rows, count, -1, shape.head_size)
        turned = split[:, :, : shape.heads + shape.shared_heads]
        turned = self._turned(turned, seen.positions)
        place = np.arange(seen.slots.start, seen.slots.stop)[:, None]
        keys[place, :, seen.positions] = turned[:, :, shape.heads :]
        values[place, :, seen.positions] = split[:, :, shape.heads + shape.shared_heads :]
        queries = turned[:, :, : shape.heads].transpose(0, 2, 1, 3)
        old_keys = self._for_all_heads(keys[seen.slots, :, : seen.length])
        old_values = self._for_all_heads(values[seen.slots, :, : seen.length])
        scores = queries @ old_keys.transpose(0, 1, 3, 2) / np.sqrt(shape.head_size)
        scores[np.broadcast_to(seen.hidden, scores.shape)] = -np.inf
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        taken: Array = (weights @ old_values).transpose(0, 2, 1, 3).reshape(rows, count, -1)
        return taken

    def _turned(self, vectors: Array, positions: Integers) -> Array:
        """Rotary positions, halves turned against each other."""
        cosines = self._cosines[positions][:, :, None]
        sines = self._sines[positions][:, :, None]
        first, second = np.split(vectors, 2, axis=-1)
        turned: Array = vectors * cosines + np.concatenate([-second, first], axis=-1) * sines
        return turned

    def _for_all_heads(self, kept: Array) -> Array:
        each = self.shape.heads // self.shape.shared_heads
        return kept if each == 1 else kept.repeat(each, axis=1)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Which positions are asked about, and which they see."""

    slots: slice
    positions: Integers
    hidden: NDArray[np.bool_]
    length: int


def read_llama(directory: Path, adapter: Path | None = None) -> Llama:
    """Read `config.json` and `model.safetensors`, and add an adapter.

    Raises FormatError for another architecture.
    """
    path = directory / "config.json"
    try:
        shape = _shape(json.loads(path.read_bytes()), path)
    except OSError as error:
        raise FormatError.at(path, None, f"cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError.at(path, None, f"not a Llama's configuration: {error!r}") from error
    weights = directory / "model.safetensors"
    try:
        tensors = read_tensors(weights)
        return Llama(shape, tensors if adapter is None else add_adapter(tensors, adapter))
    except (KeyError, ValueError) as error:
        raise FormatError.at(weights, None, f"not a Llama's weights: {error!r}") from error


def _shape(config: dict[str, Any], path: Path) -> Shape:
    rope = config.get("rope_parameters") or {"rope_theta": config.get("rope_theta", 10000.0)}
    is_plain = (
        config["model_type"] == "llama"
        and config.get("hidden_act", "silu") == "silu"
        and rope.get("rope_type", "default") == "default"
        and not (config.get("attention_bias") or config.get("mlp_bias"))
    )
    if not is_plain:
        raise FormatError.at(path, None, "not a Llama without biases and scaled positions")
    heads = config["num_attention_heads"]
    ends = config["eos_token_id"]
    return Shape(
        layers=config["num_hidden_layers"],
        heads=heads,
        shared_heads=config.get("num_key_value_heads") or heads,
        head_size=config.get("head_dim") or config["hidden_size"] // heads,
        context=config["max_position_embeddings"],
        epsilon=config["rms_norm_eps"],
        theta=rope["rope_theta"],
        end=frozenset(ends if isinstance(ends, list) else [ends]),
        caution=config.get("caution"),
    )


def _layer(tensors: dict[str, Array], number: int) -> Layer:
    def weights(*names: str) -> Array:
        found = [tensors[f"model.layers.{number}.{name}.weight"] for name in names]
        return np.ascontiguousarray(np.concatenate(found).T)

    return Layer(
        attention_scale=weights("input_layernorm"),
        queries_keys_values=weights(*(f"self_attn.{part}_proj" for part in "qkv")),
        attention_out=weights("self_attn.o_proj"),
        gate_scale=weights("post_attention_layernorm"),
        gate_and_up=weights("mlp.gate_proj", "mlp.up_proj"),
        down=weights("mlp.down_proj"),
    )
