"""Workers load datasets by digest, once."""

from __future__ import annotations

import threading

import pytest

from crucible_infra import settings
from crucible_infra.artifacts import open_store
from crucible_infra.errors import ArtifactMissing, FormatError
from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.challenges import Dataset, create, encode
from crucible_workers.datasets import load_dataset

pytestmark = pytest.mark.usefixtures("crucible_home")


def _stored(name: str) -> str:
    challenge = Challenge(
        f"{name}/0", Language.PYTHON, "def f():\n", "f", ScriptTests("assert f() is None")
    )
    store = open_store(settings.current().artifacts_url)
    return store.put(encode(create(name, "own", [challenge])))


def test_a_stored_dataset_comes_back() -> None:
    loaded = load_dataset(_stored("came-back"))

    assert isinstance(loaded, Dataset)
    assert loaded.by_id("came-back/0").entry_point == "f"


def test_threads_that_ask_at_once_share_one_copy() -> None:
    digest, found = _stored("shared"), list[Dataset]()
    threads = [
        threading.Thread(target=lambda: found.append(load_dataset(digest))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len({id(dataset) for dataset in found}) == 1


def test_only_a_few_are_kept() -> None:
    first = _stored("first")
    loaded = load_dataset(first)
    for number in range(4):
        load_dataset(_stored(f"other-{number}"))

    assert load_dataset(first) is not loaded
    assert load_dataset(first) == loaded


def test_a_missing_dataset_may_come_later() -> None:
    challenge_store = open_store(settings.current().artifacts_url)
    digest = _stored("late")
    path = settings.current().data_directory / "artifacts" / digest[:2] / digest
    content = path.read_bytes()
    path.unlink()

    with pytest.raises(ArtifactMissing):
        load_dataset(digest)
    challenge_store.put(content)
    assert load_dataset(digest).name == "late"


def test_an_artifact_that_is_no_dataset_is_named() -> None:
    digest = open_store(settings.current().artifacts_url).put(b"weights")
    with pytest.raises(FormatError):
        load_dataset(digest)
