"""Before and after: what a proof found for the base model and the new one, on each dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crucible_api.page.plots.figure import (
    Figure,
    Table,
    errors,
    layout,
    marker,
    percents,
    plain,
    score_text,
)
from crucible_api.proof import PartFound
from crucible_tasks.proof import Role
from crucible_tasks.scores import Score

_ROLES = {Role.PRIVATE: "this codebase", Role.ELSEWHERE: "elsewhere"}

#: how far from its dataset's middle a model's point lies
_APART = 0.12


def before_after(parts: Sequence[PartFound], name: str) -> Figure | None:
    """Base model and new model `name`, with 95 % intervals; None before there is a score."""
    known = [one for one in parts if one.comparison.reason is None]
    if not known:
        return None
    datasets = [f"{one.part.name} ({_ROLES[one.part.role]})" for one in known]
    return Figure(
        "before-after",
        "Before and after, with 95 % intervals",
        [
            _trace([one.base for one in known], "base model", 0),
            _trace([one.new for one in known], name, 1),
        ],
        layout(
            {
                "title": "dataset",
                "tickvals": list(range(len(known))),
                "ticktext": [plain(each, 28) for each in datasets],
                "range": [-0.5, len(known) - 0.5],
            },
            {"title": "pass@1 (%)", "range": [0, 100]},
            showlegend=True,
            hovermode="closest",
        ),
        Table(
            ("dataset", "base model", name),
            tuple(
                (dataset, score_text(one.base), score_text(one.new))
                for dataset, one in zip(datasets, known, strict=True)
            ),
        ),
    )


def _trace(scores: Sequence[Score], name: str, place: int) -> dict[str, Any]:
    values = [one.value for one in scores]
    aside = _APART if place else -_APART
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain(name),
        "x": [at + aside for at in range(len(scores))],
        "y": percents(values),
        "error_y": errors(values, [one.low for one in scores], [one.high for one in scores]),
        "marker": marker(place) | {"size": 12},
        "cliponaxis": False,
        "customdata": [score_text(one) for one in scores],
        "hovertemplate": "%{customdata}",
    }
