"""Names and passwords for Flower, kept in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from crucible_api.cli.output import Voice
from crucible_infra.errors import FormatError, InvalidInput, StorageError
from crucible_infra.settings import current

#: the name that goes with a generated password
NAME = "crucible"

#: 192 bits: nobody types it, and it must outlast guessing over a network
_PASSWORD_BYTES = 24

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def credentials(file: Path | None, *, is_needed: bool, voice: Voice) -> tuple[str, ...]:
    """NAME:PASSWORD of everybody who may look; nothing where no password is asked for.

    A generated one is in `default_file`, whose place is said and whose content never is. Raises
    InvalidInput when a file cannot be read, others can read the generated one, or a line is wrong.
    """
    if file is None and not is_needed:
        return ()
    if file is None:
        file = default_file()
        _generate(file)
    logins = _read(file)
    voice.announce(f"Flower asks for a name and a password: {file}")
    return logins


def default_file() -> Path:
    """Where a generated password is kept."""
    return current().data_directory / "flower" / "basic-auth"


def _generate(file: Path) -> None:
    """Write a new password, unless there is one. Raises StorageError, or InvalidInput."""
    try:
        if file.exists():
            _refuse_known(file)
            return
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # never readable by others, not even for a moment
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w") as opened:
            opened.write(f"{NAME}:{secrets.token_urlsafe(_PASSWORD_BYTES)}\n")
    except OSError as error:
        raise StorageError(
            f"{file}: {error.strerror}", hint="or name a file with --basic-auth-file"
        ) from error


def _refuse_known(file: Path) -> None:
    if file.stat().st_mode & _OTHERS:
        raise InvalidInput(
            f"{file} can be read by others, so its password counts as known",
            hint="delete it, and a new one is made",
        )


def _read(file: Path) -> tuple[str, ...]:
    try:
        lines = file.read_text().splitlines()
    except OSError as error:
        raise InvalidInput(
            f"{file}: {error.strerror}", hint="a line of it is NAME:PASSWORD"
        ) from error
    except UnicodeDecodeError as error:
        raise FormatError.at(file, None, "not a text in UTF-8") from error
    logins = tuple(_login(file, number, line) for number, line in enumerate(lines, 1) if line)
    if not logins:
        raise FormatError.at(file, None, "holds no NAME:PASSWORD")
    return logins


def _login(file: Path, number: int, line: str) -> str:
    name, colon, password = line.partition(":")
    # the line itself would show a password
    if not (name and colon and password):
        raise FormatError.at(file, number, "is not NAME:PASSWORD")
    return line
