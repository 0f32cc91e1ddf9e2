"""Replay: completions that were recorded earlier, read from a JSONL file.

Rows carry `task_id` and one of `completion` (continues the prompt), `solution` (a whole program)
or `response` (raw chat text), plain or gzipped; `crucible runs export` writes such rows, a base
model's as `continuation`. The i-th row of a task is its sample i.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from crucible_infra.errors import FormatError, InvalidModelSpec, RequestRefused
from crucible_tasks.completion import Completion, Finish, Form
from crucible_tasks.generation import ModelIdentity
from crucible_workers.models import style
from crucible_workers.models.interface import Model, SampleRequest

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

#: everything of a task comes from memory, so calls need not be small
_PER_CALL = 10_000


class _Row(msgspec.Struct, frozen=True):
    task_id: str
    # in the order EvalPlus prefers them when a row has several
    solution: str | None = None
    completion: str | None = None
    response: str | None = None
    # `crucible runs export` writes these two
    continuation: str | None = None
    finish: Finish = Finish.STOP


_DECODER = msgspec.json.Decoder(_Row)


class _Recorded(msgspec.Struct, frozen=True, gc=False):
    form: Form
    text: str
    finish: Finish


class ReplayModel(Model):
    """Recorded completions, all in memory: 32,800 of them take about 30 MB."""

    def __init__(
        self, path: Path, identity: ModelIdentity, rows: dict[str, list[_Recorded]]
    ) -> None:
        self._path = path
        self._identity = identity
        self._rows = rows

    def identity(self) -> ModelIdentity:
        """The file, by its content."""
        return self._identity

    @property
    def samples_per_call(self) -> int:
        """All of them."""
        return _PER_CALL

    def sample(self, request: SampleRequest) -> tuple[Completion, ...]:
        """The recorded ones; RequestRefused for an index that was not recorded."""
        rows = self._rows.get(request.task_id, [])
        beyond = [index for index in request.indices if index >= len(rows)]
        if beyond:
            raise RequestRefused(
                f"{self._path} holds {len(rows)} completions of {request.task_id}, "
                f"sample {beyond[0]} is not among them",
                hint=f"ask for at most -n {len(rows)}" if rows else "check the task ids",
            )
        return tuple(
            Completion(
                index=index,
                form=rows[index].form,
                text=rows[index].text,
                finish=rows[index].finish,
            )
            for index in request.indices
        )

    def close(self) -> None:
        """Nothing is held open."""


def open_replay(name: str) -> ReplayModel:
    """Read the file; InvalidModelSpec when there is none, FormatError names file and line."""
    path = Path(name).expanduser().absolute()
    digest = hashlib.sha256()
    rows: dict[str, list[_Recorded]] = {}
    count = 0
    for number, line in enumerate(_lines(path), start=1):
        # of the unpacked content: packed or not, it is the same recording
        digest.update(line)
        if line.strip():
            row = _row(line, path, number)
            rows.setdefault(sys.intern(row.task_id), []).append(_recorded(row, path, number))
            count += 1
    if not count:
        raise FormatError.at(path, None, "holds no completions")
    identity = ModelIdentity(
        spec=f"replay:{path}",
        name=path.name,
        server="replay",
        digest=digest.hexdigest(),
        style=_style(rows),
        details={"completions": str(count), "tasks": str(len(rows))},
    )
    return ReplayModel(path, identity, rows)


def _lines(path: Path) -> Iterator[bytes]:
    number = 0
    try:
        with path.open("rb") as file:
            is_packed = file.peek(2).startswith(_GZIP)
            lines = gzip.GzipFile(fileobj=file) if is_packed else file
            for number, line in enumerate(lines, start=1):
                yield line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
    except (FileNotFoundError, IsADirectoryError) as error:
        hint = "replay:FILE wants a .jsonl or .jsonl.gz file of recorded completions"
        raise InvalidModelSpec(f"{path} is no file", hint=hint) from error
    except EOFError as error:
        raise FormatError.at(path, number + 1, "the gzip file is truncated") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise FormatError.at(path, number + 1, f"the gzip file is corrupt ({error})") from error
    except OSError as error:
        raise FormatError.at(path, None, f"cannot be read: {error.strerror}") from error


def _row(line: bytes, path: Path, number: int) -> _Row:
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError.at(path, number, f"not a recorded completion: {error}") from error


def _recorded(row: _Row, path: Path, number: int) -> _Recorded:
    texts = {
        Form.SOLUTION: row.solution,
        Form.COMPLETION: row.completion,
        Form.RESPONSE: row.response,
        Form.CONTINUATION: row.continuation,
    }
    for form, text in texts.items():
        if text is not None:
            return _Recorded(form, text, row.finish)
    raise FormatError.at(path, number, "has none of completion, solution and response")


def _style(rows: dict[str, list[_Recorded]]) -> str:
    first = next(iter(rows.values()))[0]
    return style.CHAT if first.form is Form.RESPONSE else style.BASE
