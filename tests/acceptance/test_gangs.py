"""Fine-tunes of several hosts, each with a network of its own: the losses of one, whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from cluster import Cluster, Worker, cluster
from crucible_api.fine_tune_reports import FineTuneInfo
from crucible_api.fine_tunes import FineTunes
from crucible_infra import settings
from crucible_infra.artifacts import open_store
from crucible_infra.database import Database, open_database
from crucible_infra.database.gang_seats import seats_of
from crucible_tasks import demo_repository
from crucible_tasks.fine_tuning import (
    FineTuneState,
    TrainingJob,
    TrainingStep,
    read_steps,
    write_job,
)
from crucible_tasks.recipe import Recipe
from crucible_workers.weight_files import locate
from either_trainer import SCRIPTED
from scripted_trainer import losses
from services import ServiceMissing
from worker_hosts import TESTS, python_path

pytestmark = pytest.mark.timeout(600)

#: a gang's members start torch twice, on two cores that others use as well
PATIENCE_SECONDS = 400.0

HOSTS = ("left", "middle", "right")

STEPS = 30

LOADED = f"""
import short_waits, sys
from crucible_workers import fine_tune
fine_tune.TRAINER = (sys.executable, {str(TESTS / "either_trainer.py")!r}, "0.2", "well")
"""

#: few and short steps, each of which can be gone on from
RECIPE = """\
learning_rate: 0.0015
max_steps: 8
batch: 4
sequence_tokens: 128
eval_every: 4
checkpoint_every: 1
precision: float32
threads: 1
"""


@dataclass
class Field:
    """Three hosts that train, a desk, a store, and what the desk's database says."""

    cluster: Cluster
    database: Database
    directory: Path

    @property
    def fine_tunes(self) -> FineTunes:
        return FineTunes(self.database)

    def begin(self, name: str, *words: str) -> str:
        """Start one on the cluster; returns its id."""
        tree = ("--directory", str(self.directory / "orchard"))
        said = self.cluster.door(
            *("fine-tune", "--model", "nano", *tree, "--new-model-name", name),
            *("--no-proof", "--detach", *words),
            patience_seconds=PATIENCE_SECONDS,
        )
        assert said.code == 0, said.err
        return said.out.strip()

    def info(self, fine_tune_id: str) -> FineTuneInfo:
        return self.fine_tunes.info(fine_tune_id)

    def losses(self, fine_tune_id: str) -> list[float]:
        return [step.loss for step in self.fine_tunes.steps(fine_tune_id, 0) if step.loss]

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{what}\n{self.said()}"
            time.sleep(0.1)

    def until_step(self, fine_tune_id: str, step: int) -> None:
        self.until(lambda: len(self.losses(fine_tune_id)) >= step, f"no step {step}")

    def until_over(self, *fine_tune_ids: str) -> None:
        self.until(lambda: all(self.info(one).is_over for one in fine_tune_ids), "not over")
        for one in fine_tune_ids:
            assert self.info(one).state is FineTuneState.FINISHED, self.info(one).row.reason

    def worker_of(self, fine_tune_id: str, member: int) -> Worker:
        """The worker that is this member now."""
        with self.database.reading() as connection:
            seat = seats_of(connection, fine_tune_id)[member]
        return next(
            one
            for one in self.cluster.workers
            if one.queue == "fine_tune" and one.host.address == seat.address
        )

    def said(self) -> str:
        """The last words of every worker."""
        logs = self.cluster.directory.glob("*.log")
        return "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in sorted(logs))


@pytest.fixture(scope="module")
def field() -> Iterator[Field]:
    # not pytest's own, which is private: Postgres runs as another user
    try:
        with tempfile.TemporaryDirectory() as place, cluster(Path(place), *HOSTS) as made:
            loaded = Path(place) / "loaded"
            loaded.mkdir()
            (loaded / "sitecustomize.py").write_text(LOADED)
            for host in HOSTS:
                path = python_path(loaded)
                made.add_worker(host, "fine_tune", PYTHONPATH=path, OMP_NUM_THREADS="1")
            made.add_worker("desk", "controller", PYTHONPATH=path)
            demo_repository.write(Path(place) / "orchard")
            database = open_database(made.postgres.watch_url)
            yield Field(made, database, Path(place))
            database.close()
    except ServiceMissing as error:
        # who is not root can make no hosts, also where everything must be there
        if settings.read(os.environ).is_ci and os.geteuid() == 0:
            pytest.fail(str(error))
        pytest.skip(str(error))


def _scripted(hosts: int) -> Sequence[str]:
    return ("--hosts", str(hosts), "--max-steps", str(STEPS), "--seed", str(SCRIPTED))


def test_more_hosts_than_there_are_are_not_waited_for(field: Field) -> None:
    tree = str(field.directory / "orchard")
    said = field.cluster.door(
        *("fine-tune", "--model", "nano", "--directory", tree, "--new-model-name", "wide"),
        *("--hosts", "4"),
    )
    assert said.code == 1
    assert "3 workers serve the queue fine_tune, and 4 are asked for" in said.err


def test_two_gangs_of_two_on_three_hosts_both_end(field: Field) -> None:
    gangs = [field.begin(name, *_scripted(2)) for name in ("one", "other")]
    alone = field.begin("alone", *_scripted(1))

    field.until_over(*gangs, alone)
    for one in (*gangs, alone):
        assert field.losses(one) == losses(STEPS)
        assert field.info(one).row.failures == 0


def test_whoever_of_a_gang_is_killed_it_ends_with_the_same_losses(field: Field) -> None:
    fine_tune_id = field.begin("scripted", *_scripted(2))
    for step, member in ((7, 1), (17, 0)):
        field.until_step(fine_tune_id, step)
        field.worker_of(fine_tune_id, member).signal(signal.SIGKILL)
    field.until_step(fine_tune_id, 23)
    field.worker_of(fine_tune_id, 1).ask_to_end()
    field.until_over(fine_tune_id)

    assert field.losses(fine_tune_id) == losses(STEPS)
    starts = [int(note.rpartition(" ")[2]) for note in field.info(fine_tune_id).row.notes]
    first, second, third, fourth = starts
    # who was killed leaves the last checkpoint that it had time to store
    assert first == 0
    assert second in (5, 10)
    assert third in (10, 15, 20)
    # who was asked to end has the whole gang leave one
    assert fourth >= 23


def test_a_gang_comes_to_the_losses_of_one_process(field: Field) -> None:
    recipe = field.directory / "recipe.yaml"
    recipe.write_text(RECIPE)
    fine_tune_id = field.begin("real", "--hosts", "2", "--recipe", str(recipe))
    field.until_step(fine_tune_id, 3)
    # the one that writes the checkpoints: another host goes on from what the store has of them
    field.worker_of(fine_tune_id, 0).signal(signal.SIGKILL)
    field.until_over(fine_tune_id)

    info = field.info(fine_tune_id)
    alone = _alone(field, info)
    together = field.fine_tunes.steps(fine_tune_id)
    # the kill was seen, and what came after it was further than before
    assert (info.row.attempt, info.row.failures) == (2, 0)
    assert [step.step for step in together] == [*alone]
    assert [step.tokens for step in together] == [step.tokens for step in alone.values()]
    for step in together:
        for name in ("loss", "held_out_loss"):
            found, expected = getattr(step, name), getattr(alone[step.step], name)
            assert (found is None) == (expected is None)
            # another order of the same sums, in the fifth digit after eight steps of Adam
            assert found is None or found == pytest.approx(expected, rel=1e-4)


def _alone(field: Field, info: FineTuneInfo) -> dict[int, TrainingStep]:
    """The steps of the same training in one process."""
    place = field.directory / "alone"
    place.mkdir()
    corpus = place / "corpus.jsonl"
    store = open_store(str(field.cluster.directory / "artifacts"))
    corpus.write_bytes(store.get(info.row.corpus))
    recipe = msgspec.convert(info.row.recipe, Recipe)
    job = TrainingJob(str(locate("nano")), str(corpus), recipe, str(place / "output"))
    write_job(job, place / "job.json")
    subprocess.run(
        [sys.executable, "-m", "crucible_workers.trainer", str(place / "job.json")],
        check=True,
        timeout=PATIENCE_SECONDS,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return read_steps(place / "output" / "progress.jsonl")
