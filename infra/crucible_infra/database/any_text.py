"""A text column that holds any Python string and gives it back unchanged."""

from __future__ import annotations

import re

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

#: Postgres refuses NUL in text, and neither engine can encode half a surrogate pair; models emit
#: both. They are written as this rare control character and a hexadecimal number of four digits.
_ESCAPE = "\x10"

_UNSTORABLE = re.compile("[\x00\x10\ud800-\udfff]")
_ESCAPED = re.compile("\x10([0-9a-f]{4})")


class AnyText(TypeDecorator[str]):
    """Text that is stored as it is, but for what a database cannot store."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape on the way in."""
        del dialect
        if value is None:
            return None
        return _UNSTORABLE.sub(lambda match: f"{_ESCAPE}{ord(match[0]):04x}", value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Put the characters back on the way out."""
        del dialect
        if value is None or _ESCAPE not in value:
            return value
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)
