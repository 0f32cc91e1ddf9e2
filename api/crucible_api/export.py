"""Writes a run as files: its manifest, its completions, and samples other harnesses read."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from crucible_api.reports import RunSummary, VerdictRow
from crucible_infra.database.completions import CompletionRow
from crucible_infra.database.draws import DrawRow
from crucible_infra.errors import DiskFull, StorageError
from crucible_tasks.challenge import Challenge
from crucible_tasks.challenges import Dataset
from crucible_tasks.completion import Finish, Form
from crucible_tasks.extraction import extract
from crucible_tasks.scores import Score


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export is made of."""

    summary: RunSummary
    dataset: Dataset
    #: in the order of the run; read once
    completions: Iterable[CompletionRow]
    verdicts: Iterable[VerdictRow]
    #: of a router's run
    draws: Sequence[DrawRow] = ()


def write_export(exported: Exported, directory: Path) -> tuple[Path, ...]:
    """Write every file, each at once or not at all, and return their paths.

    manifest.json: the manifest, scores and coverage. completions.jsonl: raw texts and how they
    were sampled, for `crucible evaluate` and `replay:`. samples.jsonl: for openai/human-eval.
    samples-evalplus.jsonl: for EvalPlus.
    verdicts.jsonl: what became of each. draws.jsonl, of a router's run: what each member answered,
    and what it was turned down for. Raises StorageError, DiskFull when it cannot be written.
    """
    _make(directory)
    names = ("completions.jsonl", "samples.jsonl", "samples-evalplus.jsonl")
    with (
        _replacing(directory / names[0]) as raw,
        _replacing(directory / names[1]) as samples,
        _replacing(directory / names[2]) as solutions,
    ):
        for row in exported.completions:
            challenge = exported.dataset.by_id(row.task_id)
            program = _program(row, challenge)
            raw.write(_line(_raw(row)))
            samples.write(_line(_sample(row, challenge, program)))
            solutions.write(_line({"task_id": row.task_id, "solution": program}))
    with _replacing(directory / "verdicts.jsonl") as verdicts:
        verdicts.writelines(_line(msgspec.to_builtins(row)) for row in exported.verdicts)
    more = ("draws.jsonl",) if exported.draws else ()
    for name in more:
        with _replacing(directory / name) as draws:
            draws.writelines(_line(_draw(row)) for row in exported.draws)
    with _replacing(directory / "manifest.json") as manifest:
        text = json.dumps(_manifest(exported.summary), indent=2, allow_nan=False)
        manifest.write(text.encode() + b"\n")
    return tuple(directory / name for name in ("manifest.json", *names, "verdicts.jsonl", *more))


def _program(row: CompletionRow, challenge: Challenge) -> str:
    """The program that was judged; the raw text where extraction found none, as it fails alike."""
    found = extract(row.text, Form(row.form), challenge, Finish(row.finish))
    return row.text if found.program is None else found.program


def _sample(row: CompletionRow, challenge: Challenge, program: str) -> dict[str, Any]:
    """What human-eval appends to the prompt."""
    if row.form == Form.COMPLETION:
        completion = row.text
    elif program.startswith(challenge.prompt):
        completion = program.removeprefix(challenge.prompt)
    else:
        # The prompt ends inside a function that so far holds its description alone, which is a
        # whole function: the program then defines it anew.
        completion = f"\n{program}"
    return {"task_id": row.task_id, "completion": completion}


def _raw(row: CompletionRow) -> dict[str, Any]:
    """A row that `crucible evaluate` and `replay:` read: the text under the name of its form."""
    fields: dict[str, Any] = msgspec.to_builtins(row)
    for name in ("run_id", "task_id", "index", "form", "text"):
        del fields[name]
    return {"task_id": row.task_id, "index": row.index, row.form: row.text, **fields}


def _draw(row: DrawRow) -> dict[str, Any]:
    """One draw; the text of one that was kept is the completion's, and null here."""
    fields: dict[str, Any] = msgspec.to_builtins(row)
    del fields["run_id"]
    return fields


def _manifest(summary: RunSummary) -> dict[str, Any]:
    return summary.manifest | {
        "run": summary.run.id,
        "state": summary.run.state,
        "sweep": summary.run.sweep_id,
        "coverage": summary.quality.coverage,
        "validity": summary.quality.line,
        "scores": [_score(score) for score in summary.scores],
    }


def _score(score: Score) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(score)
    # JSON has no NaN
    return {name: None if value != value else value for name, value in fields.items()}  # noqa: PLR0124 -- only NaN differs from itself


def _line(fields: dict[str, Any]) -> bytes:
    # ASCII escapes carry half a surrogate pair, which UTF-8 cannot
    return json.dumps(fields, allow_nan=False).encode() + b"\n"


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{directory}: cannot be made: {error.strerror or error}") from error


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name when the block ends well."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        kind = DiskFull if error.errno == errno.ENOSPC else StorageError
        raise kind(f"{path}: cannot be written: {error.strerror or error}") from error
