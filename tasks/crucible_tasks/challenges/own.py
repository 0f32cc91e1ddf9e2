r"""Our own format: one challenge a row, spelled as `Challenge` is.

    {"task_id": "greet/1",             unique in the file
     "language": "python",             or "javascript", "other"
     "prompt": "def greet(name):\n",   what the model is given
     "entry_point": "greet",           null for whole programs
     "tests": {"type": "script", "source": "assert greet('Al') == 'Hi Al'\n"}}

`tests` is one of
    {"type": "script", "source": …}    passes when it ends; it may use the program's names
    {"type": "stdio", "cases": [{"stdin": …, "stdout": …}, …]}
    {"type": "oracle", "reference": …, "inputs": …, "absolute_tolerance": 0, "oracle": "equal"}
                                       see `evalplus` for what inputs and oracles are
    {"type": "repository", "snapshot": …, "path": …, "module": …, "name": …, "first_line": …,
     "last_line": …, "tests": […], "packages": […]}
                                       a repository's own tests, as `crucible challenges build`
                                       writes them; `archive`, on one row of each snapshot, is the
                                       packed repository in base64

Optional: `reference` (a solution, as a whole program), `stop` (a list of stop words),
`prompt_is_code` (true unless the prompt is prose), and `limits` with any of `cpu_seconds`,
`memory_mib`, `processes`, `file_mib`, `output_mib`. A field of any other name is refused.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import msgspec

from crucible_infra.errors import FormatError
from crucible_tasks.challenge import (
    Challenge,
    Language,
    Limits,
    OracleTests,
    RepositoryTests,
    Tests,
)
from crucible_tasks.challenges.dataset import Dataset
from crucible_tasks.challenges.evalplus import ORACLES
from crucible_tasks.challenges.format import Format


class OwnRow(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of our own format; nested objects stay plain until their names are checked."""

    task_id: str
    language: Language
    prompt: str
    tests: dict[str, Any]
    entry_point: str | None = None
    reference: str | None = None
    stop: tuple[str, ...] = ()
    limits: dict[str, Any] = {}
    prompt_is_code: bool = True
    archive: str | None = None


def write_rows(dataset: Dataset) -> bytes:
    """Write a dataset of any format as JSON Lines in this one."""
    waiting = {hashlib.sha256(archive).hexdigest(): archive for archive in dataset.archives}
    return b"".join(_row(challenge, waiting) for challenge in dataset.challenges)


def _row(challenge: Challenge, waiting: dict[str, bytes]) -> bytes:
    """One line; the first that needs a waiting archive takes it along."""
    fields: dict[str, Any] = msgspec.to_builtins(challenge)
    if isinstance(challenge.tests, RepositoryTests):
        archive = waiting.pop(challenge.tests.snapshot, None)
        if archive is not None:
            fields["archive"] = base64.b64encode(archive).decode()
    return msgspec.json.encode(fields) + b"\n"


def _archive(row: OwnRow) -> bytes | None:
    try:
        return None if row.archive is None else base64.b64decode(row.archive, validate=True)
    except ValueError as error:
        raise FormatError("`archive` is not base64") from error


def _challenge(row: OwnRow) -> Challenge:
    tests: Tests = _strict("tests", row.tests, Tests)
    limits: Limits = _strict("limits", row.limits, Limits)
    if isinstance(tests, OracleTests):
        if tests.oracle not in ORACLES:
            raise FormatError(f"`oracle` is one of {', '.join(sorted(ORACLES))}")
        if row.entry_point is None:
            raise FormatError("oracle tests need an `entry_point`")
    if isinstance(tests, RepositoryTests) and not tests.tests:
        raise FormatError("`tests` names no test")
    for name, amount in msgspec.to_builtins(limits).items():
        if amount <= 0:
            raise FormatError(f"`limits.{name}` must be above 0, not {amount}")
    return Challenge(
        task_id=row.task_id,
        language=row.language,
        prompt=row.prompt,
        entry_point=row.entry_point,
        tests=tests,
        reference=row.reference,
        stop=row.stop,
        limits=limits,
        prompt_is_code=row.prompt_is_code,
    )


def _strict(name: str, given: dict[str, Any], kind: Any) -> Any:
    """Convert a nested object, refusing fields it does not have: a misspelt limit is no limit."""
    try:
        value = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise FormatError(f"`{name}`: {error}") from error
    unknown = _unknown(given, msgspec.to_builtins(value))
    if unknown is not None:
        raise FormatError(f"`{name}` has no field `{unknown}`")
    return value


def _unknown(given: Any, understood: Any) -> str | None:
    """Find a field of `given`, at any depth, that conversion dropped."""
    if isinstance(given, dict):
        for name, held in given.items():
            if name not in understood:
                return str(name)
            deeper = _unknown(held, understood[name])
            if deeper is not None:
                return deeper
    if isinstance(given, list):
        found = (_unknown(a, b) for a, b in zip(given, understood, strict=True))
        return next((name for name in found if name is not None), None)
    return None


OWN = Format("crucible", OwnRow, _challenge, _archive)
