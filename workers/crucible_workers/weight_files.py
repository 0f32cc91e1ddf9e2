"""Weight files: where a model's directory lies, whether it holds plain data, and its digest.

A model directory is untrusted. Only safetensors are read, which cannot carry code; pickled weights
are never opened, and code that a directory brings is never run.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from crucible_infra import settings
from crucible_infra.artifacts import open_store
from crucible_infra.bundles import fetch_directory
from crucible_infra.errors import FormatError, InvalidModelSpec
from crucible_tasks.fine_tuning import NANO

CONFIG = "config.json"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"

#: `artifact:DIGEST` or `artifact:sha256:DIGEST`
_ARTIFACT = re.compile(r"artifact:(?:sha256:)?(?P<digest>[0-9a-f]{64})")

#: of the Hugging Face hub: owner/name, or an old one without owner
_HUB_ID = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?", re.ASCII)

#: files by which a Hugging Face tokenizer is known
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt")

#: bytes of the length in front of a safetensors header, and the most a header may have
_LENGTH = 8
_LARGEST_HEADER = 100_000_000

#: files whose digest is remembered, for weights that are described and then sampled
_REMEMBERED = 256


def artifact_digest(name: str) -> str | None:
    """The digest that `artifact:…` names; None for a path or an id."""
    found = _ARTIFACT.fullmatch(name)
    return found["digest"] if found else None


def full_name(name: str) -> str:
    """The same model in a way that does not depend on the current folder."""
    digest = artifact_digest(name)
    if digest is not None:
        return f"artifact:{digest}"
    path = Path(name).expanduser()
    return str(path.absolute()) if path.is_dir() else name


def locate(name: str) -> Path:
    """The directory of a path, an artifact, which is fetched once, `nano`, or an id in the cache.

    Raises InvalidModelSpec when there is none, and what `fetch_directory` raises.
    """
    digest = artifact_digest(name)
    if digest is not None:
        current = settings.current()
        cached = current.cache_directory / "bundles" / digest
        return fetch_directory(open_store(current.artifacts_url), digest, cached)
    if name == NANO:
        from crucible_workers.nano import weights_directory  # noqa: PLC0415 -- seldom wanted

        return weights_directory()
    path = Path(name).expanduser()
    if path.is_dir():
        return path.absolute()
    if name.startswith("artifact:"):
        hint = "64 hexadecimal digits follow artifact:"
        raise InvalidModelSpec(f"{name} names no artifact", hint=hint)
    if name.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(name):
        raise InvalidModelSpec(
            f"{name} is no directory on this host",
            hint="`crucible models store DIR` lets every host of a cluster fetch it",
        )
    return _cached(name)


def check_model(directory: Path, name: str) -> None:
    """Raise InvalidModelSpec for what is no model, FormatError for damaged weights."""
    if (directory / ADAPTER_CONFIG).exists():
        hint = f"write hf:BASE+{name}"
        raise InvalidModelSpec(f"{name} is an adapter, not a model of its own", hint=hint)
    if not (directory / CONFIG).is_file():
        hint = "a directory with Hugging Face weights has one"
        raise InvalidModelSpec(f"{name} is not a model: it has no {CONFIG}", hint=hint)
    weights = weight_files(directory)
    if not weights:
        hint = "pickled weights (.bin, .pt) can run code and are never loaded; convert them"
        raise InvalidModelSpec(f"{name} has no *.safetensors", hint=hint)
    for path in weights:
        read_header(path)


def check_adapter(directory: Path, name: str) -> dict[str, Any]:
    """The adapter's configuration. Raises InvalidModelSpec for what is no LoRA adapter."""
    if not (directory / ADAPTER_CONFIG).is_file():
        raise InvalidModelSpec(f"{name} is not an adapter: it has no {ADAPTER_CONFIG}")
    if not (directory / ADAPTER_WEIGHTS).is_file():
        hint = "pickled weights (.bin) can run code and are never loaded"
        raise InvalidModelSpec(f"{name} has no {ADAPTER_WEIGHTS}", hint=hint)
    read_header(directory / ADAPTER_WEIGHTS)
    config = read_json(directory / ADAPTER_CONFIG)
    if config.get("peft_type") != "LORA":
        raise InvalidModelSpec(f"{name} is not a LoRA adapter", hint="DoRA and rsLoRA are LoRA")
    return config


def weight_files(directory: Path) -> list[Path]:
    """The safetensors of a directory, by name."""
    return sorted(directory.glob("*.safetensors"))


def weights_digest(directory: Path) -> str:
    """One sha256 over the names and contents of the weight files."""
    lines = [f"{file_digest(path)}  {path.name}\n" for path in weight_files(directory)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def tokenizer_digest(directory: Path) -> str:
    """One sha256 over the files that say what the tokens are."""
    paths = [directory / name for name in _TOKENIZER_FILES]
    lines = [f"{file_digest(path)}  {path.name}\n" for path in paths if path.is_file()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """The sha256 of a file; read again only when it changed."""
    facts = path.stat()
    return _digest(path, facts.st_ino, facts.st_size, facts.st_mtime_ns)


def read_header(path: Path) -> dict[str, Any]:
    """Name, type, shape and place of every tensor. Raises FormatError for a damaged file."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH), "little")
            if not 2 <= length <= min(size - _LENGTH, _LARGEST_HEADER):
                raise FormatError.at(path, None, "not a safetensors file")
            header = msgspec.json.decode(file.read(length), type=dict[str, Any])
        header.pop("__metadata__", None)
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except OSError as error:
        raise FormatError.at(path, None, f"cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError, IndexError) as error:
        raise FormatError.at(path, None, f"not a safetensors file: {error}") from error
    if _LENGTH + length + end != size:
        problem = f"it holds {size} bytes, its header speaks of {_LENGTH + length + end}"
        raise FormatError.at(path, None, problem)
    return header


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises FormatError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise FormatError.at(path, None, f"cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError.at(path, None, f"not a JSON object: {error}") from error


@lru_cache(_REMEMBERED)
def _digest(path: Path, *facts: int) -> str:
    del facts
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cached(name: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 -- of the train extra
    from huggingface_hub.errors import (  # noqa: PLC0415
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, HfHubHTTPError, ValueError) as error:
        raise InvalidModelSpec(
            f"{name} is neither a directory nor in the local Hugging Face cache",
            hint=f"fetch it: hf download {name}",
        ) from error
