"""Quality against cost: a point for every run, and the line of those that no other beats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from crucible_api.page.plots.figure import (
    Figure,
    Table,
    errors,
    layout,
    marker,
    number,
    percents,
    plain,
    score_text,
)
from crucible_api.quality_cost import CostPoint, pareto


@dataclass(frozen=True, slots=True)
class Scale:
    """One kind of cost."""

    name: str
    #: with its unit
    title: str
    cost: Callable[[CostPoint], float | None]
    #: how tables write it
    form: str
    #: who tells it
    teller: str = "server"


TOKENS = Scale("tokens", "tokens per answer", lambda one: one.tokens, "{:,.0f}")
SECONDS = Scale("seconds", "model time per answer (s)", lambda one: one.seconds, "{:,.3g}")
ENERGY = Scale("energy", "GPU energy per answer (J)", lambda one: one.joules, "{:,.3g}", "GPU")

_SCALES = (TOKENS, SECONDS, ENERGY)


def cost_figures(points: Sequence[CostPoint], name: str, dataset: str) -> Iterator[Figure]:
    """A figure for every kind of cost that more than one run of the dataset tells."""
    for scale in _SCALES:
        found = costs(points, scale, name, dataset)
        if found is not None and len(found.table.rows) > 1:
            yield found


def costs(
    points: Sequence[CostPoint], scale: Scale, name: str = "costs", dataset: str | None = None
) -> Figure | None:
    """The runs over one kind of cost; None where no run of them tells it."""
    known = [one for one in points if scale.cost(one) is not None]
    if not known:
        return None
    best = pareto(known, scale.cost)
    k = known[0].score.k
    return Figure(
        f"{name}-{scale.name}",
        f"pass@{k}{f' on {dataset}' if dataset else ''} against {scale.title}",
        [_front(best, scale), *(_point(one, scale, place) for place, one in enumerate(known))],
        layout(
            {"title": scale.title},
            {"title": f"pass@{k} (%)", "range": [0, 100]},
            showlegend=True,
            hovermode="closest",
        ),
        _table(known, best, scale),
        note=_left_out(len(points) - len(known), scale),
        height="high" if len(known) > 6 else "middle",
    )


def _front(best: Sequence[CostPoint], scale: Scale) -> dict[str, Any]:
    """Steps: for each cost the highest score that it buys."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "Pareto line",
        "x": [number(scale.cost(one)) for one in best],
        "y": percents([one.score.value for one in best]),
        "line": {"color": "--muted", "dash": "dot", "width": 2, "shape": "hv"},
        "hoverinfo": "skip",
    }


def _point(one: CostPoint, scale: Scale, place: int) -> dict[str, Any]:
    score = one.score
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain(one.label),
        "x": [number(scale.cost(one))],
        "y": percents([score.value]),
        "error_y": errors([score.value], [score.low], [score.high]),
        "marker": marker(place),
        # a point at 100 % is whole
        "cliponaxis": False,
        "customdata": [f"{score_text(score)}, {_text(one, scale)} {scale.title}"],
        "hovertemplate": "%{customdata}",
    }


def _table(known: Sequence[CostPoint], best: Sequence[CostPoint], scale: Scale) -> Table:
    columns = ("run", f"pass@{known[0].score.k}", scale.title, "on the Pareto line")
    rows = (
        (one.label, score_text(one.score), _text(one, scale), "yes" if one in best else "no")
        for one in known
    )
    return Table(columns, tuple(rows))


def _text(one: CostPoint, scale: Scale) -> str:
    return scale.form.format(scale.cost(one))


def _left_out(count: int, scale: Scale) -> str | None:
    if not count:
        return None
    runs = "1 run is" if count == 1 else f"{count} runs are"
    return f"{runs} left out: no {scale.teller} told its {scale.name}"
