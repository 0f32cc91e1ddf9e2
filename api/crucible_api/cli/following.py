"""Watch runs until nothing more happens by itself, and stop them when the user says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from crucible_api.cli import broker_outage, hands, interruption
from crucible_api.cli.output import Voice, coverage_text, percent, plural
from crucible_api.cli.progress import Meter
from crucible_api.cli.watch import Watch
from crucible_infra.errors import GateNotMet, RunIncomplete
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.cli.options import Gate
    from crucible_api.reports import Progress, RunSummary
    from crucible_api.run_service import RunService
    from crucible_tasks.scores import Score

#: seconds between looks at the database
_LOOK_EVERY_EMBEDDED = 0.2
_LOOK_EVERY_CLUSTER = 1.0

#: CPU time that looking may take: on a laptop the sandbox goes without it. Counting a run of
#: 32,800 completions takes some 6 ms, so this makes the pause 0.6 s
_LOOKING_SHARE = 0.01

#: seconds; a sweep of a thousand runs still shows that it lives
_LOOK_AT_LEAST_EVERY = 5.0

#: a server that fails differently every time must not fill the screen
_TOLD_FAILURES = 5


def follow(
    runs: RunService,
    run_ids: Sequence[str],
    voice: Voice,
    *,
    begin: Callable[[str], object] | None = None,
    name: str = "",
) -> None:
    """Show the progress of runs until nothing more happens to any of them by itself.

    With `begin` they are begun here, one after the other, as a laptop does them. A run of a
    cluster that is paused is waited for; one of a process has ended with it. `name` is what
    several runs are called.
    """
    teller = _Teller(voice)
    pause = _LOOK_EVERY_EMBEDDED if current().runs_here else _LOOK_EVERY_CLUSTER
    label = "" if len(run_ids) == 1 else name or plural(len(run_ids), "run")
    # the first look prepares its queries, and one that begins a run plans more than it looks: the
    # rest after a look is for what its neighbour cost, too
    last_cost = 0.0
    with (
        Meter(voice, label=label) as meter,
        runs.observed(run_ids, teller.tell_outages) as observer,
    ):
        watch = Watch(observer, run_ids, begin)
        while True:
            began = time.thread_time()
            watch.look()
            cost = time.thread_time() - began
            broker_outage.look(run_ids[0])
            teller.tell(watch)
            meter.show(watch.standing, done=watch.done_text)
            if watch.is_over:
                return
            usual, last_cost = min(cost, last_cost), cost
            rest = min(max(pause, usual / _LOOKING_SHARE), _LOOK_AT_LEAST_EVERY)
            for _ in range(round(rest / pause)):
                interruption.raise_if_received()
                hands.raise_if_full()
                # a dead server is told of at once, however seldom the database is asked
                teller.tell_outages()
                time.sleep(pause)


class _Teller:
    """Says what a person should know while runs go on, each thing once."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._reasons: set[str] = set()
        self._away: set[str] = set()
        self._halted: dict[str, str] = {}

    def tell(self, watch: Watch) -> None:
        """Say what is new."""
        self.tell_outages()
        for run_id, progress in watch.begun.items():
            self._tell_failures(progress)
            self._tell_halt(run_id, progress)

    def tell_outages(self) -> None:
        """Say which servers have gone away or come back."""
        self._away = _tell_outages(self._away, self._voice)

    def _tell_failures(self, progress: Progress) -> None:
        """While there is time to do something about it."""
        for failure in progress.failures:
            # "HumanEval/0: reason" becomes "2 challenges: reason" when it hits another
            reason = failure.partition(": ")[2]
            if reason not in self._reasons and len(self._reasons) < _TOLD_FAILURES:
                self._reasons.add(reason)
                self._voice.warn(failure)

    def _tell_halt(self, run_id: str, progress: Progress) -> None:
        """Somebody paused or stopped it from another terminal, or lets it go on."""
        told = self._halted.get(run_id)
        if progress.state == told:
            return
        if progress.state in ("paused", "stopped"):
            self._halted[run_id] = progress.state
            self._voice.warn(f"run {run_id} was {progress.state}: crucible runs resume {run_id}")
        elif told is not None:
            del self._halted[run_id]
            self._voice.talk(f"run {run_id} goes on")


def _tell_outages(told: set[str], voice: Voice) -> set[str]:
    """Say at once when a server is away, and when it is back; returns those that are away.

    Heard are this process' own workers and the broker: a cluster's workers write it into their
    logs.
    """
    from crucible_tasks.outages import OUTAGES

    away = {one.server: one for one in OUTAGES.now() if one.is_unreachable}
    for server in sorted(away.keys() - told):
        if not away[server].is_hopeless:
            voice.warn(
                f"{server} does not answer; trying again for up to "
                f"{away[server].patience_seconds:g} s, Ctrl-C keeps what is there"
            )
    for server in sorted(told - away.keys()):
        voice.talk(f"{server} answers again")
    return set(away)


@contextmanager
def stoppable(runs: RunService, run_ids: Sequence[str], voice: Voice) -> Iterator[None]:
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
    """Raise RunIncomplete when answers or verdicts are missing, GateNotMet for a low score.

    A samples file that leaves challenges out is complete in itself, but no ground for a gate: the
    answers it lacks may be those that would have failed.
    """
    incomplete = [one for one in summaries if one.progress.planned > one.progress.judged]
    if len(incomplete) > 1:
        names = " ".join(summary.run.id for summary in incomplete)
        # every run of a sweep is resumed by the sweep's name
        whole = len(incomplete) == len(summaries) and summaries[0].run.sweep_id
        raise RunIncomplete(
            f"{len(incomplete)} of {len(summaries)} runs lack verdicts",
            hint=f"crucible runs resume {whole or names}",
        )
    for summary in summaries:
        demand_complete(summary, gate)
    if gate is not None:
        _demand_score(summaries, gate)


def demand_complete(summary: RunSummary, gate: Gate | None) -> None:
    """Raise RunIncomplete when verdicts are missing, or answers that a gate must have."""
    missing = summary.progress.planned - summary.progress.judged
    if missing:
        reasons = "; ".join(summary.progress.failures[:2])
        raise RunIncomplete(
            f"{plural(missing, 'completion')} of run {summary.run.id} "
            f"({coverage_text(summary.quality.coverage)} covered) without a verdict"
            + (f": {reasons}" if reasons else ""),
            hint=f"crucible runs resume {summary.run.id}",
        )
    left_out = summary.quality.unanswered
    if gate is not None and left_out and not gate.allows_partial:
        raise RunIncomplete(
            f"{summary.run.model_text} answers {summary.run.challenges} of the "
            f"{summary.run.challenges + left_out} challenges of {summary.run.dataset}, so "
            f"{gate.name} cannot meet --fail-under",
            hint="add the other answers, or let the part be enough with --allow-partial",
        )


def _demand_score(summaries: Sequence[RunSummary], gate: Gate) -> None:
    for summary in summaries:
        score = next((score for score in summary.scores if score.k == gate.k), None)
        # written so that NaN is below every gate
        if score is None or not score.value >= gate.minimum:
            raise GateNotMet(
                f"{gate.name} of {summary.run.model_text} on {summary.run.dataset} is "
                f"{_known(score)}, below {percent(gate.minimum)}"
            )


def _known(score: Score | None) -> str:
    if score is None:
        return "not known"
    return f"not known ({score.reason})" if score.reason else percent(score.value)
