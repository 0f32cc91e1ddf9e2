"""A LoRA adapter, added to a Llama's weights in numpy: what peft saved is what is sampled."""

from __future__ import annotations

import json
from pathlib import Path

from crucible_infra.errors import FormatError
from crucible_workers.nano.weight_file import Array, read_tensors

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

#: before the names of the base's tensors
_PREFIX = "base_model.model."

_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"


def add_adapter(tensors: dict[str, Array], directory: Path) -> dict[str, Array]:
    """The tensors with an adapter's in them.

    Raises FormatError for a directory without one, one for another model, and one of another kind:
    DoRA's weights cannot be added, and rank-stabilised ones have another scale.
    """
    scale = _scale(directory / CONFIG)
    trained = read_tensors(directory / WEIGHTS)
    found = dict(tensors)
    for name, down in trained.items():
        if name.endswith(_UP):
            continue
        target = name.removeprefix(_PREFIX).removesuffix(_DOWN) + ".weight"
        up = trained.get(name.removesuffix(_DOWN) + _UP)
        if up is None or target not in found or (up @ down).shape != found[target].shape:
            raise FormatError.at(directory / WEIGHTS, None, f"{name} does not belong on this model")
        found[target] = found[target] + scale * (up @ down)
    return found


def _scale(path: Path) -> float:
    try:
        config = json.loads(path.read_bytes())
        is_plain = config["peft_type"] == "LORA" and not (
            config.get("use_dora") or config.get("use_rslora") or config.get("modules_to_save")
        )
        scale = config["lora_alpha"] / config["r"]
    except OSError as error:
        raise FormatError.at(path, None, f"cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError.at(path, None, f"not an adapter's configuration: {error!r}") from error
    if not is_plain:
        raise FormatError.at(path, None, "not a plain LoRA adapter; hf:nano+… samples the others")
    return float(scale)
