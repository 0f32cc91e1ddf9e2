from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible_infra.errors import FormatError, InvalidModelSpec, RequestRefused
from crucible_tasks.completion import Form
from crucible_workers.models.replay import open_replay
from model_requests import samples

ROWS = (
    {"task_id": "T/0", "completion": "    return 1\n", "extra": {"anything": [1]}},
    {"task_id": "T/1", "solution": "def f(): ..."},
    {"task_id": "T/0", "response": "```python\npass\n```"},
)

Writes = Callable[[bytes], Path]


@pytest.fixture
def written(tmp_path: Path) -> Writes:
    def write(content: bytes) -> Path:
        path = tmp_path / "samples.jsonl"
        path.write_bytes(content)
        return path

    return write


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_the_ith_row_of_a_task_is_its_sample_i(written: Writes) -> None:
    model = open_replay(str(written(lines(*ROWS))))
    first, second = model.sample(samples(1, 0))
    assert (first.index, first.form, first.text) == (1, Form.RESPONSE, "```python\npass\n```")
    assert (second.index, second.form, second.text) == (0, Form.COMPLETION, "    return 1\n")
    (other,) = model.sample(samples(0, task_id="T/1"))
    assert other.form is Form.SOLUTION


def test_packed_or_not_it_is_the_same_model(written: Writes) -> None:
    plain = open_replay(str(written(lines(*ROWS)))).identity()
    packed = open_replay(str(written(gzip.compress(lines(*ROWS))))).identity()
    changed = open_replay(str(written(lines(*ROWS[:2])))).identity()
    assert plain == packed
    assert plain.digest != changed.digest
    assert plain.server == "replay"


def test_a_byte_order_mark_crlf_and_blank_lines_are_fine(written: Writes) -> None:
    content = b"\xef\xbb\xbf" + lines(*ROWS).replace(b"\n", b"\r\n\r\n")
    assert open_replay(str(written(content))).identity().details == {
        "completions": "3",
        "tasks": "2",
    }


def test_a_sample_beyond_the_recording_says_how_many_there_are(written: Writes) -> None:
    model = open_replay(str(written(lines(*ROWS))))
    with pytest.raises(RequestRefused, match="holds 2 completions of T/0, sample 2 ") as caught:
        model.sample(samples(0, 1, 2))
    assert caught.value.hint == "ask for at most -n 2"
    assert not caught.value.is_transient
    with pytest.raises(RequestRefused, match="holds 0 completions of X"):
        model.sample(samples(0, task_id="X"))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (b'{"task_id": "T/0", "completion": "x"', ":2: not a recorded completion"),
        (b'{"completion": "x"}', ":2: not a recorded completion.*task_id"),
        (b'{"task_id": "T/0"}', ":2: has none of completion, solution and response"),
        (b'{"task_id": "T/0", "completion": 5}', ":2: not a recorded completion"),
        (b'{"task_id": "T/0", "completion": "\xff"}', ":2: not a recorded completion"),
        (b"[]", ":2: not a recorded completion"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(written: Writes, row: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match="samples.jsonl" + problem):
        open_replay(str(written(lines(ROWS[0]) + row + b"\n")))


def test_a_truncated_gzip_names_file_and_line(written: Writes) -> None:
    packed = gzip.compress(lines(*[{"task_id": f"T/{i}", "completion": f"{i}"} for i in range(99)]))
    with pytest.raises(FormatError, match=r"samples.jsonl:\d+: the gzip file is truncated"):
        open_replay(str(written(packed[:-20])))
    with pytest.raises(FormatError, match="the gzip file is corrupt"):
        open_replay(str(written(packed[:30] + b"\0" * 30 + packed[60:])))


def test_an_empty_or_missing_file_is_no_model(written: Writes, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds no completions"):
        open_replay(str(written(b"\n")))
    with pytest.raises(InvalidModelSpec, match="is no file"):
        open_replay(str(tmp_path / "nowhere.jsonl"))
    with pytest.raises(InvalidModelSpec, match="is no file"):
        open_replay(str(tmp_path))


def test_the_setting_of_the_paper_fits_into_memory(written: Writes) -> None:
    row = {"completion": "    return sum(number for number in numbers)\n" * 12}
    content = b"".join(lines({"task_id": f"HumanEval/{i % 164}"} | row) for i in range(32_800))
    path = written(content)
    tracemalloc.start()
    model = open_replay(str(path))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    found = model.sample(samples(*range(200), task_id="HumanEval/163"))
    assert len(found) == 200
    assert used < 40 * 2**20
