"""Heat maps of a sweep: temperature by model, one for each dataset, prompt and n."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from crucible_api.page.plots.figure import Figure, Table, layout, number, plain, score_text
from crucible_api.sweep_reports import SweepRun
from crucible_tasks.scores import Score

#: rows that fit the middle height
_MANY_TEMPERATURES = 8

_NOT_SAMPLED = "none"

#: by model and temperature
Panel: TypeAlias = dict[tuple[str, str], Score]


def heat_maps(runs: Sequence[SweepRun], k: int) -> tuple[Figure, ...]:
    """The score at k of every setting that was asked for."""
    panels: dict[str, Panel] = {}
    for title, place, score in _settings(runs, k):
        # several runs of one setting, another style say, get maps of their own
        number_of = next(i for i in range(len(runs)) if place not in panels.get(_nth(title, i), {}))
        panels.setdefault(_nth(title, number_of), {})[place] = score
    return tuple(
        _map(f"heat-map-{at}", title, panel, k)
        for at, (title, panel) in enumerate(panels.items())
        # axes around nothing tell nobody anything
        if not all(math.isnan(score.value) for score in panel.values())
    )


def _nth(title: str, number_of: int) -> str:
    return title if number_of == 0 else f"{title} ({number_of + 1})"


def _settings(runs: Sequence[SweepRun], k: int) -> list[tuple[str, tuple[str, str], Score]]:
    many_prompts = len({one.run.prompt for one in runs}) > 1
    many_ns = len({one.run.n for one in runs}) > 1
    found = []
    for one in runs:
        run = one.run
        score = next((score for score in one.scores if score.k == k), None)
        if score is None:
            continue
        prompt = f", prompt {run.prompt}" if many_prompts and run.prompt else ""
        drawn = f", n {run.n}" if many_ns else ""
        temperature = _NOT_SAMPLED if run.temperature is None else f"{run.temperature:g}"
        found.append((f"{run.dataset}{prompt}{drawn}", (run.model_text, temperature), score))
    return found


def _map(name: str, title: str, panel: Panel, k: int) -> Figure:
    models = list(dict.fromkeys(model for model, _ in panel))
    temperatures = sorted({temperature for _, temperature in panel}, key=_order)
    scores = [[panel.get((model, each)) for model in models] for each in temperatures]
    return Figure(
        name,
        f"pass@{k} on {title}",
        [
            {
                "type": "heatmap",
                "x": [plain(model, 32) for model in models],
                "y": temperatures,
                "z": [[_percent(one) for one in row] for row in scores],
                "text": [[_cell(one) for one in row] for row in scores],
                "customdata": [[_told(one) for one in row] for row in scores],
                "texttemplate": "%{text}",
                "hovertemplate": "%{customdata}<extra></extra>",
                "colorscale": "Cividis",
                "zmin": 0,
                "zmax": 100,
                "xgap": 2,
                "ygap": 2,
                "colorbar": {"title": {"text": f"pass@{k} (%)", "side": "right"}, "thickness": 10},
            }
        ],
        layout(
            {"title": "model", "type": "category"},
            {"title": "temperature", "type": "category"},
        ),
        Table(
            ("temperature", *models),
            tuple(
                (each, *(_told(one) for one in row))
                for each, row in zip(temperatures, scores, strict=True)
            ),
        ),
        height="high" if len(temperatures) > _MANY_TEMPERATURES else "middle",
    )


def _order(temperature: str) -> float:
    return -1.0 if temperature == _NOT_SAMPLED else float(temperature)


def _percent(score: Score | None) -> float | None:
    return None if score is None else number(100 * score.value)


def _cell(score: Score | None) -> str:
    found = _percent(score)
    return "" if found is None else f"{found:.1f}"


def _told(score: Score | None) -> str:
    return "" if score is None else score_text(score)
