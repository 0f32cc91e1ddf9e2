"""What the training process is told and tells survives the way through its files."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from crucible_infra.errors import InvalidInput
from crucible_tasks.fine_tuning import (
    TrainingJob,
    TrainingStep,
    read_job,
    read_record,
    read_steps,
    write_job,
)
from crucible_tasks.recipe import Method, Recipe

STEP = TrainingStep(1, 2, 0.1 + 0.2, None, 1e-4, 512, 99.5, None, 2**33, 1.25)


def test_a_job_is_read_as_it_was_written(tmp_path: Path) -> None:
    job = TrainingJob("weights", "corpus", Recipe(method=Method.DORA), str(tmp_path))
    write_job(job, tmp_path / "job.json")

    assert read_job(tmp_path / "job.json") == job


@pytest.mark.parametrize("content", ["", "{}", '{"base": 1}', "\x00"])
def test_what_is_no_job_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "job.json"
    path.write_text(content)

    with pytest.raises(InvalidInput) as caught:
        read_job(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message


def test_a_job_and_a_record_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        read_job(tmp_path / "job.json")
    with pytest.raises(InvalidInput, match="No such file"):
        read_record(tmp_path)


def test_steps_are_read_to_the_last_bit_and_a_repeated_one_once(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    line = msgspec.json.encode(STEP)
    later = line.replace(b'"seconds":1.25', b'"seconds":7.5')
    path.write_bytes(line + b"\n" + later + b"\n" + line[:20])

    found = read_steps(path)

    assert found[1].seconds == 7.5
    assert found[1].loss == 0.1 + 0.2
    assert list(found) == [1]


def test_a_process_that_has_not_begun_has_no_steps(tmp_path: Path) -> None:
    assert read_steps(tmp_path / "progress.jsonl") == {}
