"""Runs: plan them, start, stop and resume them, and tell how they stand.

The doors call only this. It writes plans and wishes into the database and reads results from it;
the work itself is sent, and its results are stored, by the controller.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crucible_api import standing
from crucible_api.export import Exported, write_export
from crucible_api.member_runs import cost_of, routing, take_draws
from crucible_api.planned_rows import PlannedRows, benchmark_rows, evaluation_rows
from crucible_api.provenance import provenance
from crucible_api.reports import Progress, RunInfo, RunSummary, VerdictRow
from crucible_infra.artifacts import ArtifactStore, open_store
from crucible_infra.database import Database, open_database
from crucible_infra.database.attempts import AttemptRow, forget_attempts, store_attempts
from crucible_infra.database.completions import each_completion, insert_completions
from crucible_infra.database.counts import challenge_counts, challenge_totals
from crucible_infra.database.draws import draws_of
from crucible_infra.database.runs import (
    RunRow,
    find_run,
    insert_run,
    lock_run,
    matching_runs,
    newest_runs,
    priorities_of,
    update_run,
)
from crucible_infra.errors import InvalidInput, RunNotFound
from crucible_infra.owner import own_mark
from crucible_infra.settings import Settings, current
from crucible_infra.stage import Stage
from crucible_tasks.challenge import Limits
from crucible_tasks.challenges import Dataset, decode, encode
from crucible_tasks.control import RECONCILE, Reconcile
from crucible_tasks.planning import (
    BenchmarkPlan,
    EvaluationPlan,
    ImportedCompletion,
    RunState,
    grader_label,
    refuse_unjudgeable,
)
from crucible_tasks.priority import PRIORITIES
from crucible_tasks.scores import Counts

if TYPE_CHECKING:
    from celery.canvas import Signature
    from sqlalchemy import Connection

#: names the newest run
LATEST = "latest"

#: how many runs an ambiguous beginning is answered with
_SHOWN = 3

_NOT_REGENERATED = "a regrade samples nothing; crucible runs resume does"


def _send(signature: Signature) -> object:
    # Celery costs 0.2 s to import, and most of what is asked about runs sends nothing
    from crucible_tasks.sending import send  # noqa: PLC0415

    return send(signature)


@dataclass(frozen=True, slots=True)
class Runs:
    """The run service. Every method takes a whole run id, and raises RunNotFound for another."""

    database: Database
    artifacts: ArtifactStore
    send: Callable[[Signature], object] = _send

    def plan_benchmark(self, plan: BenchmarkPlan) -> str:
        """Write down a run that samples; returns its id. Nothing is sent before `start`.

        Raises InvalidInput for what cannot be planned, StorageError when it cannot be written.
        """
        if plan.n < 1 or not plan.dataset.challenges:
            raise InvalidInput("a run needs at least one completion of one challenge")
        refuse_unjudgeable(plan.dataset)
        artifact = self.artifacts.put(encode(plan.dataset))
        with self.database.reading() as connection:
            made = provenance(connection, self.artifacts, plan.model.spec, plan.dataset)
        return self._plan(benchmark_rows(plan, artifact, _owner(), made))

    def plan_evaluation(
        self,
        dataset: Dataset,
        completions: Sequence[ImportedCompletion],
        ks: Sequence[int],
        limits: Limits | None,
        source: str,
    ) -> str:
        """Write down a run whose completions are there already; returns its id.

        `source` names where they came from. Raises FormatError for a challenge the dataset does
        not have, InvalidInput when there are no completions.
        """
        refuse_unjudgeable(dataset)
        plan = EvaluationPlan(dataset, completions, ks, limits, source)
        return self._plan(evaluation_rows(plan, self.artifacts.put(encode(dataset)), _owner()))

    def start(self, run_id: str) -> None:
        """Begin a planned run; one that was stopped or paused before its turn stays as it is.

        Raises BrokerUnavailable.
        """
        with self.database.writing() as connection:
            run = _found(run_id, lock_run(connection, run_id))
            if run.state != RunState.PLANNED:
                return
            _set_off(connection, run, _owner())
        self.send(RECONCILE.signature(Reconcile(run_id)))

    def resume(self, run_id: str) -> None:
        """Go on with a run that was paused, stopped, killed or given up, whatever was sent before.

        A finished run stays as it is. Raises BrokerUnavailable.
        """
        if self._set_off_again(run_id, _owner()):
            self.send(RECONCILE.signature(Reconcile(run_id)))

    def hand_over(self, run_id: str) -> None:
        """Let the cluster of this database go on with a run; needs no broker here.

        Its controller finds the run when it next looks what is missing.
        """
        self._set_off_again(run_id, None)

    def pause(self, run_id: str) -> bool:
        """Send nothing new of this run until it is resumed; what is under way is still stored.

        Returns whether there was anything to pause.
        """
        return self._halt(run_id, RunState.PAUSED, (RunState.PLANNED, RunState.RUNNING))

    def stop(self, run_id: str) -> bool:
        """Send nothing more of this run; what is under way is still stored.

        Returns whether there was anything to stop.
        """
        is_open = (RunState.PLANNED, RunState.RUNNING, RunState.PAUSED, RunState.INTERRUPTED)
        return self._halt(run_id, RunState.STOPPED, is_open)

    def set_priority(self, run_id: str, priority: int) -> bool:
        """Let a run go before (higher) or after (lower) others; takes effect while it runs.

        Returns whether there is anything left that could go first. Raises InvalidInput.
        """
        if priority not in PRIORITIES:
            raise InvalidInput(f"a priority is from {PRIORITIES.start} to {PRIORITIES.stop - 1}")
        with self.database.writing() as connection:
            run = _found(run_id, lock_run(connection, run_id))
            is_open = run.state != RunState.FINISHED
            if is_open:
                update_run(connection, run_id, priority=priority)
        return is_open

    def regrade(self, run_id: str) -> None:
        """Judge every stored completion again with this version's grader; nothing is sampled.

        Each verdict stays until its successor arrives: under another label beside it, under the
        same label (a new round) in its place. Raises BrokerUnavailable.
        """
        with self.database.writing() as connection:
            run = _found(run_id, lock_run(connection, run_id))
            forget_attempts(connection, run_id)
            store_attempts(
                connection,
                [
                    AttemptRow(
                        run_id, count.task_id, Stage.GENERATION, 0, True, _NOT_REGENERATED, None
                    )
                    for count in challenge_counts(connection, run)
                    if count.generated < count.planned
                ],
            )
            update_run(
                connection,
                run_id,
                grader=grader_label(),
                grade_round=run.grade_round + 1,
                state=RunState.RUNNING,
                # what is shown is how long the judging took that the scores are from
                seconds_before=0.0,
                started_at=time.time(),
                finished_at=None,
                owner=_owner(),
            )
        self.send(RECONCILE.signature(Reconcile(run_id)))

    def progress(self, run_id: str) -> Progress:
        """How far the run is; cheap enough to be asked five times a second."""
        with self.database.reading() as connection:
            return standing.progress(connection, found_run(connection, run_id))

    def state(self, run_id: str) -> RunState:
        """Where the run stands, and nothing more."""
        with self.database.reading() as connection:
            return standing.state_of(found_run(connection, run_id))

    def priorities(self, run_ids: Sequence[str]) -> dict[str, int]:
        """The priority of each of these that is a run."""
        with self.database.reading() as connection:
            return priorities_of(connection, run_ids)

    def summary(self, run_id: str) -> RunSummary:
        """Scores, validity, progress and manifest of a run, finished or not."""
        with self.database.reading() as connection:
            run = found_run(connection, run_id)
            found = standing.summary(connection, run)
            cost = cost_of(connection, run)
            return replace(found, routing=routing(connection, run), cost=cost)

    def counts(self, run_id: str) -> tuple[Counts, ...]:
        """Per challenge, in the dataset's order, the judged completions and those that passed."""
        with self.database.reading() as connection:
            return standing.counts(connection, found_run(connection, run_id))

    def verdict_rows(self, run_id: str) -> tuple[VerdictRow, ...]:
        """Every stored completion and its verdict, in the order of the file or the dataset."""
        with self.database.reading() as connection:
            run = found_run(connection, run_id)
            return tuple(standing.verdict_rows(connection, run))

    def list_runs(self, limit: int = 20) -> tuple[RunInfo, ...]:
        """The last runs planned, newest first."""
        with self.database.reading() as connection:
            rows = newest_runs(connection, limit)
            totals = challenge_totals(connection, [row.id for row in rows])
        return tuple(standing.run_info(row, totals.get(row.id, 0)) for row in rows)

    def find_run(self, text: str) -> RunInfo:
        """The run a user means: a whole id, its beginning or its random end, or `latest`.

        Raises RunNotFound when there is none or more than one.
        """
        with self.database.reading() as connection:
            exact = find_run(connection, text)
            if exact is not None:
                rows: tuple[RunRow, ...] = (exact,)
            elif text == LATEST:
                rows = newest_runs(connection, 1)
            else:
                rows = matching_runs(connection, text, _SHOWN + 1) if text else ()
            row = _only(text, rows)
            return standing.run_info(row, challenge_totals(connection, [row.id])[row.id])

    def export(self, run_id: str, directory: Path) -> tuple[Path, ...]:
        """Write the run's manifest, completions and verdicts as files; see `export`."""
        summary = self.summary(run_id)
        with self.database.reading() as connection:
            run = found_run(connection, run_id)
            dataset = decode(self.artifacts.get(run.dataset_artifact))
            exported = Exported(
                summary,
                dataset,
                each_completion(connection, run_id),
                standing.verdict_rows(connection, run),
                draws_of(connection, run_id),
            )
            return write_export(exported, directory)

    def _set_off_again(self, run_id: str, owner: str | None) -> bool:
        with self.database.writing() as connection:
            run = _found(run_id, lock_run(connection, run_id))
            if run.state == RunState.FINISHED:
                return False
            _set_off(connection, run, owner)
        return True

    def _halt(self, run_id: str, state: RunState, wanted: Sequence[RunState]) -> bool:
        with self.database.writing() as connection:
            run = _found(run_id, lock_run(connection, run_id))
            found = standing.state_of(run)
            if found not in wanted:
                return False
            # nothing was worked since its process ended, or since it was paused
            was_idle = found in (RunState.INTERRUPTED, RunState.PAUSED)
            ended = run.finished_at or run.heard_at or run.started_at if was_idle else time.time()
            update_run(connection, run_id, state=state, finished_at=ended)
        return True

    def _plan(self, rows: PlannedRows) -> str:
        with self.database.writing() as connection:
            insert_run(connection, rows.run, rows.challenges)
            insert_completions(connection, rows.completions)
        return rows.run.id


def open_runs(settings: Settings) -> Runs:
    """The run service over the configured database and artifact store.

    Raises DatabaseUnavailable, SchemaOutdated, InvalidInput.
    """
    return Runs(open_database(settings.database_url), open_store(settings.artifacts_url))


def found_run(connection: Connection, run_id: str) -> RunRow:
    """The run with exactly this id. Raises RunNotFound."""
    return _found(run_id, find_run(connection, run_id))


def _set_off(connection: Connection, run: RunRow, owner: str | None) -> None:
    """Let the controller send whatever is missing, whatever was given up or sent before."""
    forget_attempts(connection, run.id)
    take_draws(connection, run)
    update_run(
        connection,
        run.id,
        state=RunState.RUNNING,
        seconds_before=standing.seconds_worked(run) or 0.0,
        started_at=time.time(),
        finished_at=None,
        owner=owner,
    )


def _owner() -> str | None:
    """Whose end would interrupt a run that begins now; a cluster's belongs to no process."""
    return own_mark() if current().is_embedded else None


def _found(run_id: str, run: RunRow | None) -> RunRow:
    if run is None:
        raise RunNotFound(f"no run is called {run_id}", hint="crucible runs list")
    return run


def _only(text: str, rows: Sequence[RunRow]) -> RunRow:
    if len(rows) == 1:
        return rows[0]
    if not rows:
        problem = "there are no runs yet" if text == LATEST else f"no run begins with {text!r}"
        raise RunNotFound(problem, hint="crucible runs list")
    names = ", ".join(row.id for row in rows[:_SHOWN]) + (", …" if len(rows) > _SHOWN else "")
    raise RunNotFound(f"several runs match {text!r}: {names}", hint="give more of the id")
