"""How much arithmetic a step is, and what share of the devices' peak that was.

Frozen weights are multiplied once forward and once backward, for the gradients that pass through
them: 4 operations for a weight and a token. Trained weights need their own gradients too: 6. To
count 6 for all, as is usual, calls a LoRA run half as fast again as it is. Attention is causal and
ends at a piece's end, so it costs what the pieces' lengths say; recomputed activations are not
work. An embedding is a look-up, the head is a multiplication.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

#: dense bfloat16 operations a second, as their makers state them
PEAKS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "A10": 125e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
}


@dataclass(frozen=True, slots=True)
class Work:
    """What a token costs."""

    #: weights of linear layers, the head included
    frozen: int
    trained: int
    #: layers times the width of all heads
    attention: int
    #: operations a second of one device; None where that is not known
    peak: float | None

    def operations(self, tokens: int, squares: int) -> float:
        """Forward and backward, for tokens in pieces with this sum of squared lengths."""
        linear = tokens * (4 * self.frozen + 6 * self.trained)
        # two products with half of a square, two operations each, and twice that backward
        return linear + 3 * 2 * self.attention * squares

    def utilisation(self, tokens: int, squares: int, seconds: float, devices: int) -> float | None:
        """The share of the devices' peak."""
        if self.peak is None or seconds <= 0:
            return None
        return self.operations(tokens, squares) / (seconds * self.peak * devices)


def work_of(model: Any, config: Any, device: torch.device) -> Work:
    """The work of a model whose trained weights require gradients; a rehearsed one will do."""
    is_tied = getattr(config, "tie_word_embeddings", False)
    trained = frozen = 0
    for name, weight in model.named_parameters():
        # a tied embedding is the head as well
        if weight.dim() != 2 or ("embed" in name and not is_tied):
            continue
        if weight.requires_grad:
            trained += weight.numel()
        else:
            frozen += weight.numel()
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return Work(frozen, trained, config.num_hidden_layers * heads * width, _peak(device))


def _peak(device: torch.device) -> float | None:
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for word, peak in PEAKS.items() if word in name), None)
