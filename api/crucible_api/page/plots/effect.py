"""An effect and its interval as a small bar, drawn by the server as SVG."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_tasks.comparison import Comparison

#: half the width of the drawing, and what is left free at its ends
_HALF = 150.0
_EDGE = 10.0

#: of an effect; a smaller one would fill the whole bar
_LEAST_REACH = 0.05


@dataclass(frozen=True, slots=True)
class Bar:
    """Where things lie from left to right, and what both ends stand for."""

    low: float
    middle: float
    high: float
    zero: float
    width: float
    #: in points of pass@k
    reach: float
    text: str


def bar(found: Comparison) -> Bar | None:
    """The bar of a comparison, 0 in its middle; None where nothing can be said."""
    if found.reason is not None:
        return None
    reach = max(_LEAST_REACH, abs(found.low), abs(found.high))
    low, middle, high = (
        round(_HALF + value / reach * (_HALF - _EDGE), 1)
        for value in (found.low, found.effect, found.high)
    )
    interval = f"{100 * found.low:+.1f} to {100 * found.high:+.1f}"
    text = f"{100 * found.effect:+.1f} points, 95 % interval {interval}"
    return Bar(low, middle, high, _HALF, 2 * _HALF, round(100 * reach, 1), text)
