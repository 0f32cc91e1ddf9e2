"""Typed values over JSON: what crosses between a candidate and its driver.

Scalars and lists are plain JSON; everything else is an object with one key that names its type.
Exact types survive (tuple and list, int and bool, -0.0, NaN, integers of any size, lone
surrogates); a subclass arrives as its plain base, so its overridden methods stay behind. What is
not data arrives as a handle, and only the `Peer` decides what a handle may do.

Mutable containers are numbered in the order both sides meet them, within one call and its answer.
The numbers carry identity (`{"same": 3}`), shared and cyclic structure, and the way back of
changes made in place.
"""

from __future__ import annotations

import datetime
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol

_NONE = type(None)
_PLAIN = frozenset({_NONE, bool, int, float, str})
#: what json writes and reads without hitting Python's limit on digits, and in little time
_SMALL_INT = 1 << 63

_DICT_KEYS = type({}.keys())
_DICT_ITEMS = type({}.items())

#: builtins that may cross by name: each computes, none reaches outside the process
SAFE_BUILTINS = {
    name: getattr(__import__("builtins"), name)
    for name in (
        "abs all any ascii bin bool bytearray bytes callable chr complex dict divmod enumerate "
        "filter float format frozenset hash hex id int isinstance issubclass iter len list map max "
        "min next object oct ord pow print range repr reversed round set slice sorted str sum tuple "
        "type zip"
    ).split()
}
_BUILTIN_NAMES = {id(value): name for name, value in SAFE_BUILTINS.items()}


class ValueRefused(Exception):
    """A message that no honest peer sends."""


class Peer(Protocol):
    """One end of a channel: knows its own objects that crossed as handles, and the other's."""

    def export(self, value: object) -> dict[str, Any]:
        """Turn an object that is not data into a handle."""

    def resolve(self, tag: str, body: Any) -> object:
        """Turn a handle into what stands for it here. Raises ValueRefused."""

    def class_name(self, kind: type) -> str | None:
        """Name of a class both sides know, or None."""

    def known_class(self, name: str) -> type:
        """Our class of that name. Raises ValueRefused."""


class Encoder:
    """Values to JSON; numbers the mutable containers it meets."""

    def __init__(self, peer: Peer, table: list[Any] | None = None) -> None:
        self.peer = peer
        self.table: list[Any] = table if table is not None else []
        self._index = {id(value): number for number, value in enumerate(self.table)}

    def encode(self, value: Any) -> Any:
        """The JSON form of any value."""
        kind = type(value)
        if kind in _PLAIN:
            return _encode_plain(value, kind)
        encoder = _ENCODERS.get(kind)
        if encoder is not None:
            return encoder(self, value)
        return self._encode_other(value, kind)

    def encode_all(self, values: Iterable[Any]) -> list[Any]:
        """The JSON forms of several values."""
        return [self.encode(value) for value in values]

    def number(self, value: Any) -> dict[str, int] | None:
        """A reference if this container was met before; else remember it."""
        known = self._index.get(id(value))
        if known is not None:
            return {"same": known}
        self._index[id(value)] = len(self.table)
        self.table.append(value)
        return None

    def content(self, value: Any) -> Any:
        """What a numbered container holds now, nested containers as references."""
        if isinstance(value, dict):
            return [[self.encode(key), self.encode(item)] for key, item in dict.items(value)]
        if isinstance(value, bytearray):
            return bytes(value).decode("latin-1")
        if isinstance(value, (list, set, deque)):
            return self.encode_all(value)
        return self.encode_state(value)

    def encode_state(self, value: Any) -> list[Any]:
        """The attributes of an instance as pairs."""
        return [[name, self.encode(item)] for name, item in _state(value).items()]

    def _encode_other(self, value: Any, kind: type) -> Any:
        name = self.peer.class_name(kind)
        if name is not None and isinstance(value, tuple):
            return {"named": [name, self.encode_all(tuple.__iter__(value))]}
        if name is not None and not isinstance(value, _PLAIN_BASES):
            return self.number(value) or {"object": [name, self.encode_state(value)]}
        for base, encoder in _FLATTENED:
            if isinstance(value, base):
                return encoder(self, value)
        if kind.__module__ == "numpy":
            return _encode_numpy(value) or self.peer.export(value)
        return self.peer.export(value)


class Decoder:
    """JSON to values; numbers the mutable containers it builds in the encoder's order."""

    def __init__(self, peer: Peer, table: list[Any] | None = None) -> None:
        self.peer = peer
        self.table: list[Any] = table if table is not None else []

    def decode(self, body: Any) -> Any:
        """The value of a JSON form. Raises ValueRefused."""
        kind = type(body)
        if kind in _PLAIN:
            return body
        if kind is list:
            return self._decode_list(body)
        if len(body) != 1:
            raise ValueRefused("a tagged value has one tag")
        ((tag, inner),) = body.items()
        decoder = _DECODERS.get(tag)
        try:
            if decoder is not None:
                return decoder(self, inner)
            return self.peer.resolve(tag, inner)
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise ValueRefused(f"bad {tag}: {error}") from error

    def update(self, value: Any, content: Any) -> None:
        """Give a numbered container the content it has on the other side."""
        if isinstance(value, dict):
            pairs = [(self.decode(key), self.decode(item)) for key, item in content]
            value.clear()
            value.update(pairs)
        elif isinstance(value, bytearray):
            value[:] = content.encode("latin-1")
        elif isinstance(value, list):
            value[:] = [self.decode(item) for item in content]
        elif isinstance(value, (set, deque)):
            items = [self.decode(item) for item in content]
            value.clear()
            value.update(items) if isinstance(value, set) else value.extend(items)
        else:
            restore_state(value, [(name, self.decode(item)) for name, item in content])

    def _decode_list(self, body: list[Any]) -> list[Any]:
        self.table.append(body)
        if not set(map(type, body)) <= _PLAIN:
            for position, item in enumerate(body):
                if type(item) not in _PLAIN:
                    body[position] = self.decode(item)
        return body

    def build(self, value: Any, content: Any) -> Any:
        """Number a container before its content is decoded, as the encoder did."""
        self.table.append(value)
        self.update(value, content)
        return value


def restore_state(value: Any, pairs: Iterable[tuple[str, Any]]) -> None:
    """Set the attributes of an instance without running its code."""
    for name, item in pairs:
        if type(name) is not str:
            raise ValueRefused("attribute names are strings")
        object.__setattr__(value, name, item)


def _state(value: Any) -> dict[str, Any]:
    state = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                state[name] = getattr(value, name)
    return state


def _encode_plain(value: Any, kind: type) -> Any:
    if kind is int and not -_SMALL_INT <= value < _SMALL_INT:
        return {"int": hex(value)}
    if kind is str and not value.isascii():
        return _encode_text(value)
    return value


def _encode_text(value: str) -> Any:
    try:
        value.encode()
    except UnicodeEncodeError:
        # JSON would join two lone surrogates into one character
        return {"text": [ord(character) for character in value]}
    return value


def _encode_list(encoder: Encoder, value: list[Any]) -> Any:
    reference = encoder.number(value)
    if reference is not None:
        return reference
    return value if _is_flat(value) else encoder.encode_all(value)


def _is_flat(value: list[Any]) -> bool:
    """Whether json writes this list as it stands: the fast path for 200,000 integers."""
    kinds = set(map(type, value))
    if not kinds <= _PLAIN:
        return False
    if str in kinds:
        return kinds == {str} and all(map(str.isascii, value))
    if int in kinds and kinds <= {int, bool}:
        return -_SMALL_INT <= min(value) and max(value) < _SMALL_INT
    return int not in kinds


def _numbered(tag: str) -> Callable[[Encoder, Any], Any]:
    def encode(encoder: Encoder, value: Any) -> Any:
        return encoder.number(value) or {tag: encoder.content(value)}

    return encode


def _sequence(tag: str) -> Callable[[Encoder, Any], Any]:
    def encode(encoder: Encoder, value: Any) -> Any:
        return {tag: encoder.encode_all(value)}

    return encode


def _encode_deque(encoder: Encoder, value: Any) -> Any:
    return encoder.number(value) or {"deque": [value.maxlen, encoder.content(value)]}


def _encode_function(encoder: Encoder, value: Any) -> Any:
    name = _BUILTIN_NAMES.get(id(value))
    return {"builtin": name} if name is not None else encoder.peer.export(value)


def _encode_type(encoder: Encoder, value: Any) -> Any:
    name = _BUILTIN_NAMES.get(id(value))
    if name is not None:
        return {"builtin": name}
    if value.__module__ == "builtins" and issubclass(value, BaseException):
        return {"exception": value.__name__}
    return encoder.peer.export(value)


def _encode_module(encoder: Encoder, value: Any) -> Any:
    name = value.__name__
    is_standard = name.partition(".")[0] in sys.stdlib_module_names or name == "numpy"
    return {"module": name} if is_standard else encoder.peer.export(value)


def _encode_moment(_encoder: Encoder, value: Any) -> Any:
    if getattr(value, "tzinfo", None) is not None:
        return _encoder.peer.export(value)
    if isinstance(value, datetime.timedelta):
        return {"timedelta": [value.days, value.seconds, value.microseconds]}
    kind = next(
        kind
        for kind in (datetime.datetime, datetime.date, datetime.time)
        if isinstance(value, kind)
    )
    return {kind.__name__: kind.isoformat(value)}


def _encode_numpy(value: Any) -> Any:
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.generic) and value.dtype.kind in "biufc":
        return {"scalar": [value.dtype.str, value.tobytes().hex()]}
    if type(value) is numpy.ndarray and value.dtype.kind in "biufcU":
        return {"array": [value.dtype.str, list(value.shape), value.tobytes().hex()]}
    return None


_ENCODERS: dict[type, Callable[[Encoder, Any], Any]] = {
    list: _encode_list,
    tuple: _sequence("tuple"),
    dict: _numbered("dict"),
    set: _numbered("set"),
    frozenset: _sequence("frozenset"),
    bytes: lambda _, value: {"bytes": value.decode("latin-1")},
    bytearray: _numbered("bytearray"),
    complex: lambda _, value: {"complex": [value.real, value.imag]},
    range: lambda _, value: {"range": [value.start, value.stop, value.step]},
    slice: lambda encoder, value: {
        "slice": encoder.encode_all((value.start, value.stop, value.step))
    },
    deque: _encode_deque,
    Decimal: lambda _, value: {"decimal": str(value)},
    Fraction: lambda _, value: {"fraction": [hex(value.numerator), hex(value.denominator)]},
    datetime.datetime: _encode_moment,
    datetime.date: _encode_moment,
    datetime.time: _encode_moment,
    datetime.timedelta: _encode_moment,
    type(...): lambda _encoder, _value: {"constant": "Ellipsis"},
    type(NotImplemented): lambda _encoder, _value: {"constant": "NotImplemented"},
    _DICT_KEYS: _sequence("keys"),
    _DICT_ITEMS: _sequence("items"),
    types.BuiltinFunctionType: _encode_function,
    types.ModuleType: _encode_module,
    type: _encode_type,
}

#: subclasses arrive as the plain base; the first base that fits decides
_FLATTENED: tuple[tuple[type, Callable[[Encoder, Any], Any]], ...] = (
    (bool, lambda _, value: value),
    (int, lambda _, value: _encode_plain(int.__add__(value, 0), int)),
    # times 1.0 keeps -0.0 and NaN
    (float, lambda _, value: float.__mul__(value, 1.0)),
    (str, lambda _, value: _encode_plain(str.__str__(value), str)),
    (bytes, lambda _, value: {"bytes": bytes.decode(value, "latin-1")}),
    (bytearray, _numbered("bytearray")),
    (tuple, lambda encoder, value: {"tuple": encoder.encode_all(tuple.__iter__(value))}),
    (
        list,
        lambda encoder, value: encoder.number(value) or encoder.encode_all(list.__iter__(value)),
    ),
    (dict, _numbered("dict")),
    (set, lambda encoder, value: encoder.number(value) or {"set": encoder.encode_all(set(value))}),
    (frozenset, lambda encoder, value: {"frozenset": encoder.encode_all(frozenset(value))}),
    (complex, lambda _, value: {"complex": [value.real, value.imag]}),
    (deque, _encode_deque),
    (Decimal, lambda _, value: {"decimal": Decimal.__str__(value)}),
    (datetime.timedelta, _encode_moment),
    (datetime.date, _encode_moment),
    (datetime.time, _encode_moment),
    (type, _encode_type),
)

_PLAIN_BASES = tuple(base for base, _ in _FLATTENED)
_CONSTANTS = {"Ellipsis": ..., "NotImplemented": NotImplemented}


def _decode_deque(decoder: Decoder, body: Any) -> Any:
    length, content = body
    return decoder.build(deque(maxlen=length), content)


def _decode_object(decoder: Decoder, body: Any) -> Any:
    name, content = body
    kind = decoder.peer.known_class(name)
    return decoder.build(kind.__new__(kind), content)


def _decode_named(decoder: Decoder, body: Any) -> Any:
    name, items = body
    kind = decoder.peer.known_class(name)
    if not issubclass(kind, tuple):
        raise ValueRefused(f"{name} is no tuple")
    return tuple.__new__(kind, [decoder.decode(item) for item in items])


def _decode_module(_decoder: Decoder, name: str) -> Any:
    if name.partition(".")[0] not in sys.stdlib_module_names and name != "numpy":
        raise ValueRefused(f"module {name}")
    __import__(name)
    return sys.modules[name]


def _decode_exception(_decoder: Decoder, name: str) -> Any:
    kind = getattr(__import__("builtins"), name)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        raise ValueRefused(name)
    return kind


def _decode_scalar(_decoder: Decoder, body: Any) -> Any:
    import numpy

    kind, data = body
    return numpy.frombuffer(bytes.fromhex(data), dtype=_numpy_type(kind))[0]


def _decode_array(_decoder: Decoder, body: Any) -> Any:
    import numpy

    kind, shape, data = body
    flat = numpy.frombuffer(bytes.fromhex(data), dtype=_numpy_type(kind))
    return flat.reshape(shape).copy()


def _numpy_type(name: str) -> Any:
    import numpy

    kind = numpy.dtype(name)
    if kind.kind not in "biufcU":
        raise ValueRefused(f"dtype {name}")
    return kind


_DECODERS: dict[str, Callable[[Decoder, Any], Any]] = {
    "same": lambda decoder, body: decoder.table[body],
    "int": lambda _, body: int(body, 16),
    "text": lambda _, body: "".join(map(chr, body)),
    "tuple": lambda decoder, body: tuple([decoder.decode(item) for item in body]),
    "frozenset": lambda decoder, body: frozenset([decoder.decode(item) for item in body]),
    "dict": lambda decoder, body: decoder.build({}, body),
    "set": lambda decoder, body: decoder.build(set(), body),
    "bytearray": lambda decoder, body: decoder.build(bytearray(), body),
    "bytes": lambda _, body: body.encode("latin-1"),
    "complex": lambda _, body: complex(*body),
    "range": lambda _, body: range(*body),
    "slice": lambda decoder, body: slice(*[decoder.decode(item) for item in body]),
    "deque": _decode_deque,
    "decimal": lambda _, body: Decimal(body),
    "fraction": lambda _, body: Fraction(int(body[0], 16), int(body[1], 16)),
    "datetime": lambda _, body: datetime.datetime.fromisoformat(body),
    "date": lambda _, body: datetime.date.fromisoformat(body),
    "time": lambda _, body: datetime.time.fromisoformat(body),
    "timedelta": lambda _, body: datetime.timedelta(*body),
    "constant": lambda _, body: _CONSTANTS[body],
    "keys": lambda decoder, body: dict.fromkeys([decoder.decode(item) for item in body]).keys(),
    "items": lambda decoder, body: dict([decoder.decode(item) for item in body]).items(),
    "builtin": lambda _, body: SAFE_BUILTINS[body],
    "exception": _decode_exception,
    "module": _decode_module,
    "object": _decode_object,
    "named": _decode_named,
    "scalar": _decode_scalar,
    "array": _decode_array,
}
