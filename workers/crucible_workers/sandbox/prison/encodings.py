"""How each type crosses: the tables behind `values`, one entry per type and tag."""

from __future__ import annotations

import builtins
import contextlib
import datetime as dt
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from .mixtures import base_of, empty

if TYPE_CHECKING:
    from .values import Decoder, Encoder

_NONE = type(None)
PLAIN = frozenset({_NONE, bool, int, float, str})
#: what json writes and reads without hitting Python's limit on digits, and in little time
_SMALL_INT = 1 << 63

_DICT_KEYS: type = type({}.keys())
_DICT_ITEMS: type = type({}.items())

#: builtins that may cross by name: each computes, none reaches outside the process
SAFE_BUILTINS = {
    name: getattr(builtins, name)
    for name in (
        "abs all any ascii bin bool bytearray bytes callable chr complex dict divmod enumerate "
        "filter float format frozenset hash hex id int isinstance issubclass iter len list map max "
        "min next object oct ord pow print range repr reversed round set slice sorted str sum "
        "tuple type zip"
    ).split()
}
_BUILTIN_NAMES = {id(value): name for name, value in SAFE_BUILTINS.items()}


class ValueRefused(Exception):
    """A message that no honest peer sends."""


def restore_state(value: Any, pairs: Iterable[tuple[str, Any]]) -> None:
    """Set the attributes of an instance without running its code."""
    for name, item in pairs:
        if type(name) is not str or name == "__class__":
            raise ValueRefused("attribute names are strings, and none is the class")
        object.__setattr__(value, name, item)


def drop_state(value: Any, kept: set[Any]) -> None:
    """Remove the attributes of an instance that are not to be kept."""
    for name in state_of(value).keys() - kept:
        # a slot of a class that somebody has sealed
        with contextlib.suppress(AttributeError):
            object.__delattr__(value, name)


def state_of(value: Any) -> dict[str, Any]:
    """The attributes of an instance, in its dictionary and its slots."""
    state = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                state[name] = getattr(value, name)
    return state


def encode_plain(value: Any, kind: type) -> Any:
    """A scalar as JSON holds it, or tagged where JSON would change it."""
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
    if not kinds <= PLAIN:
        return False
    if str in kinds:
        return kinds == {str} and all(map(str.isascii, value))
    if int in kinds and kinds <= {int, bool}:
        return bool(min(value) >= -_SMALL_INT and max(value) < _SMALL_INT)
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


def _encode_export(encoder: Encoder, value: Any) -> Any:
    return encoder.peer.export(value)


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
    if isinstance(value, dt.timedelta):
        return {"timedelta": [value.days, value.seconds, value.microseconds]}
    kind = next(kind for kind in (dt.datetime, dt.date, dt.time) if isinstance(value, kind))
    return {kind.__name__: kind.isoformat(value)}


def encode_numpy(value: Any) -> Any:
    """A numpy scalar or array of numbers or text by its bytes; None for any other."""
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.generic) and value.dtype.kind in "biufc":
        return {"scalar": [value.dtype.str, value.tobytes().hex()]}
    if type(value) is numpy.ndarray and value.dtype.kind in "biufcU":
        return {"array": [value.dtype.str, list(value.shape), value.tobytes().hex()]}
    return None


ENCODERS: dict[type, Callable[[Encoder, Any], Any]] = {
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
    dt.datetime: _encode_moment,
    dt.date: _encode_moment,
    dt.time: _encode_moment,
    dt.timedelta: _encode_moment,
    type(...): lambda _encoder, _value: {"constant": "Ellipsis"},
    type(NotImplemented): lambda _encoder, _value: {"constant": "NotImplemented"},
    _DICT_KEYS: _sequence("keys"),
    _DICT_ITEMS: _sequence("items"),
    types.BuiltinFunctionType: _encode_function,
    # before the plain bases, which a function is none of, are looked through
    types.FunctionType: _encode_export,
    types.ModuleType: _encode_module,
    type: _encode_type,
}

#: subclasses arrive as the plain base; the first base that fits decides
FLATTENED: tuple[tuple[type, Callable[[Encoder, Any], Any]], ...] = (
    (bool, lambda _, value: value),
    (int, lambda _, value: encode_plain(int.__add__(value, 0), int)),
    # times 1.0 keeps -0.0 and NaN
    (float, lambda _, value: float.__mul__(value, 1.0)),
    (str, lambda _, value: encode_plain(str.__str__(value), str)),
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
    (dt.timedelta, _encode_moment),
    (dt.date, _encode_moment),
    (dt.time, _encode_moment),
    (type, _encode_type),
)

PLAIN_BASES = tuple(base for base, _ in FLATTENED)
_CONSTANTS = {"Ellipsis": ..., "NotImplemented": NotImplemented}


def _decode_deque(decoder: Decoder, body: Any) -> Any:
    length, content = body
    return decoder.build(deque(maxlen=length), content)


def _decode_object(decoder: Decoder, body: Any) -> Any:
    name, content = body
    kind = decoder.peer.known_class(name)
    return decoder.build(object.__new__(kind), content)


def _decode_mixture(decoder: Decoder, body: Any) -> Any:
    name, content = body
    kind = decoder.peer.known_class(name)
    if base_of(kind) is None:
        raise ValueRefused(f"{name} is no container")
    return decoder.build(empty(kind), content)


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
    kind = getattr(builtins, name)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        raise ValueRefused(name)
    return kind


def _decode_scalar(_decoder: Decoder, body: Any) -> Any:
    import numpy as np

    kind, data = body
    return np.frombuffer(bytes.fromhex(data), dtype=_numpy_type(kind))[0]


def _decode_array(_decoder: Decoder, body: Any) -> Any:
    import numpy as np

    kind, shape, data = body
    flat = np.frombuffer(bytes.fromhex(data), dtype=_numpy_type(kind))
    return flat.reshape(shape).copy()


def _numpy_type(name: str) -> Any:
    import numpy as np

    kind = np.dtype(name)
    if kind.kind not in "biufcU":
        raise ValueRefused(f"dtype {name}")
    return kind


DECODERS: dict[str, Callable[[Decoder, Any], Any]] = {
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
    "datetime": lambda _, body: dt.datetime.fromisoformat(body),
    "date": lambda _, body: dt.date.fromisoformat(body),
    "time": lambda _, body: dt.time.fromisoformat(body),
    "timedelta": lambda _, body: dt.timedelta(*body),
    "constant": lambda _, body: _CONSTANTS[body],
    "keys": lambda decoder, body: dict.fromkeys([decoder.decode(item) for item in body]).keys(),
    "items": lambda decoder, body: dict([decoder.decode(item) for item in body]).items(),
    "builtin": lambda _, body: SAFE_BUILTINS[body],
    "exception": _decode_exception,
    "module": _decode_module,
    "object": _decode_object,
    "mixture": _decode_mixture,
    "named": _decode_named,
    "scalar": _decode_scalar,
    "array": _decode_array,
}
