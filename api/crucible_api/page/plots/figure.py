"""A figure: data and layout for plotly.js, a title, and the same numbers as a table."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crucible_tasks.scores import Score

#: characters of a name; more would leave a narrow screen no room for the plot
_LONGEST = 40

#: of Okabe and Ito's palette, see `figure.css`
_COLORS = 6

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "star")

_NOTHING = "rgba(0,0,0,0)"

#: digits that a plot can show
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of a figure in words."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure."""

    #: unique on its page, and good for an element's id
    name: str
    title: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    table: Table
    #: what must be said beside it
    note: str | None = None
    #: "low", "middle" or "high": the room that is kept for it
    height: str = "middle"

    @property
    def plot(self) -> dict[str, Any]:
        """What plotly.js draws."""
        return {"data": self.data, "layout": self.layout}

    @property
    def json(self) -> str:
        """The same as JSON; no text in it ends a script or begins a tag."""
        written = json.dumps(self.plot, allow_nan=False, separators=(",", ":"))
        return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def plain(text: str, longest: int = _LONGEST) -> str:
    """A foreign text for a figure: on one line, not too long, and nothing in it is markup.

    plotly.js reads a little HTML in its texts, and turns entities back into characters.
    """
    shown = "".join(character if character.isprintable() else "\ufffd" for character in text)
    if len(shown) > longest:
        shown = f"{shown[: longest - 1]}\u2026"
    return html.escape(shown, quote=False)


def number(value: float | None) -> float | None:
    """A number as JSON can hold it: no NaN, and no more digits than can be seen."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{_DIGITS}g}")


def percents(fractions: Sequence[float]) -> list[float | None]:
    """Fractions as percent."""
    return [number(100 * fraction) for fraction in fractions]


def color(place: int, percent: int = 100) -> str:
    """The colour of the line at this place, as opaque as this."""
    name = f"--figure-{place % _COLORS + 1}"
    return name if percent == 100 else f"{name}/{percent}"


def line(place: int) -> dict[str, Any]:
    """How the line at this place looks; its dash tells it apart without its colour."""
    dash = _DASHES[(place + place // _COLORS) % len(_DASHES)]
    return {"color": color(place), "dash": dash, "width": 2}


def marker(place: int) -> dict[str, Any]:
    """How the points at this place look; their shape tells them apart without their colour."""
    symbol = _MARKERS[(place + place // _COLORS) % len(_MARKERS)]
    return {"color": color(place), "symbol": symbol, "size": 9}


def errors(middles: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> Any:
    """Bars from low to high around points, all of them fractions shown as percent."""
    above = percents([high - middle for middle, high in zip(middles, highs, strict=True)])
    below = percents([middle - low for middle, low in zip(middles, lows, strict=True)])
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "width": 6}


def layout(x: Mapping[str, Any], y: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A layout on our page, with two axes; their titles name their units."""
    return {
        "paper_bgcolor": _NOTHING,
        "plot_bgcolor": _NOTHING,
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "--text"},
        "margin": {"l": 50, "r": 15, "t": 15, "b": 45},
        "xaxis": _axis(x),
        "yaxis": _axis(y),
        "hoverlabel": {
            "bgcolor": "--raised",
            "bordercolor": "--muted",
            "font": {"color": "--text"},
        },
        "legend": {"orientation": "h", "x": 0, "yref": "container", "y": 0, "yanchor": "bottom"},
        # a finger that scrolls the page must not move the plot
        "dragmode": False,
        **more,
    }


def score_text(score: Score) -> str:
    """A score and its interval as tables show them: 62.8 % [55.2, 69.8]."""
    if math.isnan(score.value):
        return "\u2013"
    interval = f"[{100 * score.low:.1f}, {100 * score.high:.1f}]"
    return f"{100 * score.value:.1f} % {interval}"


def _axis(given: Mapping[str, Any]) -> dict[str, Any]:
    looks = {"gridcolor": "--line", "zerolinecolor": "--line", "linecolor": "--muted"}
    title = {"text": given["title"], "standoff": 8}
    return {"automargin": True, "ticks": "outside", **looks, **given, "title": title}
