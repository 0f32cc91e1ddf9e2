"""Which weights a model's name means, for training: an explicit table, never a guess.

`codellama:7b` of Ollama is a file of quantised numbers, from which nothing can be trained. The
table says which published weights it was made from. An Ollama name without a word for its variant
is the variant that Ollama's library gives to it, mostly the instruct one. A name's quantisation
(`-q4_0`) changes nothing about where it comes from. What is not here must be named:
`--base-weights`.
"""

from __future__ import annotations

import re

from crucible_infra.errors import InvalidInput
from crucible_tasks.fine_tuning import NANO
from crucible_tasks.model_spec import ModelKind, ModelSpec

#: how Ollama's names end for one model in several precisions
_QUANTISATION = re.compile(r"-(?:q\d(?:_[0-9k])?(?:_[sml])?|fp16|f16|bf16)$", re.IGNORECASE)


def _codellama(size: str) -> dict[str, str]:
    home = f"codellama/CodeLlama-{size}"
    return {
        f"codellama:{size}": f"{home}-Instruct-hf",
        f"codellama:{size}-instruct": f"{home}-Instruct-hf",
        f"codellama:{size}-code": f"{home}-hf",
        f"codellama:{size}-python": f"{home}-Python-hf",
    }


def _qwen_coder(size: str) -> dict[str, str]:
    home = f"Qwen/Qwen2.5-Coder-{size.upper()}"
    return {
        f"qwen2.5-coder:{size}": f"{home}-Instruct",
        f"qwen2.5-coder:{size}-instruct": f"{home}-Instruct",
        f"qwen2.5-coder:{size}-base": home,
    }


def _deepseek_coder(size: str) -> dict[str, str]:
    home = f"deepseek-ai/deepseek-coder-{size}"
    return {
        f"deepseek-coder:{size}": f"{home}-instruct",
        f"deepseek-coder:{size}-instruct": f"{home}-instruct",
        f"deepseek-coder:{size}-base": f"{home}-base",
    }


#: Ollama's name -> the id of the Hugging Face hub
TABLE = {
    NANO: NANO,
    "codellama": "codellama/CodeLlama-7b-Instruct-hf",
    **_codellama("7b"),
    **_codellama("13b"),
    **_codellama("34b"),
    **_codellama("70b"),
    "qwen2.5-coder": "Qwen/Qwen2.5-Coder-7B-Instruct",
    **_qwen_coder("0.5b"),
    **_qwen_coder("1.5b"),
    **_qwen_coder("3b"),
    **_qwen_coder("7b"),
    **_qwen_coder("14b"),
    **_qwen_coder("32b"),
    "qwen3-coder": "Qwen/Qwen3-Coder-30B-A3B-Instruct",
    "qwen3-coder:30b": "Qwen/Qwen3-Coder-30B-A3B-Instruct",
    "deepseek-coder": "deepseek-ai/deepseek-coder-1.3b-instruct",
    **_deepseek_coder("1.3b"),
    **_deepseek_coder("6.7b"),
    **_deepseek_coder("33b"),
    "deepseek-coder-v2": "deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct",
    "deepseek-coder-v2:16b": "deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct",
    "deepseek-coder-v2:lite": "deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct",
    "starcoder2": "bigcode/starcoder2-3b",
    "starcoder2:3b": "bigcode/starcoder2-3b",
    "starcoder2:7b": "bigcode/starcoder2-7b",
    "starcoder2:15b": "bigcode/starcoder2-15b",
    "starcoder2:instruct": "bigcode/starcoder2-15b-instruct-v0.1",
    "starcoder2:15b-instruct": "bigcode/starcoder2-15b-instruct-v0.1",
    "codegemma": "google/codegemma-7b-it",
    "codegemma:2b": "google/codegemma-2b",
    "codegemma:7b": "google/codegemma-7b-it",
    "codegemma:7b-instruct": "google/codegemma-7b-it",
    "codegemma:7b-code": "google/codegemma-7b",
    "llama3": "meta-llama/Meta-Llama-3-8B-Instruct",
    "llama3:8b": "meta-llama/Meta-Llama-3-8B-Instruct",
    "llama3:70b": "meta-llama/Meta-Llama-3-70B-Instruct",
    "llama3.1": "meta-llama/Llama-3.1-8B-Instruct",
    "llama3.1:8b": "meta-llama/Llama-3.1-8B-Instruct",
    "llama3.1:70b": "meta-llama/Llama-3.1-70B-Instruct",
    "llama3.2": "meta-llama/Llama-3.2-3B-Instruct",
    "llama3.2:1b": "meta-llama/Llama-3.2-1B-Instruct",
    "llama3.2:3b": "meta-llama/Llama-3.2-3B-Instruct",
    "llama3.3": "meta-llama/Llama-3.3-70B-Instruct",
    "llama3.3:70b": "meta-llama/Llama-3.3-70B-Instruct",
}


def base_weights(model: ModelSpec, override: str | None = None) -> str:
    """The weights to train for this model: an id of the hub, a directory or `nano`.

    Raises InvalidInput for a model whose weights nobody has said.
    """
    if override is not None:
        return override
    if model.kind is ModelKind.HF and model.adapter is None:
        return model.name
    name = model.name or str(model)
    found = TABLE.get(_QUANTISATION.sub("", name.removesuffix(":latest").lower()))
    if found is None or model.kind in (ModelKind.REPLAY, ModelKind.REFERENCE, ModelKind.HF):
        raise InvalidInput(
            f"it is not known which weights {model} was made from",
            hint="name them: --base-weights DIRECTORY or --base-weights ID of the Hugging Face hub",
        )
    return found
