"""Base weights: found on this host, told from what is no model, identified and loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from crucible_infra.errors import InvalidInput
from crucible_tasks.recipe import Method, Recipe
from crucible_workers import weight_files

#: progress bars and advice
logging.set_verbosity_error()
logging.disable_progress_bar()


@dataclass(frozen=True, slots=True)
class Base:
    """A directory that holds a model: configuration, weights and tokenizer."""

    directory: Path
    config: Any
    tokenizer: PreTrainedTokenizerBase

    def digest(self) -> str:
        """One sha256 over the names and contents of the weight files."""
        return weight_files.weights_digest(self.directory)


def find_base(name: str) -> Base:
    """The model of a name as `weight_files` knows them. Raises InvalidInput where none is."""
    directory = weight_files.locate(name)
    weight_files.check_model(directory, name)
    config = _opened(name, AutoConfig.from_pretrained, directory)
    return Base(directory, config, _opened(name, AutoTokenizer.from_pretrained, directory))


def load(base: Base, recipe: Recipe, device: torch.device) -> PreTrainedModel:
    """The model, ready to be trained. Raises InvalidInput for weights that are none."""
    options: dict[str, Any] = {
        "dtype": weights_dtype(recipe, device),
        "attn_implementation": attention(device),
    }
    if recipe.method is Method.QLORA:
        options["quantization_config"] = _four_bits(device)
        options["device_map"] = {"": device}
    name = str(base.directory)
    model: PreTrainedModel = _opened(
        name, AutoModelForCausalLM.from_pretrained, base.directory, **options
    )
    return model


def attention(device: torch.device) -> str:
    """The quickest attention that is installed."""
    if device.type == "cuda" and find_spec("flash_attn") is not None:
        return "flash_attention_2"
    return "sdpa"


def computes_in_bfloat16(recipe: Recipe, device: torch.device) -> bool:
    """Whether matrices are multiplied in bfloat16; CPUs without it emulate it, slowly."""
    if recipe.precision != "auto":
        return recipe.precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    flags = Path("/proc/cpuinfo")
    text = flags.read_text("utf-8") if flags.exists() else ""
    return "avx512_bf16" in text or "amx_bf16" in text


def weights_dtype(recipe: Recipe, device: torch.device) -> torch.dtype:
    """What the weights are kept in: trained ones need all digits, frozen ones do not."""
    if recipe.trains_adapter and computes_in_bfloat16(recipe, device):
        return torch.bfloat16
    return torch.float32


def _opened(name: str, load_from: Callable[..., Any], directory: Path, **options: Any) -> Any:
    try:
        return load_from(directory, local_files_only=True, **options)
    # unknown architectures, broken JSON, shapes that do not fit, a cut weight file: no common base
    except Exception as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise InvalidInput(f"{name} is not a model that can be trained: {reason}") from error


def _four_bits(device: torch.device) -> BitsAndBytesConfig:
    if find_spec("bitsandbytes") is None:
        raise InvalidInput(
            "method: qlora needs bitsandbytes", hint="pip install 'codecrucible[qlora]'"
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if device.type == "cuda" else torch.float32,
    )
