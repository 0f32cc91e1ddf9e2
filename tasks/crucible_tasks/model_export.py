"""What the exporting process is told, and what it tells: weights in another form, and a check.

The process is `python -m crucible_workers.exporter JOB.json`; its standard output is the report. It
runs on the host of whoever asked, because that is where the files are wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.decoding import decoder


class Target(StrEnum):
    """What the weights become."""

    #: a directory in the layout of the Hugging Face hub, the adapter merged in
    SAFETENSORS = "safetensors"
    #: one file for llama.cpp and everything built on it
    GGUF = "gguf"
    #: a model of an Ollama server, by its HTTP API
    OLLAMA = "ollama"
    #: an adapter of a vLLM that is running, from a directory that it sees
    VLLM = "vllm"


class Numbers(StrEnum):
    """How a GGUF file's matrices are kept."""

    F32 = "f32"
    BF16 = "bf16"
    F16 = "f16"
    Q8_0 = "q8_0"


@dataclass(frozen=True, slots=True)
class ExportJob:
    """What to export, as what, and where to."""

    #: an `hf:` spec
    model: str
    target: Target
    #: the directory to make; None for `ollama`
    output: str | None = None
    #: the name in Ollama or vLLM
    tag: str | None = None
    #: the server; None is the usual Ollama
    url: str | None = None
    #: the model of that server the adapter belongs to; None uploads the merged weights
    base: str | None = None
    numbers: Numbers = Numbers.F16
    #: whether only the adapter is written
    adapter_only: bool = False
    #: what a GGUF file is called after; None where the spec says it
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Parity:
    """How much of the export says what the weights say."""

    #: "greedy answers of llama.cpp", "tensors read back", …
    of: str
    equal: int
    count: int


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was made, or why nothing was."""

    #: what was done, in words: "merged, as GGUF f16"
    way: str = ""
    #: the files' directory or file, or the name in Ollama
    made: str = ""
    #: a spec with which it can be asked at once; None where something must serve it first
    spec: str | None = None
    parity: Parity | None = None
    #: what the user should know, a sentence each
    notes: tuple[str, ...] = ()
    problem: str | None = None
    hint: str | None = None
    exit_code: int = 0


def write_job(job: ExportJob, path: Path) -> None:
    """Write JOB.json."""
    path.write_bytes(msgspec.json.encode(job))


def read_job(path: Path) -> ExportJob:
    """Read JOB.json. Raises InvalidInput for a file that is none."""
    try:
        return decoder(ExportJob).decode(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise FormatError.at(path, None, str(error)) from error


def read_report(data: bytes) -> ExportReport | None:
    """The report; None when the process ended without one."""
    try:
        return decoder(ExportReport).decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
