"""A LoRA adapter on its base: peft applies it, and merges it where no digit is lost by that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from crucible_infra.errors import RequestRefused

_NAME = "default"


def add_adapter(model: Any, directory: Path) -> Any:
    """The model with the adapter. Raises RequestRefused for one that does not fit it."""
    adapted = attach(model, directory)
    if model.dtype == torch.float32 and not hasattr(model, "hf_quantizer"):
        return adapted.merge_and_unload(safe_merge=True)
    # half of bfloat16's digits are larger than what an adapter changes; the layers stay in place
    return adapted.get_base_model()


def attach(model: Any, directory: Path) -> Any:
    """The same, not merged."""
    config = LoraConfig.from_pretrained(directory, local_files_only=True)
    config.inference_mode = True
    # starting values are replaced; some take a decomposition of every matrix
    config.init_lora_weights = True
    adapted = get_peft_model(model, config, adapter_name=_NAME)
    # peft only warns of weights that are not there, and starts them as nothing
    told = adapted.load_adapter(directory, _NAME, is_trainable=False, local_files_only=True)
    astray = [*told.missing_keys, *told.unexpected_keys]
    if astray:
        raise RequestRefused(
            f"{directory.name} does not fit this model: {len(astray)} tensors, like {astray[0]}",
            hint="an adapter belongs to the weights it was trained on",
        )
    return adapted
