"""Sweeps: what a user means by an id, how a sweep stands, and which of its settings did best.

"Best" is the highest score, and a claim about chance: settings that the paired comparison of
`crucible compare` cannot tell from it are named beside it, and equal scores share the place. Models
with a caution, toys, compete only with each other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from crucible_api import standing
from crucible_api.manifest import caution_of
from crucible_api.reports import RunInfo
from crucible_api.runs import LATEST, Runs
from crucible_api.sweep_reports import Best, Selected, SweepInfo, SweepRun, SweepSummary
from crucible_infra.database.counts import challenge_totals
from crucible_infra.database.runs import RunRow, find_run, matching_runs, newest_runs
from crucible_infra.database.sweeps import matching_sweep_ids, newest_sweep_ids, runs_of_sweep
from crucible_infra.errors import RunNotFound
from crucible_tasks.comparison import Finding, compare
from crucible_tasks.planning import RunState
from crucible_tasks.scores import Score, score

__all__ = [
    "Best",
    "Selected",
    "SweepInfo",
    "SweepRun",
    "SweepSummary",
    "find_sweep",
    "list_sweeps",
    "select",
    "sweep_summary",
]

#: how many matches an ambiguous beginning is answered with
_SHOWN = 3


def select(runs: Runs, text: str) -> Selected:
    """The run or sweep a user means: a whole id, its beginning or random end; `latest` is a run.

    Raises RunNotFound when there is none, or more than one.
    """
    with runs.database.reading() as connection:
        run = find_run(connection, text)
        if run is not None:
            return Selected(_infos(connection, [run]))
        rows = runs_of_sweep(connection, text)
        if rows:
            return Selected(_infos(connection, rows), text)
        found = newest_runs(connection, 1) if text == LATEST else ()
        sweep_ids: tuple[str, ...] = ()
        if text and text != LATEST:
            found = matching_runs(connection, text, _SHOWN + 1)
            sweep_ids = matching_sweep_ids(connection, text, _SHOWN + 1)
        one = _only(text, [*(f"sweep {name}" for name in sweep_ids), *(row.id for row in found)])
        if one.startswith("sweep "):
            return Selected(
                _infos(connection, runs_of_sweep(connection, sweep_ids[0])), sweep_ids[0]
            )
        return Selected(_infos(connection, found))


def find_sweep(runs: Runs, text: str) -> str:
    """The id of the sweep a user means; `latest` is the newest. Raises RunNotFound."""
    with runs.database.reading() as connection:
        if runs_of_sweep(connection, text):
            return text
        if text == LATEST:
            found = newest_sweep_ids(connection, 1)
        else:
            found = matching_sweep_ids(connection, text, _SHOWN + 1) if text else ()
        return _only(text, found, noun="sweep")


def list_sweeps(runs: Runs, limit: int = 20) -> tuple[SweepInfo, ...]:
    """The last sweeps planned, newest first."""
    with runs.database.reading() as connection:
        return tuple(
            sweep_info(connection, sweep_id) for sweep_id in newest_sweep_ids(connection, limit)
        )


def sweep_info(connection: Connection, sweep_id: str) -> SweepInfo:
    """One line about a sweep that is there."""
    return _info(sweep_id, _infos(connection, runs_of_sweep(connection, sweep_id)))


def sweep_summary(runs: Runs, sweep_id: str, k: int | None = None) -> SweepSummary:
    """How every run of a sweep stands, and the best of them at `k` (default: the smallest).

    Raises RunNotFound.
    """
    with runs.database.reading() as connection:
        rows = runs_of_sweep(connection, sweep_id)
        if not rows:
            raise _nothing(sweep_id, "sweep")
        infos = _infos(connection, rows)
        found = tuple(
            SweepRun(info, standing.progress(connection, row), standing.scores(connection, row))
            for info, row in zip(infos, rows, strict=True)
        )
        chosen = min(one for row in rows for one in row.ks) if k is None else k
        best = tuple(_best(connection, rows, chosen))
    return SweepSummary(_info(sweep_id, infos), found, best)


@dataclass(frozen=True, slots=True)
class _Setting:
    """One run as far as the best is concerned."""

    row: RunRow
    score: Score


def _best(connection: Connection, rows: Sequence[RunRow], k: int) -> Iterator[Best]:
    for dataset in dict.fromkeys(row.dataset for row in rows):
        mine = _competing([row for row in rows if row.dataset == dataset])
        counts = {row.id: standing.counts(connection, row) for row in mine}
        settings = [_Setting(row, score(counts[row.id], k)) for row in mine]
        known = [one for one in settings if not math.isnan(one.score.value)]
        # one setting is the best of nothing
        if len(mine) < 2 or not known:
            continue
        highest = max(known, key=lambda one: one.score.value)
        equal = [one for one in known if one.score.value == highest.score.value]
        rivals = [
            one.row.id
            for one in known
            if one not in equal
            and compare(counts[highest.row.id], counts[one.row.id], k).verdict is not Finding.WORSE
        ]
        yield Best(
            dataset,
            highest.score,
            tuple(one.row.id for one in equal),
            tuple(rivals),
            compared=len(known),
            unknown=len(mine) - len(known),
        )


def _competing(rows: Sequence[RunRow]) -> Sequence[RunRow]:
    real = [row for row in rows if caution_of(row.manifest) is None]
    return real or rows


def _info(sweep_id: str, runs: Sequence[RunInfo]) -> SweepInfo:
    states = Counter(run.state for run in runs)
    return SweepInfo(
        id=sweep_id,
        created_at=runs[0].created_at,
        states=tuple((state, states[state]) for state in RunState if states[state]),
        models=tuple(
            dict.fromkeys(run.registered.name if run.registered else run.model for run in runs)
        ),
        datasets=tuple(dict.fromkeys(run.dataset for run in runs)),
        completions=sum(run.challenges * run.n for run in runs),
    )


def _infos(connection: Connection, rows: Sequence[RunRow]) -> tuple[RunInfo, ...]:
    totals = challenge_totals(connection, [row.id for row in rows])
    return tuple(standing.run_info(row, totals.get(row.id, 0)) for row in rows)


def _only(text: str, names: Sequence[str], noun: str = "run or sweep") -> str:
    if len(names) == 1:
        return names[0]
    if not names:
        raise _nothing(text, noun)
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    raise RunNotFound(f"several match {text!r}: {shown}", hint="give more of the id")


def _nothing(text: str, noun: str) -> RunNotFound:
    hint = "crucible sweeps list" + ("" if noun == "sweep" else "; crucible runs list")
    problem = f"there is no {noun} yet" if text == LATEST else f"no {noun} begins with {text!r}"
    return RunNotFound(problem, hint=hint)
