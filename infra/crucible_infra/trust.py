"""Trust in project files: by path and digest of the bytes, so a changed file loses it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from crucible_infra.errors import InvalidInput
from crucible_infra.small_file import read_small_file, replace_private_file


def trusted_files(store: Path) -> Mapping[str, str]:
    """Every trusted file and its digest; an unreadable store trusts nothing."""
    try:
        content = read_small_file(store)
        found = {} if content is None else json.loads(content)
    except (InvalidInput, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def is_trusted(store: Path, file: Path, content: bytes) -> bool:
    """Whether the user has trusted this file with these bytes."""
    return trusted_files(store).get(str(file)) == digest_of(content)


def trust(store: Path, file: Path, content: bytes) -> None:
    """Trust this file as long as its bytes are these. Raises InvalidInput."""
    _write(store, {**trusted_files(store), str(file): digest_of(content)})


def untrust(store: Path, file: Path) -> bool:
    """Trust the file no more; whether it had been trusted. Raises InvalidInput."""
    kept = dict(trusted_files(store))
    if kept.pop(str(file), None) is None:
        return False
    _write(store, kept)
    return True


def digest_of(content: bytes) -> str:
    """What a trusted file is known by, beside its path."""
    return hashlib.sha256(content).hexdigest()


def _write(store: Path, files: Mapping[str, str]) -> None:
    replace_private_file(store, f"{json.dumps(files, indent=2)}\n".encode())
