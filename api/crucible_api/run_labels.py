"""What runs are called side by side: the model, and what else tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from crucible_api.reports import RunInfo

_PARTS: tuple[Callable[[RunInfo], str], ...] = (
    lambda run: run.dataset,
    lambda run: "" if run.temperature is None else f"T {run.temperature:g}",
    lambda run: run.prompt or "",
    lambda run: f"n {run.n}",
    lambda run: f"seed {run.seed}",
)


def labels(runs: Sequence[RunInfo]) -> tuple[str, ...]:
    """A name for each run, told apart from the others; by its id where nothing else does it."""
    telling = [part for part in _PARTS if len({part(run) for run in runs}) > 1]
    names = [
        ", ".join(filter(None, [run.model_text, *(part(run) for part in telling)])) for run in runs
    ]
    times = Counter(names)
    return tuple(
        name if times[name] == 1 else f"{name} ({run.id})"
        for name, run in zip(names, runs, strict=True)
    )
