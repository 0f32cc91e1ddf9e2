"""The controller's fine-tunes: sent once, told by one, finished with a name, sent again if lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crucible_infra.database import open_database
from crucible_infra.errors import BrokerUnavailable, FineTuneNotFound, ModelError, NameTaken
from crucible_tasks.fine_tuning import (
    AdapterRecord,
    FineTuneRequest,
    FineTuneState,
    TrainedAdapter,
    TrainingFailure,
    TrainingNews,
    TrainingStep,
)
from crucible_tasks.parking import REASON
from crucible_workers.control_leases import SILENT_SECONDS
from training_workshop import TrainingWorkshop


@pytest.fixture
def workshop(tmp_path: Path, crucible_home: Path) -> Iterator[TrainingWorkshop]:
    assert crucible_home
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    yield TrainingWorkshop(database, tmp_path)
    database.close()


def _news(request: FineTuneRequest, *steps: int) -> TrainingNews:
    told = tuple(TrainingStep(one, 9, 1.0, None, None, 1, None, None, None, 0.1) for one in steps)
    return TrainingNews(request.fine_tune_id, request.attempt, "host", told)


def _adapter(request: FineTuneRequest) -> TrainedAdapter:
    record = AdapterRecord(
        *("tiny", "b", "c", request.recipe, 9, 9, False, 90, 1.0),
        *(2.0, 1.0, 7.4, 2.7, (), {}),
    )
    return TrainedAdapter("a" * 64, record)


def test_it_is_sent_once_however_often_it_is_looked_after(workshop: TrainingWorkshop) -> None:
    workshop.begin()
    workshop.controller.reconcile(None)

    assert len(workshop.sent) == 1


def test_only_the_last_attempt_is_heard(workshop: TrainingWorkshop) -> None:
    fine_tune_id = workshop.begin()
    first = workshop.take()
    assert workshop.controller.store(_news(first, 1)).goes_on
    workshop.controller.store(replace(_news(first), has_stopped=True))
    second = workshop.take()

    assert not workshop.controller.store(_news(first, 2)).goes_on
    forged = replace(_news(second, 3), attempt=second.attempt + (1 << 20))
    assert not workshop.controller.store(forged).goes_on
    assert workshop.controller.store(_news(second, 4)).goes_on
    assert [step.step for step in workshop.fine_tunes.steps(fine_tune_id)] == [1, 4]


def test_an_adapter_that_is_told_twice_is_registered_once(workshop: TrainingWorkshop) -> None:
    workshop.begin("mine")
    request = workshop.take()
    last = replace(_news(request), adapter=_adapter(request))

    for _ in range(2):
        assert not workshop.controller.store(last).goes_on
    assert [one.name for one in workshop.fine_tunes.registered()] == ["mine"]
    with pytest.raises(NameTaken, match="there is a model called mine already"):
        workshop.begin("mine")


def test_a_model_that_was_finished_while_it_was_stopped_counts(workshop: TrainingWorkshop) -> None:
    fine_tune_id = workshop.begin()
    request = workshop.take()
    workshop.fine_tunes.stop(fine_tune_id)

    assert not workshop.controller.store(_news(request, 1)).goes_on
    workshop.controller.store(replace(_news(request), adapter=_adapter(request)))
    assert workshop.fine_tunes.info(fine_tune_id).state is FineTuneState.FINISHED


def test_a_step_further_forgives_what_failed_before(workshop: TrainingWorkshop) -> None:
    fine_tune_id = workshop.begin()
    failure = TrainingFailure(REASON, is_transient=True)
    for step in range(1, 6):
        request = workshop.take()
        workshop.controller.store(_news(request, step))
        workshop.controller.store(replace(_news(request), failure=failure))
    # the same step again is nothing new
    for _ in range(2):
        request = workshop.take()
        workshop.controller.store(replace(_news(request, 5), failure=failure))

    info = workshop.fine_tunes.info(fine_tune_id)
    assert (info.state, info.row.failures) == (FineTuneState.FAILED, 3)
    assert info.row.reason == REASON


def test_a_lost_message_is_sent_again_and_one_that_is_held_is_not(
    workshop: TrainingWorkshop,
) -> None:
    is_held = [True]
    workshop.controller = replace(workshop.controller, is_held=lambda *_: is_held[0])
    workshop.begin()
    request = workshop.take()
    workshop.clock.now += SILENT_SECONDS
    workshop.controller.reconcile(None)
    assert not workshop.sent

    is_held[0] = False
    workshop.controller.reconcile(None)
    again = workshop.take()
    assert again.attempt != request.attempt
    assert not workshop.controller.store(_news(request)).goes_on


def test_a_message_that_no_broker_took_is_not_under_way(workshop: TrainingWorkshop) -> None:
    def refuse(message: object) -> None:
        raise BrokerUnavailable(str(message))

    fine_tune_id = workshop.begin()
    request = workshop.take()
    refusing = replace(workshop.controller, send=refuse)
    with pytest.raises(BrokerUnavailable):
        refusing.store(replace(_news(request), has_stopped=True))
    assert workshop.fine_tunes.info(fine_tune_id).is_resting
    workshop.controller.reconcile(None)
    assert workshop.sent


def test_it_is_found_by_its_name_or_the_parts_of_its_id(workshop: TrainingWorkshop) -> None:
    fine_tune_id = workshop.begin("mine")

    for text in ("mine", fine_tune_id, fine_tune_id[:4], fine_tune_id[-4:], "latest"):
        assert workshop.fine_tunes.find(text).row.id == fine_tune_id
    with pytest.raises(FineTuneNotFound):
        workshop.fine_tunes.find("nothing")


def test_a_name_is_taken_from_the_moment_it_is_planned(workshop: TrainingWorkshop) -> None:
    workshop.begin("mine")

    with pytest.raises(NameTaken) as caught:
        workshop.fine_tunes.demand_free("mine")
    assert "crucible fine-tunes resume" in str(caught.value.hint)


def test_who_asks_for_a_model_that_is_not_made_yet_is_told_of_its_fine_tune(
    workshop: TrainingWorkshop,
) -> None:
    fine_tune_id = workshop.begin("mine")
    for state, way in (("running", "follow mine"), ("stopped", "resume mine")):
        with pytest.raises(ModelError, match=f"not made mine yet: it is {state}") as caught:
            workshop.fine_tunes.demand_made("mine")
        assert str(caught.value.hint).endswith(way)
        workshop.fine_tunes.stop(fine_tune_id)
    workshop.fine_tunes.demand_made("somebody-elses")
