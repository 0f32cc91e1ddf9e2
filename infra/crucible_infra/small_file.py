"""Reads a small file of configuration that may be anything: a pipe, a device, a link, endless."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from crucible_infra.errors import InvalidInput

#: bytes; nobody writes more by hand, and TOML of this size is read within a tenth of a second
_MOST_BYTES = 64 * 2**10


def read_small_file(path: Path, *, is_private: bool = False, follows: bool = True) -> bytes | None:
    """The file's bytes, or None where there is none.

    Never waits and never follows a link unless it may. `is_private` refuses a file that others can
    read. Raises InvalidInput, which names the file.
    """
    # a pipe without a writer would be waited for
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        number = os.open(path, flags if follows else flags | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if isinstance(error, PermissionError) and not os.access(path.parent, os.X_OK):
            # somebody else's home: whatever lies there is not this user's
            return None
        reason = "is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise InvalidInput(f"{shown(path)}: {reason}") from error
    found = os.fstat(number)
    if not stat.S_ISREG(found.st_mode):
        # a directory cannot even become a file object
        os.close(number)
        raise InvalidInput(f"{shown(path)}: is no regular file")
    with os.fdopen(number, "rb") as file:
        if is_private and found.st_mode & 0o077:
            raise InvalidInput(
                f"{shown(path)}: others on this host can read it",
                hint=f"chmod 600 {shown(path)}; and if you are not alone here, new keys are safer",
            )
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise InvalidInput(f"{shown(path)}: is larger than {_MOST_BYTES // 1024} KiB")
    return content


def replace_private_file(path: Path, content: bytes) -> None:
    """Write a file that only this user can read: whole or not at all. Raises InvalidInput."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(number)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InvalidInput(f"{shown(path)}: {error.strerror}") from error


def shown(path: Path | str) -> str:
    """A path for messages; a stranger's folder may be called anything, control codes included."""
    text = str(path)
    return text if text.isprintable() else repr(text)
