"""pass@k curves: a line for every run and its 95 % band, over every k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crucible_api.page.plots.figure import (
    Figure,
    Table,
    color,
    errors,
    layout,
    line,
    marker,
    percents,
    plain,
    score_text,
)
from crucible_api.pass_curve import PassCurve

#: points that are still told apart along one line
_FEW = 12

#: up to here a k is as far from the next as the next from its own
_LINEAR = 10

_TICKS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


def pass_curves(curves: Sequence[PassCurve], name: str = "pass-curves") -> Figure | None:
    """The curves in one figure; None where no run has a score."""
    known = [one for one in curves if one.scores]
    if not known:
        return None
    most = max(len(one.scores) for one in known)
    data = [
        trace for place, curve in enumerate(known) for trace in _traces(curve, place, len(known))
    ]
    return Figure(
        name,
        "pass@k with 95 % intervals",
        data,
        layout(
            {"title": "k: completions that may be tried", **_scale(most)},
            {"title": "pass@k (%)", "range": [0, 100]},
            showlegend=len(known) > 1,
            hovermode="x unified",
        ),
        _table(known, most),
        note="; ".join(f"{one.label}: {one.reason}" for one in curves if one.reason) or None,
    )


def _traces(curve: PassCurve, place: int, total: int) -> list[dict[str, Any]]:
    ks = [one.k for one in curve.scores]
    lows, highs = [one.low for one in curve.scores], [one.high for one in curve.scores]
    values = [one.value for one in curve.scores]
    texts = [score_text(one) for one in curve.scores]
    group: dict[str, Any] = {"x": ks, "legendgroup": str(place), "type": "scatter"}
    told = {
        **group,
        "y": percents(values),
        "name": plain(curve.label),
        "mode": "lines+markers" if len(ks) <= _FEW else "lines",
        "line": line(place),
        "marker": marker(place),
        "cliponaxis": False,
        "customdata": texts,
        "hovertemplate": "%{customdata}",
    }
    if len(ks) == 1:
        return [told | {"error_y": errors(values, lows, highs)}]
    hidden = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    edge = group | hidden
    # many bands over each other hide the lines
    shade = color(place, 22 if total <= 2 else 12)
    return [
        edge | {"y": percents(lows)},
        edge | {"y": percents(highs), "fill": "tonexty", "fillcolor": shade},
        told,
    ]


def _scale(most: int) -> dict[str, Any]:
    if most <= _LINEAR:
        return {"tickmode": "linear", "tick0": 1, "dtick": 1, "range": [0.7, most + 0.3]}
    ticks = [tick for tick in _TICKS if tick <= most]
    return {"type": "log", "tickvals": ticks, "ticktext": [str(tick) for tick in ticks]}


def _table(curves: Sequence[PassCurve], most: int) -> Table:
    rows = (
        (
            str(k),
            *(score_text(one.scores[k - 1]) if k <= len(one.scores) else "" for one in curves),
        )
        for k in range(1, most + 1)
    )
    return Table(("k", *(one.label for one in curves)), tuple(rows))
