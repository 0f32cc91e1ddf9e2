"""Expected values from a reference program, and EvalPlus' ways to compare with them.

The rules of every oracle stand in `crucible_tasks.challenges.evalplus`.
"""

from __future__ import annotations

import cmath
import copy
import math
import reprlib
from collections.abc import Callable, Iterator
from typing import Any

_FLOAT_TOLERANCE = 1e-6
_RELATIVE_TOLERANCE = 1e-7
#: larger ones are objects to numpy, which it cannot compare
_NUMPY_INTEGERS = range(-(1 << 63), 1 << 64)


class OracleMismatch(Exception):
    """An answer differs from the reference's."""


def expected_results(body: dict[str, Any], entry_point: str) -> list[tuple[list[Any], Any]]:
    """Each input with the reference's answer to it."""
    reference: dict[str, Any] = {"__name__": "reference"}
    exec(compile(body["reference"], "<reference>", "exec", dont_inherit=True), reference)
    inputs = eval(body["inputs"], {"inf": math.inf, "nan": math.nan})
    function = reference[entry_point]
    return [(arguments, function(*copy.deepcopy(arguments))) for arguments in inputs]


def check_oracle(
    function: Callable[..., Any], expected: list[tuple[list[Any], Any]], body: dict[str, Any]
) -> None:
    """Compare a candidate's answers one by one. Raises OracleMismatch at the first difference."""
    agrees = _ORACLES[body["oracle"]]
    tolerance = body["absolute_tolerance"]
    for arguments, wanted in expected:
        # the copy keeps a program from changing what the next comparison reads
        answer = function(*copy.deepcopy(arguments))
        if not agrees(answer, wanted, arguments, tolerance):
            called = ", ".join(map(reprlib.repr, arguments))
            raise OracleMismatch(
                f"f({called}) returned {reprlib.repr(answer)}, expected {reprlib.repr(wanted)}"
            )


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
