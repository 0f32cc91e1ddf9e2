"""Instances that are lists, dictionaries or sets, too, read and written without their own code."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

#: the first that fits decides, since an `OrderedDict` that `dict` writes to loses its order
_BASES: tuple[Any, ...] = (OrderedDict, dict, list, set)


def base_of(kind: type) -> Any:
    """What a class of containers is made of; None for any other class, and for the base itself."""
    base = next((base for base in _BASES if issubclass(kind, base)), None)
    return None if base is kind else base


def empty(kind: type) -> Any:
    """A new instance that holds nothing."""
    return base_of(kind).__new__(kind)


def items_of(value: Any) -> list[Any]:
    """What it holds; of a dictionary the pairs."""
    base = base_of(type(value))
    return list(base.items(value) if issubclass(base, dict) else base.__iter__(value))


def refill(value: Any, items: Iterable[Any]) -> None:
    """Have it hold these instead."""
    base = base_of(type(value))
    base.clear(value)
    if issubclass(base, dict):
        for key, item in items:
            base.__setitem__(value, key, item)
    else:
        (base.extend if base is list else base.update)(value, items)
