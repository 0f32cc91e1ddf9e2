"""LoRA adapters of random numbers for the tiny model, written without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from tiny_model import HIDDEN, INNER, LAYERS

RANK = 4

#: layers that an adapter changes, with the width of what comes in and goes out
_TARGETS = {
    "self_attn.q_proj": (HIDDEN, HIDDEN),
    "self_attn.k_proj": (HIDDEN, HIDDEN),
    "mlp.down_proj": (INNER, HIDDEN),
}


def write_tiny_adapter(directory: Path, seed: int = 3, **config: Any) -> Path:
    """A directory as peft saves one; large enough numbers to change what the model says."""
    directory.mkdir(parents=True)
    dice = np.random.default_rng(seed)
    tensors = {}
    for layer in range(LAYERS):
        for name, (inside, outside) in _TARGETS.items():
            at = f"base_model.model.model.layers.{layer}.{name}"
            tensors[f"{at}.lora_A.weight"] = _random(dice, RANK, inside)
            tensors[f"{at}.lora_B.weight"] = _random(dice, outside, RANK)
    save_file(tensors, directory / "adapter_model.safetensors", metadata={"format": "pt"})
    known = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": RANK,
        "lora_alpha": 8,
        "target_modules": [name.partition(".")[2] for name in _TARGETS],
        "base_model_name_or_path": "tiny",
    }
    (directory / "adapter_config.json").write_text(json.dumps(known | config))
    return directory


def _random(dice: np.random.Generator, *shape: int) -> np.ndarray:
    return (dice.standard_normal(shape) * 0.3).astype(np.float32)
