"""Watch runs until nothing more happens by itself, and stop them when the user says so."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from crucible_api.cli import interruption
from crucible_api.cli.output import Voice, coverage_text, percent, plural
from crucible_api.cli.progress import Meter, Standing
from crucible_infra.errors import GateNotMet, RunIncomplete
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.cli.options import Gate
    from crucible_api.reports import Progress, RunSummary
    from crucible_api.runs import Runs
    from crucible_tasks.scores import Score

#: seconds between looks at the database
_LOOK_EVERY_EMBEDDED = 0.2
_LOOK_EVERY_CLUSTER = 1.0

#: CPU time that looking may take: on a laptop the sandbox goes without it. Counting a run of
#: 32,800 completions takes some 6 ms, so this makes the pause 0.6 s
_LOOKING_SHARE = 0.01

#: a server that fails differently every time must not fill the screen
_TOLD_FAILURES = 5


def follow(runs: Runs, run_id: str, voice: Voice) -> Progress:
    """Show a run's progress until it is finished, stopped or incomplete."""
    pause = _LOOK_EVERY_EMBEDDED if current().is_embedded else _LOOK_EVERY_CLUSTER
    from crucible_tasks.embedded import raise_if_full

    told: set[str] = set()
    with Meter(voice) as meter:
        while True:
            began = time.thread_time()
            progress = runs.progress(run_id)
            cost = time.thread_time() - began
            _tell_failures(progress, told, voice)
            meter.show(Standing(progress.planned, progress.generated, progress.judged))
            if progress.is_over:
                return progress
            interruption.raise_if_received()
            if current().is_embedded:
                raise_if_full()
            time.sleep(max(pause, cost / _LOOKING_SHARE))


def _tell_failures(progress: Progress, told: set[str], voice: Voice) -> None:
    """Say each reason once, while there is time to do something about it."""
    for failure in progress.failures:
        # "HumanEval/0: reason" becomes "2 challenges: reason" when it hits another
        reason = failure.partition(": ")[2]
        if reason not in told and len(told) < _TOLD_FAILURES:
            told.add(reason)
            voice.warn(failure)


@contextmanager
def stoppable(runs: Runs, run_ids: Sequence[str], voice: Voice) -> Iterator[None]:
    """Stop these runs when the user interrupts, and say how to go on."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        unfinished = [run_id for run_id in run_ids if not runs.progress(run_id).is_over]
        for run_id in unfinished:
            runs.stop(run_id)
        resume = f"crucible runs resume {' '.join(unfinished or run_ids)}"
        interruption.say(interrupt, f"stopped; nothing is lost: {resume}", voice)
        raise


def demand(summaries: Sequence[RunSummary], gate: Gate | None) -> None:
    """Raise RunIncomplete when verdicts are missing, GateNotMet when a score is too low."""
    for summary in summaries:
        missing = summary.progress.planned - summary.progress.judged
        if missing:
            reasons = "; ".join(summary.progress.failures[:2])
            raise RunIncomplete(
                f"{plural(missing, 'completion')} of run {summary.run.id} "
                f"({coverage_text(summary.quality.coverage)} covered) without a verdict"
                + (f": {reasons}" if reasons else ""),
                hint=f"crucible runs resume {summary.run.id}",
            )
    if gate is not None:
        _demand_score(summaries, gate)


def _demand_score(summaries: Sequence[RunSummary], gate: Gate) -> None:
    for summary in summaries:
        score = next((score for score in summary.scores if score.k == gate.k), None)
        # written so that NaN is below every gate
        if score is None or not score.value >= gate.minimum:
            raise GateNotMet(
                f"{gate.name} of {summary.run.model} on {summary.run.dataset} is {_known(score)}, "
                f"below {percent(gate.minimum)}"
            )


def _known(score: Score | None) -> str:
    if score is None:
        return "not known"
    return f"not known ({score.reason})" if score.reason else percent(score.value)
