"""A dataset's digest, its stored form, and choosing from it."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import msgspec
import pytest

from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.challenges import Dataset, create, decode, encode, open_dataset, select

DATA = Path(__file__).with_name("data")


def _dataset() -> Dataset:
    return open_dataset(str(DATA / "own.jsonl"))


def test_the_digest_covers_the_challenges_and_nothing_else() -> None:
    dataset = _dataset()
    canonical = msgspec.json.encode(dataset.challenges)
    assert dataset.digest == hashlib.sha256(canonical).hexdigest()
    assert create("other", "other", dataset.challenges).digest == dataset.digest
    assert create("own", "crucible", dataset.challenges[:2]).digest != dataset.digest


def test_a_stored_dataset_is_the_same_dataset() -> None:
    dataset = _dataset()
    stored = encode(dataset)
    again = decode(stored)
    assert again == dataset
    assert again.challenges == dataset.challenges
    assert stored == encode(again), "the same dataset gives the same bytes"


def test_a_stored_dataset_that_was_changed_is_refused() -> None:
    stored = gzip.decompress(encode(_dataset()))
    forged = gzip.compress(stored.replace(b"Hi Al", b"Ho Al"))
    with pytest.raises(FormatError, match="does not have its digest"):
        decode(forged)


@pytest.mark.parametrize(
    "content", [b"", b"{}", gzip.compress(b"{}", mtime=0), encode(_dataset())[:-9]]
)
def test_damage_in_the_store_is_a_format_error(content: bytes) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        decode(content)


def test_challenges_are_found_by_id() -> None:
    assert _dataset().by_id("echo").task_id == "echo"
    with pytest.raises(InvalidInput, match="own has no challenge 'nope'") as caught:
        _dataset().by_id("nope")
    assert caught.value.hint == "its ids look like 'greet/1'"


def test_a_selection_keeps_order_and_name_and_gets_its_own_digest() -> None:
    dataset = _dataset()
    chosen = select(dataset, task_ids=["double", "greet/1", "double"])
    assert [item.task_id for item in chosen.challenges] == ["greet/1", "double"]
    assert chosen.name == dataset.name
    assert chosen.digest != dataset.digest
    assert [item.task_id for item in select(chosen, limit=1).challenges] == ["greet/1"]


def test_selecting_everything_is_the_dataset_itself() -> None:
    dataset = _dataset()
    assert select(dataset) is dataset
    assert select(dataset, limit=99) is dataset


def test_a_selection_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="a limit of 0"):
        select(_dataset(), limit=0)
    with pytest.raises(InvalidInput, match="no challenge 'nope'"):
        select(_dataset(), task_ids=["nope"])
    with pytest.raises(InvalidInput, match="no challenge of own was chosen"):
        select(_dataset(), task_ids=[])
