"""JSON decoders that are safe to make in several threads at once.

msgspec describes a type when it first meets it and keeps the description on the type. Two threads
that meet the same type at once crash the process (seen with msgspec 0.22 on CPython 3.11); once a
type is described, with all the types of its fields, any number of threads may use it.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

Value = TypeVar("Value")

_lock = threading.Lock()
_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def decoder(kind: type[Value]) -> msgspec.json.Decoder[Value]:
    """This type's decoder; from now on `msgspec.convert` is safe with it too."""
    with _lock:
        if kind not in _decoders:
            _decoders[kind] = msgspec.json.Decoder(kind)
        return _decoders[kind]
