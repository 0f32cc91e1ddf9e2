"""Python types of MBPP+ arguments that JSON cannot hold: tuples, sets and complex numbers.

Which task takes which types is EvalPlus' own knowledge and stands in no field of its rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Cast = Callable[[Any], Any]


def _kept(value: Any) -> Any:
    return value


def _list_of_tuples(value: Any) -> Any:
    return [tuple(item) for item in value]


def _tuple_of_tuples(value: Any) -> Any:
    return tuple(tuple(item) for item in value)


def _tuple_of_some_tuples(value: Any) -> Any:
    return tuple(tuple(item) if isinstance(item, list) else item for item in value)


def _tuples_throughout(value: Any) -> Any:
    return tuple(map(_tuples_throughout, value)) if isinstance(value, list) else value


def _list_of_sets(value: Any) -> Any:
    # what JSON lost of an empty set is published as an empty dict
    return [set(item) if isinstance(item, list) and item else {} for item in value]


def _dict_of_tuples(value: Any) -> Any:
    return {key: tuple(item) for key, item in value.items()}


@dataclass(frozen=True, slots=True)
class _Signature:
    """How the first argument and the others are read."""

    first: Cast
    others: Cast
    tasks: tuple[int, ...]


_SIGNATURES = (
    _Signature(
        tuple,
        tuple,
        (
            *(2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424),
            *(429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809),
        ),
    ),
    _Signature(
        _list_of_tuples,
        _list_of_tuples,
        (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780),
    ),
    _Signature(_list_of_tuples, _kept, (75, 413, 444, 753)),
    _Signature(_kept, tuple, (106, 750)),
    _Signature(tuple, _kept, (250, 307, 405, 446, 617, 720, 763, 808)),
    _Signature(_tuple_of_tuples, _tuple_of_tuples, (259, 401, 445)),
    _Signature(_tuple_of_some_tuples, _kept, (278,)),
    _Signature(_tuples_throughout, _tuples_throughout, (580, 615, 791)),
    _Signature(_list_of_sets, _kept, (115,)),
    _Signature(_dict_of_tuples, _kept, (722,)),
    _Signature(float, complex, (124,)),
    _Signature(complex, complex, (252,)),
)
_BY_TASK = {task: signature for signature in _SIGNATURES for task in signature.tasks}


def with_python_types(task: int, arguments: list[Any]) -> list[Any]:
    """Give one list of arguments the types that MBPP task number `task` takes."""
    signature = _BY_TASK.get(task)
    if signature is None:
        return arguments
    return [
        (signature.others if position else signature.first)(argument)
        for position, argument in enumerate(arguments)
    ]
