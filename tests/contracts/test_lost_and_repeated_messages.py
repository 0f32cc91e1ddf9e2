from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st

import scripted_run
from crucible_infra.database import open_database, upgrade
from crucible_tasks.control import Reconcile
from crucible_tasks.evaluation import Judgement
from crucible_tasks.generation import Generation
from crucible_tasks.planning import RunState
from crucible_tasks.scores import Counts, Score
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.control_leases import LEASE_SECONDS
from scripted_run import Answer, Workshop

Item = TypeVar("Item")


@dataclass
class Weather:
    """Whatever can happen to a run between two messages, chosen by a seeded source."""

    workshop: Workshop
    run_id: str
    chance: random.Random
    requests: list[object] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def work(self) -> None:
        """A worker answers any waiting request, whole or in part; the request may come again."""
        request = self._any(self.requests)
        if isinstance(request, Reconcile):
            self.workshop.controller.reconcile(request)
        elif request is not None:
            self.answers.append(self._damaged(scripted_run.answer(request)))

    def store(self) -> None:
        """An answer arrives, in any order, and may arrive again."""
        answer = self._any(self.answers)
        if answer is not None:
            self.workshop.store(answer)

    def lose(self) -> None:
        """A broker forgets."""
        if self.chance.random() < 0.5:
            self.requests = self.requests[1:]
        else:
            self.answers = self.answers[1:]

    def look(self) -> None:
        """The controller looks for what is missing, sometimes long after the last answer."""
        self.workshop.clock.now += self.chance.choice([1.0, LEASE_SECONDS])
        self.workshop.controller.reconcile(Reconcile())

    def interrupt(self) -> None:
        """Somebody stops the run, or goes on with it."""
        change = self.chance.choice([self.workshop.runs.stop, self.workshop.runs.resume])
        change(self.run_id)

    def crash(self) -> None:
        """Everything but the database is gone."""
        self.requests.clear()
        self.answers.clear()

    def collect(self) -> None:
        """What was sent since comes to the waiting requests."""
        self.requests += self.workshop.wire.take()

    def _any(self, pool: list[Item]) -> Item | None:
        if not pool:
            return None
        position = self.chance.randrange(len(pool))
        return pool[position] if self.chance.random() < 0.3 else pool.pop(position)

    def _damaged(self, answer: Answer) -> Answer:
        if self.chance.random() < 0.6:
            return answer
        if isinstance(answer, Generation):
            kept = tuple(one for one in answer.completions if self.chance.random() < 0.5)
            return replace(
                answer,
                completions=kept,
                failure="server went away",
                is_transient=self.chance.random() < 0.8,
            )
        broken = Verdict(Outcome.INFRA_ERROR, "prison died")
        return replace(
            answer,
            judgements=tuple(
                Judgement(one.index, broken, one.extraction, None)
                if self.chance.random() < 0.5
                else one
                for one in answer.judgements
            ),
        )


#: work and news are the rule, so that most runs come as far as their verdicts
HAPPENINGS: tuple[Callable[[Weather], None], ...] = (
    *(Weather.work, Weather.store) * 6,
    Weather.lose,
    Weather.look,
    Weather.interrupt,
    Weather.crash,
)


@dataclass(frozen=True)
class Result:
    """What a run ends in."""

    counts: tuple[Counts, ...]
    scores: tuple[Score, ...]


def _result(workshop: Workshop, run_id: str) -> Result:
    return Result(workshop.runs.counts(run_id), workshop.runs.summary(run_id).scores)


def _undisturbed(workshop: Workshop) -> Result:
    run_id = workshop.begin()
    workshop.finish()
    return _result(workshop, run_id)


def _check(workshop: Workshop, expected: Result, happenings: list[int], seed: int) -> None:
    run_id = workshop.begin()
    weather = Weather(workshop, run_id, random.Random(seed))
    for happening in happenings:
        weather.collect()
        HAPPENINGS[happening](weather)
    weather.collect()
    # what is still on its way arrives late, after everything was asked for again
    workshop.runs.resume(run_id)
    workshop.finish()
    for answer in weather.answers:
        workshop.store(answer)
    workshop.finish()
    summary = workshop.runs.summary(run_id)
    assert summary.run.state is RunState.FINISHED
    assert _result(workshop, run_id) == expected
    assert (summary.progress.generated, summary.progress.judged) == (12, 12)
    _check_no_row_twice(workshop, run_id)


def _check_no_row_twice(workshop: Workshop, run_id: str) -> None:
    with workshop.database.reading() as connection:
        for table in ("completions", "verdicts"):
            query = f'SELECT task_id, "index" FROM {table} WHERE run_id = :run'
            rows = connection.execute(sqlalchemy.text(query), {"run": run_id}).all()
            assert len(rows) == len(set(rows)) == 12


@pytest.mark.parametrize(("engine", "examples"), [("sqlite", 25), ("postgres", 8)])
def test_every_order_of_messages_ends_in_the_same_scores(
    engine: str, examples: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    if engine == "postgres":
        url = str(request.getfixturevalue("postgres_database_url"))
        upgrade(url)
    database = open_database(url)
    workshop = Workshop(database, tmp_path)
    expected = _undisturbed(workshop)
    assert 0 < sum(count.c for count in expected.counts) < 12

    @settings(max_examples=examples, deadline=None, database=None)
    @given(
        st.lists(st.integers(0, len(HAPPENINGS) - 1), min_size=20, max_size=100),
        st.integers(0, 2**32),
    )
    def check(happenings: list[int], seed: int) -> None:
        workshop.wire.take()
        _check(workshop, expected, happenings, seed)

    check()
    database.close()
