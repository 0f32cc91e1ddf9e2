"""Values cross between candidate and driver exactly; nothing else does."""

from __future__ import annotations

import json
import math
from collections import Counter, OrderedDict, deque, namedtuple
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible_workers.sandbox.prison.values import Decoder, Encoder, ValueRefused


class Ends:
    """Both ends of a channel that know no class and give no object away."""

    def __init__(self) -> None:
        self.exported: list[Any] = []

    def export(self, value: object) -> dict[str, Any]:
        self.exported.append(value)
        return {"handle": [len(self.exported) - 1, "object"]}

    def resolve(self, tag: str, body: Any) -> object:
        if tag != "handle":
            raise ValueRefused(tag)
        return self.exported[body[0]]

    def class_name(self, kind: type) -> str | None:
        del kind

    def known_class(self, name: str) -> type:
        raise ValueRefused(name)


def _cross(value: Any) -> Any:
    ends = Ends()
    crossed = Decoder(ends).decode(json.loads(json.dumps(Encoder(ends).encode(value))))
    assert ends.exported == []
    return crossed


def _exactly(left: Any, right: Any) -> bool:
    """Equal in value, in type and in every part."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        if math.isnan(left) or math.isnan(right):
            # the sign of a NaN means nothing (IEEE 754, 6.3) and JSON has one NaN
            return math.isnan(left) and math.isnan(right)
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    if isinstance(left, dict):
        return _exactly(list(left.items()), list(right.items()))
    if isinstance(left, list | tuple | deque):
        return len(left) == len(right) and all(map(_exactly, left, right))
    return bool(left == right)


_HASHABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**62, max_value=2**66)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=[]))
    | st.binary()
    | st.complex_numbers(allow_nan=False)
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.dates()
    | st.datetimes()
    | st.times()
    | st.timedeltas(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
_VALUES = st.recursive(
    _HASHABLE | st.floats(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner)
        | st.dictionaries(_HASHABLE, inner, max_size=4)
        | st.sets(_HASHABLE, max_size=4)
        | st.builds(deque, st.lists(inner, max_size=3))
    ),
    max_leaves=12,
)


@given(_VALUES)
@settings(max_examples=300, deadline=None)
def test_nested_plain_data_arrives_exactly(value: Any) -> None:
    assert _exactly(_cross(value), value)


@pytest.mark.parametrize(
    "value",
    [
        1 << 20_000,
        -(2**63) - 1,
        2**63,
        True,
        -0.0,
        math.inf,
        "\ud83d\ude00",
        "\ud83d",
        "é",
        b"\xff",
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_would_change_arrives_exactly(value: Any) -> None:
    assert _exactly(_cross(value), value)
    assert _exactly(_cross([value, value]), [value, value])


def test_identity_and_cycles_survive() -> None:
    inner: list[Any] = [1]
    value: list[Any] = [inner, inner, {"a": inner}]
    value.append(value)

    crossed = _cross(value)

    assert crossed[0] is crossed[1] is crossed[2]["a"]
    assert crossed[3] is crossed


def test_equal_lists_stay_two() -> None:
    crossed = _cross([[1], [1]])

    assert crossed[0] is not crossed[1]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (namedtuple("P", "x y")(1, 2), (1, 2)),  # noqa: PYI024 -- what programs write
        (type("Str", (str,), {"__eq__": lambda *_: True, "__hash__": str.__hash__})("a"), "a"),
        (type("Int", (int,), {"__add__": lambda *_: 7, "__eq__": lambda *_: True})(5), 5),
        (type("List", (list,), {"__iter__": lambda _: iter([9])})([1]), [1]),
        (type("Float", (float,), {"__mul__": lambda *_: 7.0})(0.5), 0.5),
    ],
)
def test_a_subclass_arrives_as_its_plain_base(value: Any, plain: Any) -> None:
    assert _exactly(_cross(value), plain)


@pytest.mark.parametrize("kind", ["int8", "int64", "uint8", "float32", "float64", "complex128"])
def test_numpy_scalars_keep_their_type(kind: str) -> None:
    value = np.dtype(kind).type(3)
    crossed = _cross(value)

    assert type(crossed) is type(value)
    assert crossed == value


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6).reshape(2, 3),
        np.array([]),
        np.array([[1.5, np.nan]]),
        np.array(["a", "bc"]),
        np.array([True]),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
    ],
)
def test_numpy_arrays_arrive_exactly(value: Any) -> None:
    crossed = _cross(value)

    assert (crossed.dtype, crossed.shape) == (value.dtype, value.shape)
    np.testing.assert_array_equal(crossed, value)


@pytest.mark.parametrize(
    "value", [object(), np.array([object()]), datetime.now(UTC), lambda: 0, Ends]
)
def test_what_is_no_data_becomes_a_handle(value: Any) -> None:
    ends = Ends()
    assert Decoder(ends).decode(Encoder(ends).encode(value)) is value
    assert len(ends.exported) == 1


def test_changes_in_place_find_their_way_back() -> None:
    argument: dict[str, Any] = {"a": [1], "b": {2}, "c": bytearray(b"x"), "d": deque([1])}
    sender, receiver = Encoder(Ends()), Decoder(Ends())
    there = receiver.decode(json.loads(json.dumps(sender.encode(argument))))
    there["a"].append(there)
    there["b"].clear()
    there["c"].extend(b"y")
    there["d"].appendleft(0)

    answer = Encoder(Ends(), list(receiver.table))
    changes = [[number, answer.content(value)] for number, value in enumerate(receiver.table)]
    back = Decoder(Ends(), sender.table)
    for number, content in json.loads(json.dumps(changes)):
        back.update(back.table[number], content)

    assert argument["a"][1] is argument
    assert (argument["b"], argument["c"], argument["d"]) == (set(), b"xy", deque([0, 1]))


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"a": 1, "b": 2},
        {"pickle": "x"},
        {"same": 5},
        {"int": "zz"},
        {"module": "os; exit"},
        {"module": "crucible_workers"},
        {"builtin": "eval"},
        {"builtin": "open"},
        {"exception": "print"},
        {"array": ["O", [1], "00" * 8]},
        {"scalar": ["<f8", "00"]},
        {"decimal": []},
        {"fraction": ["0x1", "0x0"]},
        {"object": ["Secret", []]},
        {"tuple": 5},
        {"dict": [[1]]},
        {"set": [[1]]},
    ],
)
def test_what_no_honest_end_sends_is_refused(message: Any) -> None:
    with pytest.raises(ValueRefused):
        Decoder(Ends()).decode(message)


def test_a_large_flat_list_costs_little() -> None:
    value = list(range(200_000))
    encoder = Encoder(Ends())

    # the very list: nothing is walked item by item
    assert encoder.encode(value) is value


def test_standard_values_keep_their_text() -> None:
    value = [Decimal("1.10"), Fraction(1, 3), date(2024, 2, 29), timedelta(-1, 5)]

    assert list(map(str, _cross(value))) == list(map(str, value))


class _Tally(dict[str, Any]):
    """Items and attributes, and code of its own that nothing here runs."""

    def __setitem__(self, key: str, value: Any) -> None:
        raise AssertionError(key)

    def __iter__(self) -> Any:
        raise AssertionError


class _Point:
    pass


class _Knowing(Ends):
    """Both ends know the classes of this file."""

    def class_name(self, kind: type) -> str | None:
        return kind.__name__ if kind in (_Tally, _Point) else None

    def known_class(self, name: str) -> type:
        return {"_Tally": _Tally, "_Point": _Point}[name]


def test_a_class_of_containers_is_made_of_what_it_holds_and_of_attributes() -> None:
    peer = _Knowing()
    tally = _Tally({"a": [1]})
    tally.last = tally
    table: list[Any] = []

    body = Encoder(peer, table).encode(tally)
    copy = Decoder(peer).decode(json.loads(json.dumps(body)))

    assert type(copy) is _Tally
    assert dict.__eq__(copy, {"a": [1]})
    assert copy.last is copy
    del copy.last
    dict.__setitem__(copy, "b", 2)
    Decoder(peer, table).update(tally, Encoder(peer).content(copy))
    assert dict.__eq__(tally, {"a": [1], "b": 2})
    assert vars(tally) == {}


def test_no_attribute_makes_an_object_another_class() -> None:
    with pytest.raises(ValueRefused, match="none is the class"):
        Decoder(_Knowing()).decode({"object": ["_Point", [["__class__", {"builtin": "int"}]]]})
