"""Weights for sampling in this process: described at once, loaded when they are first asked.

Opening reads configuration, tokenizer and digests, and loads nothing, so that a model can be
described before it fits into memory beside another. What a library raises is told in one line.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from crucible_infra.errors import CrucibleError, InvalidModelSpec, RequestRefused
from crucible_tasks.fine_tuning import RECORD, read_record
from crucible_tasks.generation import ModelIdentity
from crucible_tasks.model_spec import ModelKind, ModelSpec
from crucible_workers import weight_files
from crucible_workers.models import style
from crucible_workers.models.fingerprint import digest_of, sha256
from crucible_workers.models.transformers_tokens import Tokens

# progress bars and advice
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

#: nothing of a directory is fetched, unpickled or run
_OFFLINE = {"local_files_only": True, "trust_remote_code": False}

#: share of a CPU host's free memory that weights may take; the rest is for the cache
_MOST_MEMORY = 0.8

_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class Weights:
    """A model and perhaps an adapter, ready to be loaded."""

    name: str
    base: Path
    adapter: Path | None
    config: Any
    tokens: Tokens
    identity: ModelIdentity

    def load(self) -> Any:
        """The model, with its adapter, on the GPU or in this host's memory.

        Raises RequestRefused for weights that do not fit this host or each other.
        """
        device, dtype = torch.device(device_kind()), compute_dtype(self.config)
        self._check_memory(device, dtype)
        model = told(self.name, lambda: load_base(self.base, self.config, dtype).to(device))
        if self.adapter is not None:
            from crucible_workers.models.transformers_adapter import add_adapter  # noqa: PLC0415

            adapter = self.adapter
            model = told(self.name, lambda: add_adapter(model, adapter))
        return model.eval()

    def _check_memory(self, device: torch.device, dtype: torch.dtype) -> None:
        if device.type == "cuda":
            free = int(torch.cuda.mem_get_info()[0])
        else:
            # nobody lives to tell when the kernel ends a process for want of memory
            free = int(_available_bytes() * _MOST_MEMORY)
        files = weight_files.weight_files(self.base)
        count = sum(_numbers(weight_files.read_header(path)) for path in files)
        needed = count * dtype.itemsize
        if needed > free and self.identity.quantization == _dtype_name(self.config):
            raise RequestRefused(
                f"{self.name} takes {needed / 2**30:.1f} GiB as {_plain(dtype)}, "
                f"{free / 2**30:.1f} GiB are free for it",
                hint="a smaller model, or a server that quantises: Ollama, llama.cpp, vLLM",
            )


def describe(spec: ModelSpec) -> Weights:
    """Find the weights, check that they are plain data and say what they are.

    Raises InvalidInput for what cannot be used, StorageError for artifacts that cannot be had.
    """
    base = weight_files.locate(spec.name)
    weight_files.check_model(base, spec.name)
    adapter = None if spec.adapter is None else weight_files.locate(spec.adapter)
    config = _opened(spec.name, lambda: AutoConfig.from_pretrained(base, **_OFFLINE))
    # an adapter may bring tokens of its own
    has_own = adapter is not None and (adapter / "tokenizer.json").is_file()
    spoken = adapter if has_own and adapter is not None else base
    tokenizer = _opened(spec.name, lambda: AutoTokenizer.from_pretrained(spoken, **_OFFLINE))
    tokens = Tokens(tokenizer, _ends(base, config, tokenizer))
    facts = _facts(base, adapter, spec)
    facts |= {"tokenizer": weight_files.tokenizer_digest(spoken)}
    facts |= {"template": sha256(tokenizer.chat_template or "")}
    identity = _identity(spec, config, facts, has_chat=tokenizer.chat_template is not None)
    return Weights(str(spec), base, adapter, config, tokens, identity)


def told(name: str, use: Callable[[], Any]) -> Any:
    """Do something with a library, and raise RequestRefused for whatever it raises."""
    try:
        with warnings.catch_warnings():
            # what will be renamed in their next versions
            warnings.simplefilter("ignore")
            return use()
    except CrucibleError:
        raise
    # unknown quantisations, shapes that do not fit, no memory: libraries have no common base
    except Exception as error:
        raise refusal(name, error) from error


def refusal(name: str, error: Exception) -> RequestRefused:
    """What an exception of a library means to the user."""
    text = _first_sentence(error)
    is_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
    if is_memory or "can't allocate memory" in text or "out of memory" in text:
        hint = "a smaller model, fewer tokens, or a server that quantises"
        return RequestRefused(f"{name}: out of memory", hint=hint)
    return RequestRefused(f"{name} cannot be used: {text}")


@cache
def device_kind() -> str:
    """Where models are computed: "cuda" or "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def compute_dtype(config: Any) -> torch.dtype:
    """In what numbers: as stored on a GPU; CPUs are slower in half precision than in single."""
    stored = getattr(config, "dtype", None)
    if device_kind() == "cuda":
        return stored if isinstance(stored, torch.dtype) else torch.bfloat16
    return torch.float32


def context_tokens(config: Any) -> int | None:
    """The context the weights were trained for."""
    found = getattr(config.get_text_config(), "max_position_embeddings", None)
    return int(found) if isinstance(found, int) and found > 0 else None


def free_bytes() -> int:
    """Memory that is free now where models are computed."""
    return int(torch.cuda.mem_get_info()[0]) if device_kind() == "cuda" else _available_bytes()


def load_base(base: Path, config: Any, dtype: torch.dtype) -> Any:
    """The model itself. Raises RequestRefused where tensors are missing."""
    model, loaded = AutoModelForCausalLM.from_pretrained(
        base,
        config=config,
        dtype=dtype,
        use_safetensors=True,
        # named, because a configuration could ask for code from the hub
        attn_implementation="sdpa",
        output_loading_info=True,
        **_OFFLINE,
    )
    # transformers would draw them at random
    missing = sorted(loaded["missing_keys"])
    if missing:
        raise RequestRefused(f"{base} lacks {len(missing)} tensors, for example {missing[0]}")
    return model


def _facts(base: Path, adapter: Path | None, spec: ModelSpec) -> dict[str, str]:
    weights = weight_files.weights_digest(base)
    facts = {
        "server": f"transformers {transformers.__version__}",
        "weights": weights,
        "config": weight_files.file_digest(base / weight_files.CONFIG),
    }
    if adapter is None:
        return facts
    name = spec.adapter or ""
    config = weight_files.check_adapter(adapter, name)
    facts["adapter"] = weight_files.file_digest(adapter / weight_files.ADAPTER_WEIGHTS)
    facts["adapter_config"] = weight_files.file_digest(adapter / weight_files.ADAPTER_CONFIG)
    if not (adapter / RECORD).is_file():
        named = config.get("base_model_name_or_path") or "nothing"
        return facts | {"adapter_base": f"unverified, it names {named}"}
    record = read_record(adapter)
    if record.base_digest != weights:
        raise InvalidModelSpec(
            f"{name} was trained on other weights than those of {spec.name}",
            hint=f"its base is {record.base}, with digest {record.base_digest[:12]}",
        )
    return facts | {"adapter_base": "verified", "corpus": record.corpus_digest}


def _identity(
    spec: ModelSpec, config: Any, facts: dict[str, str], *, has_chat: bool
) -> ModelIdentity:
    full = ModelSpec(
        ModelKind.HF,
        weight_files.full_name(spec.name),
        adapter=spec.adapter and weight_files.full_name(spec.adapter),
        style=spec.style,
    )
    own = _short(full.name)
    dtype = _plain(compute_dtype(config))
    by_template = style.CHAT if has_chat else style.BASE
    return ModelIdentity(
        spec=str(full),
        name=f"{own}+{_short(full.adapter)}" if full.adapter else own,
        server=facts["server"],
        digest=digest_of(facts | {"dtype": dtype}),
        style=style.of_spec_or_name(spec.style, own) or by_template,
        context_tokens=context_tokens(config),
        quantization=_quantization(config),
        details=facts | {"computes_in": dtype, "device": device_kind()},
    )


def _short(name: str) -> str:
    digest = weight_files.artifact_digest(name)
    return digest[:12] if digest else Path(name).name or name


def _ends(base: Path, config: Any, tokenizer: Any) -> frozenset[int]:
    found = [tokenizer.eos_token_id, getattr(config.get_text_config(), "eos_token_id", None)]
    if (base / "generation_config.json").is_file():
        # chat models name the end of a turn here
        found.append(
            _opened(str(base), lambda: GenerationConfig.from_pretrained(base)).eos_token_id
        )
    flat = [each for ids in found for each in (ids if isinstance(ids, list) else [ids])]
    return frozenset(each for each in flat if isinstance(each, int))


def _opened(name: str, read: Callable[[], Any]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read()
    # unknown architectures, code of their own, broken JSON: libraries have no common base
    except Exception as error:
        reason = _first_sentence(error)
        raise InvalidModelSpec(f"{name} is not a model that can be loaded: {reason}") from error


def _first_sentence(error: Exception) -> str:
    # advice for whoever writes Python follows
    text = " ".join(str(error).split()).partition(". ")[0].rstrip(".")
    return text[:300] or type(error).__name__


def _quantization(config: Any) -> str | None:
    found = getattr(config, "quantization_config", None)
    if found is None:
        return _dtype_name(config)
    method = found.get("quant_method") if isinstance(found, dict) else found.quant_method
    return str(method or "quantised")


def _dtype_name(config: Any) -> str | None:
    stored = getattr(config, "dtype", None)
    return _plain(stored) if isinstance(stored, torch.dtype) else None


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _numbers(header: dict[str, Any]) -> int:
    return sum(math.prod(entry["shape"]) for entry in header.values())


def _available_bytes() -> int:
    for line in _MEMINFO.read_text().splitlines() if _MEMINFO.exists() else ():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 2**62
