"""A training beside its worker: told, stopped, resumed, failed; the trainer is a real process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crucible_infra.database import open_database
from crucible_infra.errors import ArtifactMissing, StorageError
from crucible_tasks.fine_tuning import FineTuneState
from crucible_workers import fine_tune
from crucible_workers.training_place import training_place
from scripted_trainer import losses
from training_workshop import STEPS, TrainingWorkshop


@pytest.fixture
def workshop(
    tmp_path: Path, crucible_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TrainingWorkshop]:
    assert crucible_home
    for name in ("_LOOK", "_TELL", "_SAVE", "_RETRY", "_BLAME"):
        monkeypatch.setattr(fine_tune, f"{name}_SECONDS", 0.02)
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    yield TrainingWorkshop(database, tmp_path)
    database.close()


def _until_step(workshop: TrainingWorkshop, fine_tune_id: str, step: int) -> None:
    deadline = time.monotonic() + 60
    while len(workshop.losses(fine_tune_id)) < step:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_training_is_told_and_its_model_registered(workshop: TrainingWorkshop) -> None:
    fine_tune_id = workshop.begin("mine")
    workshop.outage = 2
    workshop.work()
    info = workshop.fine_tunes.info(fine_tune_id)

    assert info.state is FineTuneState.FINISHED
    assert workshop.losses(fine_tune_id) == losses(STEPS)
    assert info.row.notes == ["goes on from step 0"]
    assert info.adapter is not None
    assert info.adapter.name == "mine"
    assert info.adapter.record["perplexity"] == 1.6
    # its space is given back
    assert not (workshop.directory / "one" / fine_tune_id).exists()


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_stopped_training_goes_on_from_its_checkpoint(
    workshop: TrainingWorkshop, *, is_shared: bool
) -> None:
    workshop.is_shared = is_shared
    fine_tune_id = workshop.begin()
    with workshop.working(seconds=0.1):
        _until_step(workshop, fine_tune_id, 3)
        assert workshop.fine_tunes.stop(fine_tune_id)
    stopped = workshop.fine_tunes.info(fine_tune_id)
    assert (stopped.state, stopped.is_resting) == (FineTuneState.STOPPED, True)
    assert not workshop.sent

    workshop.start(fine_tune_id)
    # hosts of a cluster share nothing but the store
    workshop.work(host="two" if is_shared else "one")
    info = workshop.fine_tunes.info(fine_tune_id)

    assert info.state is FineTuneState.FINISHED
    assert workshop.losses(fine_tune_id) == losses(STEPS)
    assert info.row.notes[1] != info.row.notes[0]
    assert info.row.checkpoints == []


def test_a_refusal_is_told_as_it_is_and_gives_the_name_back(workshop: TrainingWorkshop) -> None:
    fine_tune_id = workshop.begin("mine")
    workshop.work(manner="refuse")
    info = workshop.fine_tunes.info(fine_tune_id)

    assert info.state is FineTuneState.FAILED
    assert (info.row.reason, info.row.exit_code) == ("tiny is not a model (name another)", 2)
    assert info.adapter is None
    assert not workshop.sent
    workshop.fine_tunes.demand_free("mine")


def test_who_is_left_alone_by_its_gang_says_nothing_that_lasts(workshop: TrainingWorkshop) -> None:
    fine_tune_id = workshop.begin()
    workshop.work(manner="alone")
    info = workshop.fine_tunes.info(fine_tune_id)

    assert info.row.reason == "another member of the gang is gone"
    assert info.state is FineTuneState.RUNNING
    assert workshop.sent


def test_the_copy_of_a_checkpoint_stays_until_a_newer_one_is_known(
    workshop: TrainingWorkshop,
) -> None:
    root = workshop.directory / "place"
    with training_place(root, workshop.store, is_shared=True) as place:
        _checkpoint(root, 5)
        (old,) = place.new_checkpoints() or ()
        shutil.rmtree(root / "output" / "checkpoints" / "checkpoint-5")
        _checkpoint(root, 10)
        (new,) = place.new_checkpoints() or ()
        # who goes on now is told of the old one
        place.forget_replaced((old,))
        assert b"5" in b"".join(workshop.store.chunks(old.digest))
        place.forget_replaced((new,))
        with pytest.raises(ArtifactMissing):
            b"".join(workshop.store.chunks(old.digest))


def _checkpoint(root: Path, step: int) -> None:
    directory = root / "output" / "checkpoints" / f"checkpoint-{step}"
    directory.mkdir(parents=True)
    (directory / "state").write_text(str(step))
    (directory / "whole.json").write_text("{}")


def test_a_trainer_that_dies_is_started_again_but_not_for_ever(workshop: TrainingWorkshop) -> None:
    fine_tune_id = workshop.begin()
    for _ in range(3):
        assert workshop.fine_tunes.info(fine_tune_id).state is FineTuneState.RUNNING
        workshop.work(manner="crash")
    info = workshop.fine_tunes.info(fine_tune_id)

    assert info.state is FineTuneState.FAILED
    assert "killed by signal 9" in (info.row.reason or "")
    assert not workshop.sent


def test_a_trainer_that_fell_once_ends_with_the_same_losses(workshop: TrainingWorkshop) -> None:
    fine_tune_id = workshop.begin()
    workshop.work(manner="fall")
    assert workshop.fine_tunes.info(fine_tune_id).row.failures == 1
    workshop.work(manner="fall")

    assert workshop.fine_tunes.info(fine_tune_id).state is FineTuneState.FINISHED
    assert workshop.losses(fine_tune_id) == losses(STEPS)


def test_a_place_is_held_by_one_process_at_a_time(workshop: TrainingWorkshop) -> None:
    place = workshop.directory / "place"
    with (
        training_place(place, workshop.store, is_shared=False),
        pytest.raises(StorageError, match="another process"),
        training_place(place, workshop.store, is_shared=False),
    ):
        pass


def test_what_is_tethered_dies_with_its_parent() -> None:
    script = (
        "import os, subprocess, sys, time\n"
        "tether = [sys.executable, '-m', 'crucible_workers.tether', str(os.getpid())]\n"
        "words = [*tether, 'sleep', '60']\n"
        "print(subprocess.Popen(words).pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        while Path(f"/proc/{child}/comm").read_text().strip() != "sleep":
            time.sleep(0.01)
        parent.kill()
    deadline = time.monotonic() + 10
    while _is_alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{number}/stat").read_text().split()[2] != "Z"
