"""The controller's gangs: all hosts or none, one gang at a time, nothing held or lost for ever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest
from celery.canvas import Signature

from crucible_api.fine_tune_reports import FineTuneInfo
from crucible_infra.database import open_database
from crucible_infra.database.fine_tunes import update_fine_tune
from crucible_tasks.fine_tuning import (
    EXIT_GANG_BROKEN,
    FineTuneRequest,
    FineTuneState,
    SavedCheckpoint,
    TrainingFailure,
    TrainingNews,
    TrainingOrder,
    TrainingStep,
)
from crucible_tasks.gang import GangOrder, GangReport, GangWord
from crucible_workers.control_gangs import FRESH_SECONDS, GATHER_SECONDS
from crucible_workers.control_leases import SILENT_SECONDS
from training_workshop import TrainingWorkshop


@dataclass
class Floor:
    """A workshop whose workers are only what they report."""

    workshop: TrainingWorkshop
    there: set[str] = field(default_factory=lambda: {"w0", "w1", "w2"})

    def __post_init__(self) -> None:
        shop = self.workshop
        shop.controller = replace(shop.controller, trainers=lambda: frozenset(self.there))

    def begin(self, name: str, hosts: int) -> str:
        """Plan and start a gang; what was sent before stays."""
        sent, self.workshop.sent[:] = list(self.workshop.sent), []
        fine_tune_id = self.workshop.begin(name, hosts=hosts)
        self.wait(1)
        with self.workshop.database.writing() as connection:
            # doors know no time but the real one
            update_fine_tune(connection, fine_tune_id, created_at=self.workshop.clock())
        self.workshop.sent[:0] = sent
        return fine_tune_id

    def take(self) -> list[FineTuneRequest]:
        """All messages that wait."""
        messages: list[Signature] = list(self.workshop.sent)
        self.workshop.sent.clear()
        return [msgspec.convert(one.args[0], FineTuneRequest) for one in messages]

    def report(self, request: FineTuneRequest, host: str, token: str = "") -> GangOrder:
        return self.workshop.controller.gangs.join(
            GangReport(
                *(request.fine_tune_id, request.attempt, request.member or 0, token or host),
                *(host, host, f"10.0.0.{host[-1]}", 4711),
            )
        )

    def tell(self, request: FineTuneRequest, host: str, news: TrainingNews) -> TrainingOrder:
        own = replace(news, fine_tune_id=request.fine_tune_id, attempt=request.attempt)
        return self.workshop.controller.store(
            replace(own, member=request.member, token=host, host=host)
        )

    def gathered(self, name: str = "mine") -> tuple[str, list[FineTuneRequest]]:
        """A gang of two that has begun on w0 and w1."""
        fine_tune_id = self.begin(name, 2)
        requests = self.take()
        self.report(requests[0], "w0")
        assert self.report(requests[1], "w1").word is GangWord.BEGIN
        return fine_tune_id, requests

    def wait(self, seconds: float) -> None:
        self.workshop.clock.now += seconds

    def look(self) -> None:
        self.workshop.controller.reconcile(None)

    def info(self, fine_tune_id: str) -> FineTuneInfo:
        return self.workshop.fine_tunes.info(fine_tune_id)


NEWS = TrainingNews("", 0, "")


@pytest.fixture
def floor(tmp_path: Path, crucible_home: Path) -> Iterator[Floor]:
    assert crucible_home
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    yield Floor(TrainingWorkshop(database, tmp_path))
    database.close()


def test_a_gang_begins_when_all_are_there_and_meets_at_the_first(floor: Floor) -> None:
    fine_tune_id = floor.begin("mine", 2)
    requests = floor.take()
    assert [one.member for one in requests] == [0, 1]

    assert floor.report(requests[1], "w1").word is GangWord.WAIT
    assert floor.info(fine_tune_id).waits == "waits for 1 of 2 hosts"
    order = floor.report(requests[0], "w0")
    assert (order.word, order.hosts, order.address, order.port) == (
        *(GangWord.BEGIN, 2, "10.0.0.0", 4711),
    )
    # it had asked before that, and its answer may have been lost as well
    for _ in range(2):
        assert floor.report(requests[1], "w1") == order
    assert floor.info(fine_tune_id).waits is None


def test_only_the_seat_that_was_given_is_answered_for(floor: Floor) -> None:
    _, requests = floor.gathered()

    assert floor.tell(requests[0], "w0", NEWS).goes_on
    assert floor.tell(requests[0], "w2", NEWS).is_over
    forged = replace(requests[0], member=1)
    assert floor.tell(forged, "w0", NEWS).is_over
    assert floor.report(forged, "w0").word is GangWord.GO
    alone = replace(requests[0], member=None)
    assert floor.tell(alone, "w0", NEWS).is_over


def test_a_worker_that_is_not_heard_holds_no_seat(floor: Floor) -> None:
    floor.begin("mine", 2)
    requests = floor.take()
    floor.report(requests[0], "w0")
    floor.wait(FRESH_SECONDS)
    assert floor.report(requests[1], "w1").word is GangWord.WAIT
    assert floor.report(requests[0], "w2").word is GangWord.BEGIN
    assert floor.tell(requests[0], "w0", NEWS).is_over


def test_a_seat_that_is_held_is_not_taken(floor: Floor) -> None:
    floor.begin("mine", 2)
    requests = floor.take()
    floor.report(requests[0], "w0")
    # another one is given the message, while the first may only be slow
    assert floor.report(requests[0], "w2").word is GangWord.WAIT
    assert floor.report(requests[1], "w1").address == "10.0.0.0"


def test_a_gang_that_does_not_come_together_gives_its_hosts_back(floor: Floor) -> None:
    fine_tune_id = floor.begin("mine", 3)
    requests = floor.take()
    # nobody is held, so nothing is over
    floor.wait(10 * GATHER_SECONDS)
    for limit in (GATHER_SECONDS, 2 * GATHER_SECONDS):
        assert floor.report(requests[0], "w0").word is GangWord.WAIT
        floor.wait(limit - 1)
        assert floor.report(requests[0], "w0").word is GangWord.WAIT
        assert floor.report(requests[1], "w1").word is GangWord.WAIT
        assert not floor.workshop.sent
        floor.wait(1)
        assert floor.report(requests[1], "w1").word is GangWord.GO
        assert floor.report(requests[0], "w0").word is GangWord.GO
        # nobody else wants them: it is its turn again, behind what waits
        requests = floor.take()
        assert len(requests) == 3
    assert floor.info(fine_tune_id).row.failures == 0


def test_gangs_take_turns_and_none_is_forgotten(floor: Floor) -> None:
    ids = {name: floor.begin(name, 2) for name in ("old", "young")}
    requests = floor.take()
    assert {one.fine_tune_id for one in requests} == {ids["old"]}
    waits = floor.info(ids["young"]).waits
    assert waits == "waits for its turn: old gathers 2 hosts"

    floor.report(requests[0], "w0")
    floor.wait(GATHER_SECONDS)
    floor.report(requests[0], "w0")
    requests = floor.take()
    assert {one.fine_tune_id for one in requests} == {ids["young"]}
    # who comes later is behind who has had a turn before that
    floor.begin("new", 2)
    floor.report(requests[0], "w0")
    assert floor.report(requests[1], "w1").word is GangWord.BEGIN
    assert {one.fine_tune_id for one in floor.take()} == {ids["old"]}


def test_hosts_that_are_not_there_are_not_waited_for_in_silence(floor: Floor) -> None:
    large, small = floor.begin("large", 4), floor.begin("small", 3)

    assert floor.info(large).waits == "waits for 4 hosts: there are 3"
    assert {one.fine_tune_id for one in floor.take()} == {small}
    floor.workshop.fine_tunes.stop(small)
    floor.there.add("w3")
    floor.look()
    assert {one.fine_tune_id for one in floor.take()} == {large}


def test_who_is_left_alone_ends_the_attempt_for_all(floor: Floor) -> None:
    fine_tune_id, requests = floor.gathered()
    kept = (SavedCheckpoint("checkpoint-5", "c" * 64),)
    step = TrainingStep(5, 9, 1.0, None, None, 1, None, None, None, 0.1)
    floor.tell(requests[0], "w0", replace(NEWS, steps=(step,), checkpoints=kept))
    failure = TrainingFailure("a member is gone", is_transient=True, exit_code=EXIT_GANG_BROKEN)
    floor.tell(requests[1], "w1", replace(NEWS, failure=failure))

    assert floor.tell(requests[0], "w0", NEWS).is_over
    again = floor.take()
    floor.report(again[0], "w2")
    order = floor.report(again[1], "w1")
    assert (order.word, order.address, order.checkpoints) == (GangWord.BEGIN, "10.0.0.2", kept)
    assert floor.info(fine_tune_id).row.failures == 1


def test_a_worker_that_has_vanished_is_missed(floor: Floor) -> None:
    fine_tune_id, requests = floor.gathered()
    floor.wait(SILENT_SECONDS)
    floor.tell(requests[0], "w0", NEWS)
    # it may be fetching weights
    floor.look()
    assert floor.tell(requests[0], "w0", NEWS).goes_on

    floor.there.remove("w1")
    floor.look()
    assert floor.tell(requests[0], "w0", NEWS).is_over
    assert floor.info(fine_tune_id).row.reason == "the host w1 was lost"


def test_a_message_that_is_given_to_another_worker_ends_the_attempt(floor: Floor) -> None:
    _, requests = floor.gathered()

    assert floor.report(requests[1], "w2").word is GangWord.GO
    assert floor.tell(requests[0], "w0", NEWS).is_over
    assert len(floor.take()) == 2


def test_only_the_first_tells_who_trains_and_a_stop_keeps_its_checkpoint(floor: Floor) -> None:
    fine_tune_id, requests = floor.gathered()
    floor.tell(requests[0], "w0", NEWS)
    floor.tell(requests[1], "w1", NEWS)
    assert floor.info(fine_tune_id).row.host == "w0"

    floor.workshop.fine_tunes.stop(fine_tune_id)
    told = floor.tell(requests[1], "w1", NEWS)
    assert (told.goes_on, told.is_over) == (False, False)
    kept = (SavedCheckpoint("checkpoint-7", "d" * 64),)
    floor.tell(requests[0], "w0", replace(NEWS, checkpoints=kept, has_stopped=True))
    info = floor.info(fine_tune_id)
    assert (info.state, info.is_resting) == (FineTuneState.STOPPED, True)

    floor.workshop.start(fine_tune_id)
    again = floor.take()
    floor.report(again[0], "w1")
    assert floor.report(again[1], "w0").checkpoints == kept


def test_an_address_that_only_its_own_host_reaches_is_refused(floor: Floor) -> None:
    fine_tune_id = floor.begin("mine", 2)
    requests = floor.take()
    floor.report(requests[0], "w0")
    report = GangReport(
        *(fine_tune_id, requests[1].attempt, 1, "w1", "w1", "w1", "127.0.0.1", 4711)
    )

    assert floor.workshop.controller.gangs.join(report).word is GangWord.GO
    info = floor.info(fine_tune_id)
    assert info.state is FineTuneState.FAILED
    assert "cannot reach w1 at 127.0.0.1" in (info.row.reason or "")
