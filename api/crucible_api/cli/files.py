"""Answers written to a file: whole or not at all, and nothing is overwritten by accident."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput

#: where a file is expected, this means stdout
STDOUT = "-"

_NO_MISTAKES = (errno.ENOSPC, errno.EDQUOT, errno.EPIPE)


def check_writable(
    output: str | None,
    *,
    is_forced: bool,
    is_json: bool = False,
    makes_parents: bool = False,
    force: str = "--force",
) -> None:
    """Refuse a file that cannot be written before an hour of work is spent on its content.

    `force` is what the user would say to replace one. Raises InvalidInput.
    """
    if output == STDOUT and is_json:
        raise InvalidInput("--json and --output - both want stdout", hint="choose one of them")
    if output is None or output == STDOUT:
        return
    with _as_bad_input(output):
        _check(output, is_forced=is_forced, makes_parents=makes_parents, force=force)


def _check(output: str, *, is_forced: bool, makes_parents: bool, force: str) -> None:
    path = Path(output).resolve()
    if path.is_dir():
        raise InvalidInput(f"{output}: is a directory")
    parent = _existing(path.parent) if makes_parents else path.parent
    if not parent.is_dir():
        raise InvalidInput(
            f"{output}: there is no directory {path.parent}", hint=f"mkdir -p {path.parent}"
        )
    if not os.access(parent, os.W_OK):
        raise InvalidInput(f"{output}: {parent} is not writable")
    # a pipe or a device (/dev/null, >(gzip)) holds nothing that could be lost
    if path.is_file() and not is_forced:
        raise InvalidInput(f"{output}: exists", hint=f"{force} replaces it")


def write(output: str, lines: Iterable[str], voice: Voice) -> None:
    """Write lines to a file (temporary file, fsync, rename) or, for `-`, to stdout."""
    if output == STDOUT:
        for line in lines:
            voice.answer(line)
        return
    path = Path(output).resolve()
    with _as_bad_input(output):
        if path.exists() and not path.is_file():
            with path.open("w", encoding="utf-8") as device:
                device.writelines(f"{line}\n" for line in lines)
            return
        _replace(path, lines)


def make_parents(output: str) -> Path | None:
    """Make the directories that a file's path lacks; returns the first of them."""
    parent = Path(output).resolve().parent
    if parent.is_dir():
        return None
    above = _existing(parent)
    with _as_bad_input(output):
        parent.mkdir(parents=True, exist_ok=True)
    return above / parent.relative_to(above).parts[0]


@contextmanager
def _as_bad_input(output: str) -> Iterator[None]:
    """A path that the system refuses is the user's mistake; a full disk or closed pipe is none."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_MISTAKES:
            raise
        raise InvalidInput(f"{output}: {error.strerror}", hint="name another file") from error


def _existing(directory: Path) -> Path:
    return next(each for each in (directory, *directory.parents) if each.exists())


def _replace(path: Path, lines: Iterable[str]) -> None:
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in lines)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp's 0600 would surprise whoever shares results; follow the user's umask
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
