"""Expected values from a reference program, and EvalPlus' ways to compare with them.

The rules of every oracle stand in `crucible_tasks.challenges.evalplus`.
"""

from __future__ import annotations

import cmath
import copy
import math
import reprlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from .frames import to_json
from .remote import Channel, RemoteCallable
from .requests import digest_of, request_of
from .values import Encoder, ValueRefused

_FLOAT_TOLERANCE = 1e-6
_RELATIVE_TOLERANCE = 1e-7
#: larger ones are objects to numpy, which it cannot compare
_NUMPY_INTEGERS = range(-(1 << 63), 1 << 64)


class OracleMismatch(Exception):
    """An answer differs from the reference's."""


@dataclass(frozen=True)
class Case:
    """One input, the reference's answer, and both as they cross the channel."""

    arguments: list[Any]
    wanted: Any
    request: bytes
    #: the answer that is right without being read; None where equal bytes prove nothing
    answer: bytes | None


class Oracle:
    """The reference's answers to every input, and how an answer is compared with them."""

    def __init__(self, body: dict[str, Any], entry_point: str) -> None:
        self._agrees = _ORACLES[body["oracle"]]
        self._tolerance = body["absolute_tolerance"]
        self._cases = [
            _case(arguments, wanted) for arguments, wanted in _expected_results(body, entry_point)
        ]
        #: what every candidate is asked, in this order
        self.requests = [case.request for case in self._cases]

    def check(self, function: Callable[..., Any]) -> None:
        """Compare a candidate's answers one by one. Raises OracleMismatch at the first wrong."""
        for case in self._cases:
            answer = self._ask(function, case)
            if answer is _RIGHT:
                continue
            if not self._agrees(answer, case.wanted, case.arguments, self._tolerance):
                called = ", ".join(map(reprlib.repr, case.arguments))
                raise OracleMismatch(
                    f"f({called}) returned {reprlib.repr(answer)}, "
                    f"expected {reprlib.repr(case.wanted)}"
                )

    @staticmethod
    def _ask(function: Callable[..., Any], case: Case) -> Any:
        if not (isinstance(function, RemoteCallable) and vars(function)["_number"] == 0):
            # a builtin, or an object of a program that defines its function in an odd way; the copy
            # keeps it from changing what the next comparison reads
            return function(*copy.deepcopy(case.arguments))
        channel: Channel = vars(function)["_channel"]
        frame = channel.try_call(case.request)
        return _RIGHT if frame == case.answer else channel.decode_answer(frame)


def _case(arguments: list[Any], wanted: Any) -> Case:
    asked = request_of("try", 0, (), Encoder(_NOBODY).encode_all(arguments), [])
    try:
        body = Encoder(_NOBODY).encode(wanted)
        digest = digest_of(body)
        answer = to_json(["digest", digest] if digest else ["return", body, []])
    except ValueRefused:
        return Case(arguments, wanted, asked, None)
    # not even equal to itself
    has_nan = _has_nan(body)
    return Case(arguments, wanted, asked, None if has_nan else answer)


def _has_nan(body: Any) -> bool:
    if isinstance(body, dict):
        return any(map(_has_nan, body.values()))
    return any(map(_has_nan, body)) if isinstance(body, list) else body != body  # noqa: PLR0124


class _Nobody:
    """A peer without objects: what is no data has no bytes."""

    def export(self, value: object) -> NoReturn:
        raise ValueRefused(type(value).__name__)

    def resolve(self, tag: str, _body: Any) -> NoReturn:
        raise ValueRefused(tag)

    def class_name(self, _kind: type) -> None:
        return None

    def known_class(self, name: str) -> NoReturn:
        raise ValueRefused(name)


_NOBODY = _Nobody()
_RIGHT = object()


def _expected_results(body: dict[str, Any], entry_point: str) -> list[tuple[list[Any], Any]]:
    """Each input with the reference's answer to it."""
    reference: dict[str, Any] = {"__name__": "reference"}
    exec(compile(body["reference"], "<reference>", "exec", dont_inherit=True), reference)
    inputs = eval(body["inputs"], {"inf": math.inf, "nan": math.nan})
    function = reference[entry_point]
    return [(arguments, function(*copy.deepcopy(arguments))) for arguments in inputs]


def _equal(answer: Any, wanted: Any, _arguments: Any, tolerance: float) -> bool:
    if answer == wanted:
        return True
    if tolerance == 0 and _is_floats(wanted):
        tolerance = _FLOAT_TOLERANCE
    return tolerance > 0 and type(answer) is type(wanted) and _is_close(answer, wanted, tolerance)


def _is_floats(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(item, float) for item in value)
    if type(value).__module__ == "numpy" and type(value).__name__ == "ndarray":
        return value.dtype.name in ("float64", "float32")
    return isinstance(value, float)


def _is_close(answer: Any, wanted: Any, tolerance: float) -> bool:
    """The comparison of numpy.allclose(answer, wanted, rtol=1e-7, atol=tolerance).

    Unlike numpy, shapes must be equal: nothing is broadcast.
    """
    answer, wanted = _plain(answer), _plain(wanted)
    shape = _shape(wanted)
    if shape is None or _shape(answer) != shape:
        return False
    return all(
        _is_close_number(left, right, tolerance)
        for left, right in zip(_leaves(answer), _leaves(wanted), strict=True)
    )


def _is_close_number(answer: Any, wanted: Any, tolerance: float) -> bool:
    if answer == wanted:
        return True
    # an infinity is close to itself only: its own tolerance would be infinite
    if not (cmath.isfinite(answer) and cmath.isfinite(wanted)):
        return False
    return bool(abs(answer - wanted) <= tolerance + _RELATIVE_TOLERANCE * abs(wanted))


def _plain(value: Any) -> Any:
    """Scalars and arrays of numpy as Python's numbers and lists."""
    return value.tolist() if type(value).__module__ == "numpy" else value


def _shape(value: Any) -> tuple[int, ...] | None:
    """As numpy has it; None for what it cannot compare as numbers, ragged lists included."""
    if not isinstance(value, (list, tuple)):
        return () if _is_number(value) else None
    shapes = {_shape(_plain(item)) for item in value}
    if len(shapes) > 1 or None in shapes:
        return None
    return (len(value), *(shapes.pop() or ())) if shapes else (0,)


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return value in _NUMPY_INTEGERS
    return isinstance(value, (float, complex))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(_plain(item))
    else:
        yield value


def _sets(answer: Any, wanted: Any, arguments: Any, tolerance: float) -> bool:
    try:
        if set(answer) == set(wanted):
            return True
    except TypeError:
        return False
    return _equal(answer, wanted, arguments, tolerance)


def _not_none(answer: Any, wanted: Any, _arguments: Any, _tolerance: float) -> bool:
    is_found = wanted is not None
    return answer is is_found if isinstance(answer, bool) else (answer is not None) is is_found


def _polynomial_root(answer: Any, _wanted: Any, arguments: Any, tolerance: float) -> bool:
    value = sum(factor * math.pow(answer, power) for power, factor in enumerate(arguments[0]))
    return bool(abs(value) <= tolerance)


def _anything(*_: Any) -> bool:
    return True


def _sum_div(answer: Any, wanted: Any, arguments: Any, tolerance: float) -> bool:
    return answer == 0 or _equal(answer, wanted, arguments, tolerance)


def _surface_area(answer: Any, wanted: Any, arguments: Any, tolerance: float) -> bool:
    if _equal(answer, wanted, arguments, tolerance):
        return True
    base, height = arguments
    other = round(base**2 + 2 * base * math.sqrt((base / 2) ** 2 + height**2))
    return isinstance(answer, (int, float)) and abs(answer - other) <= tolerance


def _digit_distance(answer: Any, wanted: Any, arguments: Any, tolerance: float) -> bool:
    if _equal(answer, wanted, arguments, tolerance):
        return True
    first, second = map(str, arguments)
    width = max(len(first), len(second))
    pairs = zip(first.zfill(width), second.zfill(width), strict=True)
    return bool(answer == sum(abs(int(left) - int(right)) for left, right in pairs))


_ORACLES: dict[str, Callable[[Any, Any, Any, float], bool]] = {
    "equal": _equal,
    "set": _sets,
    "not_none": _not_none,
    "polynomial_root": _polynomial_root,
    "are_equivalent": _anything,
    "sum_div": _sum_div,
    "surface_area": _surface_area,
    "digit_distance": _digit_distance,
}
