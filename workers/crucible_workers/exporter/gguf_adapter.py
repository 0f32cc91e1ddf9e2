"""Writes a LoRA adapter as a GGUF file that llama.cpp and Ollama put onto a base of their own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from crucible_infra.errors import InvalidInput
from crucible_tasks.model_export import Parity
from crucible_workers.exporter.gguf_layout import Layout, layout_of
from crucible_workers.exporter.tensors import Array, tensors_of
from crucible_workers.weight_files import ADAPTER_CONFIG, CONFIG, read_json

_PREFIX = "base_model.model."

#: what a GGUF adapter cannot say, with the words for it
_UNSAID = {
    "use_dora": "it is DoRA, whose magnitudes llama.cpp does not read",
    "rank_pattern": "its layers have different ranks",
    "alpha_pattern": "its layers have different scales",
    "modules_to_save": "it brings whole layers of its own",
    "trainable_token_indices": "it brings tokens of its own",
    "fan_in_fan_out": "its matrices are transposed",
    "target_parameters": "it changes parameters that are no layers",
}


def reason_against(adapter: Path) -> str | None:
    """Why this adapter cannot be a GGUF adapter; None when it can."""
    config = read_json(adapter / ADAPTER_CONFIG)
    for name, reason in _UNSAID.items():
        if config.get(name):
            return reason
    if config.get("bias", "none") != "none":
        return "it changes biases"
    strange = [tensor.name for tensor in tensors_of(adapter) if _half(tensor.name) is None]
    return f"it has a tensor {strange[0]}" if strange else None


def write_adapter(adapter: Path, base: Path, path: Path, name: str) -> None:
    """Write the adapter as a file. Raises InvalidInput where `reason_against` has a reason."""
    reason = reason_against(adapter)
    if reason is not None:
        raise InvalidInput(f"{name} cannot be a GGUF adapter: {reason}", hint="export it merged")
    layout = layout_of(read_json(base / CONFIG))
    writer = gguf.GGUFWriter(path, layout.name)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_name(name)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, _alpha(read_json(adapter / ADAPTER_CONFIG)))
    for tensor_name, numbers in _arranged(adapter, layout).items():
        writer.add_tensor(tensor_name, np.ascontiguousarray(numbers))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_adapter_back(adapter: Path, base: Path, path: Path) -> Parity:
    """Compare every tensor of the file with the adapter's own."""
    own = _arranged(adapter, layout_of(read_json(base / CONFIG)))
    written = {tensor.name: tensor.data for tensor in gguf.GGUFReader(path).tensors}
    equal = sum(name in written and np.array_equal(written[name], own[name]) for name in own)
    return Parity("tensors read back from the file", equal, len(own))


def _arranged(adapter: Path, layout: Layout) -> dict[str, Array]:
    found = {}
    for tensor in tensors_of(adapter):
        half = _half(tensor.name)
        assert half is not None
        plain = tensor.name.removeprefix(_PREFIX).replace(f".lora_{half}.weight", ".weight")
        numbers = tensor.read()
        # only what comes out has rows that llama.cpp orders differently
        numbers = layout.arranged(plain, numbers) if half == "B" else numbers
        found[f"{layout.tensor_name(plain)}.lora_{half.lower()}"] = numbers
    return found


def _half(name: str) -> str | None:
    if name.startswith(_PREFIX):
        for half in ("A", "B"):
            if name.endswith(f".lora_{half}.weight"):
                return half
    return None


def _alpha(config: dict[str, Any]) -> float:
    alpha, rank = float(config["lora_alpha"]), int(config["r"])
    # llama.cpp divides by the rank; rsLoRA by its root
    return alpha * math.sqrt(rank) if config.get("use_rslora") else alpha
