"""The file of keys: TOML, one `name = "key"` a line, for nobody's eyes but this user's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from crucible_infra.errors import FormatError, InvalidInput
from crucible_infra.small_file import read_small_file, replace_private_file, shown

OPENAI = "openai"

#: the token of CRUCIBLE_SERVER, which is sent there and to no endpoint
SERVER = "server"

#: keys that the environment holds under another name than CRUCIBLE_KEY_…
_VARIABLES = {OPENAI: "OPENAI_API_KEY", SERVER: "CRUCIBLE_TOKEN"}

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def check_name(name: str) -> None:
    """Refuse what could be mistaken. Raises InvalidInput."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"no key can be called {name!r}", hint="small letters, digits, _ and -, like work"
        )


def check_key(key: str) -> None:
    """Refuse what no header can carry, without showing it. Raises InvalidInput."""
    if not key or not (key.isascii() and key.isprintable()) or " " in key:
        raise InvalidInput(
            "this is no key", hint="it is printable ASCII without spaces, on one line"
        )


def variable_of(name: str) -> str:
    """The variable that wins over the file."""
    return _VARIABLES.get(name, f"CRUCIBLE_KEY_{name.upper().replace('-', '_')}")


def read_keys(path: Path, *, is_repaired: bool = False) -> dict[str, str]:
    """Every key by name; no message shows one.

    Raises InvalidInput for a file that others can read, unless it is about to be repaired.
    """
    content = read_small_file(path, is_private=not is_repaired)
    if content is None:
        return {}
    import tomllib  # noqa: PLC0415 -- costs 35 ms, and most people have no such file

    try:
        found = tomllib.loads(content.decode())
    except (ValueError, RecursionError):
        # a parser's complaint could quote a key
        raise FormatError.at(shown(path), None, "is no TOML in UTF-8") from None
    for name, key in found.items():
        if not _NAME.fullmatch(name) or not isinstance(key, str):
            raise FormatError.at(shown(path), None, 'wants lines like work = "…"')
    return found


def write_keys(path: Path, keys: Mapping[str, str]) -> None:
    """Write all of them. Raises InvalidInput."""
    lines = [f"{name} = {_quoted(key)}\n" for name, key in sorted(keys.items())]
    replace_private_file(path, "".join(lines).encode())


def _quoted(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
