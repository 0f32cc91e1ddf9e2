"""What every process of a gang tells all others; one that is alone tells itself."""

from __future__ import annotations

from typing import TypeVar

from torch import distributed

Value = TypeVar("Value")


def told_by_all(value: Value) -> list[Value]:
    """Everybody's value, in the order of their ranks; each must ask."""
    if not distributed.is_initialized():
        return [value]
    values: list[Value] = [value] * distributed.get_world_size()
    distributed.all_gather_object(values, value)
    return values
