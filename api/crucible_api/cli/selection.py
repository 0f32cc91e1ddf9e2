"""The runs that RUN_OR_SWEEP arguments mean: single ones, and all of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from crucible_api.cli.options import Command
from crucible_api.cli.output import Voice

if TYPE_CHECKING:
    from crucible_api.reports import RunInfo
    from crucible_api.run_service import RunService
    from crucible_api.sweep_reports import Selected

#: a RUN_OR_SWEEP argument means the same everywhere
HELP = (
    "RUN_OR_SWEEP is the id of a run or of a sweep, its beginning, or its last four characters; "
    "`latest` is the latest run."
)


def names(function: Command) -> Command:
    """Give a command the argument RUN_OR_SWEEP…, as `names`."""
    return click.argument("names", metavar="RUN_OR_SWEEP…", nargs=-1, required=True)(function)


def chosen(runs: RunService, names: Sequence[str]) -> list[Selected]:
    """What each name means, nothing twice. Raises RunNotFound."""
    found = {one.id: one for one in (runs.select(name) for name in names)}
    return list(found.values())


def each_run(selected: Sequence[Selected]) -> list[RunInfo]:
    """Every run of it once, in order."""
    return list({run.id: run for one in selected for run in one.runs}.values())


def change(
    runs: RunService, names: Sequence[str], alter: Callable[[str], bool], verb: str, voice: Voice
) -> list[Selected]:
    """Alter every run that the names mean; say how each stands, and what was left as it was.

    Returns what was changed. `verb` fills "there is nothing to …". Raises RunNotFound before
    anything is altered.
    """
    selected = chosen(runs, names)
    altered = {run.id for run in each_run(selected) if alter(run.id)}
    after = [runs.find_run(run.id) for run in each_run(selected)]
    if voice.is_json:
        voice.data(
            [{"run": run.id, "state": str(run.state), "priority": run.priority} for run in after]
        )
    for one in selected:
        _tell_unchanged(one, [run for run in after if run.id not in altered], verb, voice)
    return [one for one in selected if any(run.id in altered for run in one.runs)]


def named(selected: Sequence[Selected]) -> str:
    """What a person types to mean the same again."""
    return " ".join(one.id for one in selected)


def _tell_unchanged(one: Selected, unchanged: Sequence[RunInfo], verb: str, voice: Voice) -> None:
    mine = {run.id for run in one.runs}
    left = [run for run in unchanged if run.id in mine]
    # of a sweep some runs are always done already; that is worth no word
    if len(left) < len(one.runs):
        return
    states = " or ".join(dict.fromkeys(str(run.state) for run in left))
    who = "run" if one.sweep_id is None else "every run of sweep"
    voice.talk(f"{who} {one.id} is {states} already; there is nothing to {verb}")
