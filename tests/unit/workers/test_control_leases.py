"""When what was sent counts as lost: by silence on a laptop, by asking Redis in a cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import scripted_run
from crucible_infra.database import open_database
from crucible_tasks.control import Reconcile
from crucible_tasks.planning import RunState
from crucible_workers.control_leases import LEASE_SECONDS, SILENT_SECONDS, Leases
from scripted_run import Workshop


class Broker:
    """Says of a message that it is there, or that it is not, and counts the questions."""

    def __init__(self, *, holds: bool) -> None:
        self.holds = holds
        self.asked: list[frozenset[str]] = []

    def __call__(self, run_id: str, queues: frozenset[str]) -> bool:
        assert run_id
        self.asked.append(queues)
        return self.holds


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(open_database(f"sqlite:///{tmp_path / 'runs.db'}"), tmp_path)


def _in_a_cluster(workshop: Workshop, broker: Broker) -> str:
    """A run of a cluster, whose messages are under way."""
    workshop.controller = replace(workshop.controller, leases=Leases(broker))
    run_id = workshop.begin(scripted_run.plan())
    workshop.wire.take()
    workshop.controller.reconcile(Reconcile())
    assert workshop.wire.take()
    return run_id


def test_redis_is_asked_only_after_a_silence(workshop: Workshop) -> None:
    broker = Broker(holds=True)
    _in_a_cluster(workshop, broker)
    workshop.clock.now += SILENT_SECONDS - 1
    workshop.controller.reconcile(Reconcile())
    assert broker.asked == []
    workshop.clock.now += 1
    workshop.controller.reconcile(Reconcile())
    assert broker.asked == [frozenset({"generation", "evaluation", "controller"})]


def test_what_is_there_is_never_lost(workshop: Workshop) -> None:
    _in_a_cluster(workshop, Broker(holds=True))
    for seconds in (SILENT_SECONDS, LEASE_SECONDS, 10 * LEASE_SECONDS, -20 * LEASE_SECONDS):
        workshop.clock.now += seconds
        workshop.controller.reconcile(Reconcile())
        assert workshop.wire.take() == []


def test_what_nobody_has_is_sent_again_at_once(workshop: Workshop) -> None:
    run_id = _in_a_cluster(workshop, Broker(holds=False))
    workshop.clock.now += SILENT_SECONDS
    workshop.controller.reconcile(Reconcile())
    assert workshop.wire.sent
    workshop.finish()
    assert workshop.runs.progress(run_id).state is RunState.FINISHED


def test_what_is_lost_each_time_ends(workshop: Workshop) -> None:
    run_id = _in_a_cluster(workshop, Broker(holds=False))
    for _ in range(3):
        workshop.wire.take()
        workshop.clock.now += SILENT_SECONDS
        workshop.controller.reconcile(Reconcile())
    progress = workshop.runs.progress(run_id)
    assert progress.state is RunState.INCOMPLETE
    assert all("the message was lost" in failure for failure in progress.failures)


def test_a_clock_that_was_set_back_is_no_reason_to_wait(workshop: Workshop) -> None:
    broker = Broker(holds=False)
    _in_a_cluster(workshop, broker)
    workshop.clock.now -= 3600
    workshop.controller.reconcile(Reconcile())
    assert broker.asked
    assert workshop.wire.sent
