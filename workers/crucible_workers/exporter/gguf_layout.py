"""How llama.cpp arranges a model: its names, its order of rows, its description of the shape.

Llama keeps rows of the query and key matrices in another order than transformers, because it
rotates neighbours where transformers rotates halves; Qwen2 does not. What is written follows
llama.cpp's own converter, and is checked against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gguf

from crucible_infra.errors import InvalidInput
from crucible_workers.exporter.tensors import Array

#: transformers' class -> GGUF's word; Mistral is a Llama with another name
_FAMILIES = {
    "LlamaForCausalLM": gguf.MODEL_ARCH.LLAMA,
    "MistralForCausalLM": gguf.MODEL_ARCH.LLAMA,
    "Qwen2ForCausalLM": gguf.MODEL_ARCH.QWEN2,
}

#: transformers' own where a configuration says nothing
_ROPE_THETA = 10_000.0


@dataclass(frozen=True, slots=True)
class Layout:
    """One model's shape, and where its tensors go."""

    config: dict[str, Any]
    family: gguf.MODEL_ARCH

    @property
    def name(self) -> str:
        """GGUF's word for the family: llama, qwen2."""
        return str(gguf.MODEL_ARCH_NAMES[self.family])

    @property
    def layers(self) -> int:
        """How many blocks there are."""
        return int(self.config["num_hidden_layers"])

    @property
    def heads(self) -> int:
        """Of the queries."""
        return int(self.config["num_attention_heads"])

    @property
    def key_heads(self) -> int:
        """Of keys and values."""
        return int(self.config.get("num_key_value_heads") or self.heads)

    @property
    def head_width(self) -> int:
        """Numbers of one head."""
        return int(self.config.get("head_dim") or self.config["hidden_size"] // self.heads)

    def tensor_name(self, name: str) -> str:
        """GGUF's name of a tensor. Raises InvalidInput for one that the family does not have."""
        names = gguf.get_tensor_name_map(self.family, self.layers)
        found = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise InvalidInput(f"GGUF has no place for {name} in a {self.name} model")
        return str(found)

    def arranged(self, name: str, rows: Array) -> Array:
        """Rows in llama.cpp's order; for a matrix, a bias or the upper half of an adapter."""
        if self.family is not gguf.MODEL_ARCH.LLAMA:
            return rows
        heads = {"q_proj": self.heads, "k_proj": self.key_heads}.get(name.split(".")[-2])
        if heads is None:
            return rows
        halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
        return halves.swapaxes(1, 2).reshape(rows.shape)

    def describe(self, writer: gguf.GGUFWriter, rows: int) -> None:
        """Write the shape; `rows` of the embedding."""
        config = self.config
        writer.add_context_length(config["max_position_embeddings"])
        writer.add_embedding_length(config["hidden_size"])
        writer.add_block_count(self.layers)
        writer.add_feed_forward_length(config["intermediate_size"])
        writer.add_head_count(self.heads)
        writer.add_head_count_kv(self.key_heads)
        writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
        writer.add_rope_freq_base(self._rope()["rope_theta"])
        writer.add_key_length(self.head_width)
        writer.add_value_length(self.head_width)
        writer.add_vocab_size(rows)
        if self.family is gguf.MODEL_ARCH.LLAMA:
            writer.add_rope_dimension_count(self.head_width)
        if self._rope()["rope_type"] == "linear":
            writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            writer.add_rope_scaling_factor(self._rope()["factor"])

    def check(self) -> None:
        """Raise InvalidInput for positions that are scaled in a way not written here."""
        kind = self._rope()["rope_type"]
        if kind not in ("default", "linear"):
            hint = "llama.cpp's convert_hf_to_gguf.py knows more; export safetensors and use it"
            raise InvalidInput(f"rope scaling of the kind {kind} is not exported", hint=hint)

    def _rope(self) -> dict[str, Any]:
        # one dictionary since transformers 5, two keys before
        given = self.config.get("rope_parameters") or self.config.get("rope_scaling") or {}
        theta = given.get("rope_theta") or self.config.get("rope_theta") or _ROPE_THETA
        kind = given.get("rope_type") or given.get("type") or "default"
        return given | {"rope_theta": theta, "rope_type": kind}


def layout_of(config: dict[str, Any]) -> Layout:
    """The layout of a model with this configuration. Raises InvalidInput for other families."""
    named = (config.get("architectures") or ["nothing"])[0]
    if named not in _FAMILIES:
        hint = f"export safetensors and use llama.cpp's convert_hf_to_gguf.py; {_known()} are known"
        raise InvalidInput(f"{named} is not exported as GGUF", hint=hint)
    found = Layout(config, _FAMILIES[named])
    found.check()
    return found


def _known() -> str:
    return ", ".join(name.removesuffix("ForCausalLM") for name in _FAMILIES)
