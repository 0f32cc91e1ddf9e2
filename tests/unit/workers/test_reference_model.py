from __future__ import annotations

from pathlib import Path

import pytest

from crucible_infra import settings
from crucible_infra.artifacts import open_store
from crucible_infra.errors import ArtifactMissing, RequestRefused
from crucible_tasks import challenges
from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.completion import Completion, Form
from crucible_workers.models import open_model
from model_requests import samples

SOLVED = Challenge("T/0", Language.PYTHON, "def f():\n", "f", ScriptTests(""), "def f(): ...\n")
UNSOLVED = Challenge("T/1", Language.PYTHON, "def g():\n", "g", ScriptTests(""))


@pytest.fixture
def digest(crucible_home: Path) -> str:
    assert crucible_home
    dataset = challenges.create("two", "own", [SOLVED, UNSOLVED])
    return open_store(settings.current().artifacts_url).put(challenges.encode(dataset))


def test_every_sample_is_the_datasets_own_solution(digest: str) -> None:
    model = open_model("reference", digest)
    assert model.sample(samples(0, 1)) == (
        Completion(0, Form.SOLUTION, "def f(): ...\n"),
        Completion(1, Form.SOLUTION, "def f(): ...\n"),
    )
    assert model.identity().details == {"dataset": "two"}


def test_a_challenge_without_a_solution_is_a_reason_that_lasts(digest: str) -> None:
    model = open_model("reference", digest)
    with pytest.raises(RequestRefused, match="T/1 has no reference solution") as caught:
        model.sample(samples(0, task_id="T/1"))
    assert not caught.value.is_transient
    with pytest.raises(RequestRefused, match="has no challenge 'T/2'"):
        model.sample(samples(0, task_id="T/2"))


def test_it_can_be_described_without_a_dataset(digest: str) -> None:
    bare = open_model("reference", None)
    assert bare.identity().digest != open_model("reference", digest).identity().digest
    with pytest.raises(RequestRefused, match="without a dataset"):
        bare.sample(samples(0))


def test_a_dataset_that_is_not_stored_cannot_be_opened(crucible_home: Path) -> None:
    assert crucible_home
    with pytest.raises(ArtifactMissing):
        open_model("reference", "0" * 64)
