"""An effect and its interval as a small bar, drawn by the server as SVG."""

from __future__ import annotations

from dataclasses import dataclass

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


def bar(effect: float, low: float, high: float) -> Bar:
    """The bar of an effect; 0 is in its middle, and both sides are equally long."""
    reach = max(_LEAST_REACH, abs(low), abs(high))

    def place(value: float) -> float:
        return round(_HALF + value / reach * (_HALF - _EDGE), 1)

    return Bar(
        place(low),
        place(effect),
        place(high),
        _HALF,
        2 * _HALF,
        round(100 * reach, 1),
        f"{100 * effect:+.1f} points, 95 % interval {100 * low:+.1f} to {100 * high:+.1f}",
    )
