"""A proof begins when its model is registered, equal but for the model; and a fine-tune removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from crucible_api import proof as proofs
from crucible_api.fine_tune_reports import FineTunePlan
from crucible_api.runs import Runs
from crucible_infra.artifacts import ArtifactStore
from crucible_infra.database import open_database
from crucible_infra.database.runs import RunRow, challenges_of, find_run
from crucible_infra.errors import FineTuneNotFound, InvalidInput
from crucible_tasks.challenges import Dataset, open_dataset, select
from crucible_tasks.corpus.corpus import Corpus, Document, Part, encode
from crucible_tasks.corpus.report import CorpusReport, PartCount
from crucible_tasks.fine_tuning import AdapterRecord, TrainedAdapter, TrainingNews
from crucible_tasks.generation import ModelIdentity
from crucible_tasks.planning import BenchmarkPlan, RunState
from crucible_tasks.proof import SAMPLING, Proof
from crucible_tasks.recipe import TOY
from training_workshop import TrainingWorkshop

NANO = ModelIdentity("nano", "nano", "built in", "d" * 64, "base", caution="toy")

EMPTY = CorpusReport(1, PartCount(1), PartCount(), {"python": 1}, (), (), (), (), ())


@pytest.fixture
def workshop(tmp_path: Path, crucible_home: Path) -> Iterator[TrainingWorkshop]:
    assert crucible_home
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    yield TrainingWorkshop(database, tmp_path)
    database.close()


@pytest.fixture
def dataset() -> Dataset:
    return select(open_dataset("humaneval"), limit=3)


def _corpus(store: ArtifactStore, dataset: Dataset) -> str:
    """One that holds the solution of the second challenge."""
    text = dataset.challenges[1].reference or ""
    documents = (Document("a.py", "python", text, Part.TRAIN),)
    return store.put(encode(Corpus("0" * 64, documents, (), EMPTY)))


def _begin(workshop: TrainingWorkshop, dataset: Dataset, name: str = "mine") -> str:
    """Plan one as the door does, and have it sent."""
    corpus = _corpus(workshop.store, dataset)
    runs = Runs(workshop.database, workshop.store)
    wished = proofs.wished(workshop.store, 2, corpus, None, [dataset])
    proof = msgspec.to_builtins(proofs.planned(runs, wished, NANO))
    plan = FineTunePlan(name, "nano", "nano", corpus, TOY, {}, proof)
    fine_tune_id = workshop.fine_tunes.plan(plan)
    workshop.start(fine_tune_id)
    return fine_tune_id


def _train(workshop: TrainingWorkshop) -> None:
    """What a worker tells when it has an adapter."""
    request = workshop.take()
    record = AdapterRecord(
        *("nano", "b", "c", request.recipe, 9, 9, False, 90, 1.0), *(2.0, 1.0, 7.4, 2.7, (), {})
    )
    adapter = TrainedAdapter(workshop.store.put(b"an adapter"), record)
    news = TrainingNews(request.fine_tune_id, request.attempt, "host", adapter=adapter)
    workshop.controller.store(news)


def _rows(workshop: TrainingWorkshop, fine_tune_id: str) -> list[RunRow]:
    """The runs of its proof: the base's, and the new model's once it is there."""
    proof = msgspec.convert(workshop.fine_tunes.info(fine_tune_id).row.proof, Proof)
    with workshop.database.reading() as connection:
        found = [find_run(connection, run_id) for run_id in proof.run_ids]
    return [row for row in found if row is not None]


def test_both_models_are_asked_the_same_when_the_new_one_is_registered(
    workshop: TrainingWorkshop, dataset: Dataset
) -> None:
    fine_tune_id = _begin(workshop, dataset)
    (waiting,) = _rows(workshop, fine_tune_id)
    assert waiting.state == RunState.PLANNED

    _train(workshop)

    base, new = _rows(workshop, fine_tune_id)
    assert base.state == new.state == RunState.RUNNING
    assert new.source == f"nano+artifact:{workshop.store.put(b'an adapter')}"
    assert new.manifest["model"]["digest"] != base.manifest["model"]["digest"]
    same = ("n", "seed", "sampling", "dataset_digest", "grader", "sweep_id")
    assert all(getattr(base, name) == getattr(new, name) for name in same)
    with workshop.database.reading() as connection:
        asked = [challenges_of(connection, row.id) for row in (base, new)]
    assert [replace(one, run_id="") for one in asked[0]] == [
        replace(one, run_id="") for one in asked[1]
    ]
    assert len(asked[0]) == 3


def test_on_a_laptop_the_runs_wait_for_the_command_that_trains(
    workshop: TrainingWorkshop, dataset: Dataset
) -> None:
    fine_tune_id = _begin(workshop, dataset)
    workshop.controller = replace(workshop.controller, adopts=False)
    _train(workshop)

    assert [row.state for row in _rows(workshop, fine_tune_id)] == [RunState.PLANNED] * 2


def test_what_was_trained_on_is_said_beside_every_score_of_the_model(
    workshop: TrainingWorkshop, dataset: Dataset
) -> None:
    fine_tune_id = _begin(workshop, dataset)
    _train(workshop)
    runs = Runs(workshop.database, workshop.store)
    _, proved = _rows(workshop, fine_tune_id)
    asked = replace(NANO, spec=proved.source)
    later = runs.plan_benchmark(BenchmarkPlan(asked, dataset, SAMPLING, 1, (1,), 0))
    other = runs.plan_benchmark(BenchmarkPlan(NANO, dataset, SAMPLING, 1, (1,), 0))

    for run_id in (proved.id, later):
        run = runs.find_run(run_id)
        assert run.registered is not None
        assert run.registered.shared == ("HumanEval/1",)
        assert run.registered.sentence == "its corpus shares 1 of 3 challenges with humaneval"
        assert run.model_text == "mine (toy)"
        assert runs.summary(run_id).manifest["registered"]["fine_tune"] == fine_tune_id
    assert runs.find_run(other).registered is None


def test_a_removed_one_frees_its_name_and_what_only_it_used(
    workshop: TrainingWorkshop, dataset: Dataset
) -> None:
    fine_tune_id = _begin(workshop, dataset)
    with pytest.raises(InvalidInput, match="is being trained"):
        workshop.fine_tunes.remove(fine_tune_id)
    _train(workshop)
    runs = [row.id for row in _rows(workshop, fine_tune_id)]
    workshop.sent.clear()

    assert workshop.fine_tunes.remove(fine_tune_id) == {
        workshop.store.put(b"an adapter"),
        _corpus(workshop.store, dataset),
    }
    with pytest.raises(FineTuneNotFound):
        workshop.fine_tunes.find("mine")
    assert workshop.fine_tunes.registered() == ()
    workshop.fine_tunes.demand_free("mine")
    # what its runs have found can be read as before
    service = Runs(workshop.database, workshop.store)
    assert service.find_run(runs[1]).model_text == "mine (toy)"


def test_a_removed_one_that_was_never_trained_leaves_no_runs(
    workshop: TrainingWorkshop, dataset: Dataset
) -> None:
    fine_tune_id = _begin(workshop, dataset)
    workshop.fine_tunes.stop(fine_tune_id)
    workshop.fine_tunes.remove(fine_tune_id)

    assert Runs(workshop.database, workshop.store).list_runs() == ()


def test_what_another_one_uses_stays_when_one_is_removed(
    workshop: TrainingWorkshop, dataset: Dataset
) -> None:
    first = _begin(workshop, dataset)
    _train(workshop)
    workshop.sent.clear()
    _begin(workshop, dataset, "other")

    unused = workshop.fine_tunes.remove(first)
    assert unused == {workshop.store.put(b"an adapter")}
