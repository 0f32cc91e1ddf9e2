"""Only what was asked is answered: anything else changes nothing and is said in one line."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import scripted_run
from crucible_infra.database import open_database
from crucible_infra.database.keys import ticket_key
from crucible_tasks.evaluation import Evaluation, EvaluationRequest
from crucible_tasks.generation import Generation, GenerationRequest
from crucible_tasks.planning import RunState
from crucible_tasks.shown import arguments
from crucible_workers.control_tickets import Tickets
from scripted_run import Answer, Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    yield Workshop(database, tmp_path)
    database.close()


def _asked(workshop: Workshop) -> list[GenerationRequest]:
    run_id = workshop.begin(scripted_run.plan(challenges=2))
    workshop.deliver(workshop.wire.take()[0])
    found = [one for one in workshop.wire.take() if isinstance(one, GenerationRequest)]
    assert [one.run_id for one in found] == [run_id, run_id]
    return found


def _refused(workshop: Workshop, answer: Answer, caplog: pytest.LogCaptureFixture) -> bool:
    """Whether an answer was refused in one line, and changed nothing."""
    caplog.clear()
    before = _state(workshop)
    workshop.store(answer)
    said = [record.message.split()[0] for record in caplog.records]
    return said == ["answer_refused"] and _state(workshop) == before


def _state(workshop: Workshop) -> list[tuple[object, ...]]:
    with workshop.database.reading() as connection:
        return [
            tuple(row)
            for table in ("runs", "completions", "verdicts", "attempts")
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}")
        ]


FORGERIES: dict[str, Callable[[Generation, Generation], Generation]] = {
    "no ticket": lambda mine, _: replace(mine, attempt=None),
    "a number without a seal": lambda mine, _: replace(mine, attempt=0),
    "less than nothing": lambda mine, _: replace(mine, attempt=-1),
    "another challenge's ticket": lambda mine, other: replace(mine, attempt=other.attempt),
    "another attempt": lambda mine, _: replace(mine, attempt=(mine.attempt or 0) + 1),
    "fewer indices": lambda mine, _: replace(mine, indices=mine.indices[:1]),
    "no indices": lambda mine, _: replace(mine, indices=()),
    "other indices": lambda mine, _: replace(mine, indices=(*mine.indices[:-1], 9)),
    "a completion nobody asked for": lambda mine, _: replace(
        mine, completions=(*mine.completions, replace(mine.completions[0], index=9))
    ),
    "a failure without its ticket": lambda mine, _: replace(
        mine, completions=(), failure="gone", is_transient=False, attempt=None
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_sample_changes_nothing(
    name: str, workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    mine, other = map(scripted_run.generation, _asked(workshop))
    assert _refused(workshop, FORGERIES[name](mine, other), caplog)
    workshop.store(mine)
    workshop.store(other)
    workshop.finish()
    assert workshop.runs.progress(mine.run_id).state is RunState.FINISHED


def test_a_ticket_is_of_one_run_and_one_database(
    workshop: Workshop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine, theirs = _asked(workshop)[0], _asked(workshop)[0]
    assert mine.task_id == theirs.task_id
    stolen = replace(scripted_run.generation(theirs), attempt=mine.attempt)
    assert _refused(workshop, stolen, caplog)
    with open_database(f"sqlite:///{tmp_path / 'other.db'}").reading() as connection:
        other_key = ticket_key(connection)
    with workshop.database.reading() as connection:
        assert len(ticket_key(connection)) == len(other_key) == 32
        assert ticket_key(connection) != other_key


def _evaluation_request(workshop: Workshop) -> EvaluationRequest:
    workshop.deliver(_asked(workshop)[0])
    (request,) = workshop.wire.take()
    assert isinstance(request, EvaluationRequest)
    return request


def test_a_sample_is_no_ticket_for_its_verdict(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    asked = _asked(workshop)[0]
    workshop.deliver(asked)
    (request,) = workshop.wire.take()
    assert isinstance(request, EvaluationRequest)
    right = scripted_run.evaluation(request)
    assert right.indices == asked.indices
    more = replace(right.judgements[0], index=9)
    forgeries: list[Evaluation] = [
        replace(right, attempt=asked.attempt),
        replace(right, attempt=None),
        replace(right, indices=(0,)),
        replace(right, judgements=(*right.judgements, more)),
        replace(right, judgements=(), failure="parked", is_transient=False, attempt=0),
    ]
    assert all(_refused(workshop, one, caplog) for one in forgeries)
    workshop.store(right)
    assert workshop.runs.progress(right.run_id).judged == 4


def test_part_of_an_answer_counts(workshop: Workshop) -> None:
    request = _evaluation_request(workshop)
    right = scripted_run.evaluation(request)
    workshop.store(replace(right, judgements=right.judgements[1:3], failure="out of memory"))
    assert workshop.runs.progress(right.run_id).judged == 2


def test_a_verdict_of_an_earlier_grading_is_none_of_a_later_one(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    request = _evaluation_request(workshop)
    workshop.finish()
    workshop.runs.resume(request.run_id)
    workshop.finish()
    workshop.runs.regrade(request.run_id)
    assert _refused(workshop, scripted_run.evaluation(request), caplog)
    workshop.finish()
    assert workshop.runs.progress(request.run_id).judged == 8


def test_every_controller_of_a_database_knows_every_ticket(workshop: Workshop) -> None:
    request = _asked(workshop)[0]
    workshop.controller = replace(workshop.controller, tickets=Tickets())
    workshop.deliver(request)
    assert workshop.runs.progress(request.run_id).generated == 4


def test_nobody_is_shown_a_ticket_or_the_key(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    request = _asked(workshop)[0]
    with workshop.database.reading() as connection:
        key = ticket_key(connection)
        tickets = Tickets()
        seal = tickets._read(connection)
    assert "attempt=0" in arguments({"attempt": request.attempt})
    said = repr(seal) + repr(tickets) + repr(workshop.controller) + caplog.text
    assert repr(key) not in said
    assert key.hex() not in said
    assert str(request.attempt) not in said
