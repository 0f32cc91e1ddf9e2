"""Curves of a training: its loss, how fast it went, and the memory it took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from crucible_api.page.plots.figure import Figure, Table, layout, line, marker, number
from crucible_infra.fine_tune_rows import StepRow

#: of a curve; a screen has no more
_MOST_POINTS = 800

#: of a table
_MOST_ROWS = 60

_GIB = 2**30


def training_figures(steps: Sequence[StepRow]) -> tuple[Figure, ...]:
    """The figures there is something in, the loss first."""
    found = (_loss(steps), _speed(steps), _memory(steps))
    return tuple(one for one in found if any(trace["x"] for trace in one.data))


def thinned(steps: Sequence[StepRow], most: int) -> list[StepRow]:
    """At most about so many: evenly chosen, with the first, the last and all held-out losses."""
    if len(steps) <= most:
        return list(steps)
    every = len(steps) / most
    wanted = {round(place * every) for place in range(most)} | {len(steps) - 1}
    return [one for at, one in enumerate(steps) if at in wanted or one.held_out_loss is not None]


def _loss(steps: Sequence[StepRow]) -> Figure:
    return Figure(
        "loss",
        "Loss",
        [
            _trace(steps, lambda one: one.loss, "training", 0, "lines"),
            _trace(steps, lambda one: one.held_out_loss, "held out", 1, "lines+markers"),
        ],
        layout(
            {"title": "step"},
            {"title": "loss (nats per token)", "rangemode": "tozero"},
            showlegend=True,
            hovermode="x unified",
        ),
        _table(
            steps,
            ("training loss", lambda one: _text(one.loss, "{:.4f}")),
            ("held-out loss", lambda one: _text(one.held_out_loss, "{:.4f}")),
            ("learning rate", lambda one: _text(one.learning_rate, "{:.3g}")),
        ),
    )


def _speed(steps: Sequence[StepRow]) -> Figure:
    return Figure(
        "throughput",
        "Throughput",
        [_trace(steps, lambda one: one.tokens_per_second, "tokens per second", 0, "lines")],
        layout(
            {"title": "step", "rangemode": "tozero"},
            {"title": "tokens per second", "rangemode": "tozero"},
        ),
        _table(
            steps,
            ("tokens per second", lambda one: _text(one.tokens_per_second, "{:,.0f}")),
            (
                "MFU (%)",
                lambda one: _text(None if one.mfu is None else 100 * one.mfu, "{:.1f}"),
            ),
            ("tokens so far", lambda one: f"{one.tokens:,}"),
        ),
        height="low",
    )


def _memory(steps: Sequence[StepRow]) -> Figure:
    return Figure(
        "memory",
        "Memory",
        [_trace(steps, _gib, "memory", 0, "lines")],
        layout(
            {"title": "step", "rangemode": "tozero"},
            {"title": "memory (GiB)", "rangemode": "tozero"},
        ),
        _table(steps, ("memory (GiB)", lambda one: _text(_gib(one), "{:.2f}"))),
        note="the highest use so far: of a GPU where there is one, else of the process",
        height="low",
    )


def _gib(one: StepRow) -> float | None:
    return None if one.memory_bytes is None else one.memory_bytes / _GIB


def _trace(
    steps: Sequence[StepRow],
    value: Callable[[StepRow], float | None],
    name: str,
    place: int,
    mode: str,
) -> dict[str, Any]:
    known = [
        (one.step, found)
        for one in thinned(steps, _MOST_POINTS)
        if (found := number(value(one))) is not None
    ]
    return {
        "type": "scatter",
        "mode": mode,
        "name": name,
        "x": [step for step, _ in known],
        "y": [found for _, found in known],
        "line": line(place),
        "marker": marker(place),
    }


def _table(steps: Sequence[StepRow], *parts: tuple[str, Callable[[StepRow], str]]) -> Table:
    return Table(
        ("step", *(title for title, _ in parts)),
        tuple(
            (str(one.step), *(text(one) for _, text in parts)) for one in thinned(steps, _MOST_ROWS)
        ),
    )


def _text(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
