"""Nano: a toy code model of our own, sampled with numpy where there is nothing else.

It has 0.9 million parameters and knows some hundred small Python functions in synthetic wordings,
so its scores say nothing about code models. It is there so that everything really happens on a
bare machine: samples that differ, that pass and that fail, and a fine-tune that can be measured.
`workers/nano/train.py` in the repository makes its weights anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crucible_workers.nano.sampler import Sampler

#: of `weights/model.safetensors`, as `workers/nano/train.py` printed it
SHA256 = "d2b382181066fbbd33c0684e4e77e38b2e5f93bc45a47271bfc1aefc02325096"


def weights_directory() -> Path:
    """Where nano's weights lie, in the layout of the Hugging Face hub."""
    return Path(__file__).with_name("weights")


def load(directory: Path | None = None, adapter: Path | None = None) -> Sampler:
    """Read nano, or any plain Llama with a byte-level tokenizer, and its adapter; needs numpy.

    Raises FormatError for a directory that holds something else.
    """
    # whoever only asks where the weights are needs no numpy
    from crucible_workers.nano.llama import read_llama  # noqa: PLC0415
    from crucible_workers.nano.sampler import Sampler  # noqa: PLC0415
    from crucible_workers.nano.tokenizer import read_tokenizer  # noqa: PLC0415

    place = directory or weights_directory()
    return Sampler(read_llama(place, adapter), read_tokenizer(place / "tokenizer.json"))
