"""`crucible evaluate` on a tiny dataset of our own format, through the whole pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commandline import Crucible

CHALLENGES = [
    {
        "task_id": f"tiny/{number}",
        "language": "python",
        "prompt": f"def add_{number}(a):\n",
        "entry_point": f"add_{number}",
        "tests": {"type": "script", "source": f"assert add_{number}(1) == {number + 1}\n"},
        "reference": f"def add_{number}(a):\n    return a + {number}\n",
    }
    for number in range(3)
]

#: in an order of its own, two for one challenge, of all three kinds
SAMPLES = [
    {"task_id": "tiny/2", "solution": "def add_2(a):\n    return a + 2\n"},
    {"task_id": "tiny/0", "completion": "    return a\n"},
    {"task_id": "tiny/1", "solution": "def add_1(a):\n    return a - 1\n"},
    {"task_id": "tiny/0", "response": "Here:\n```python\ndef add_0(a):\n    return 7\n```\n"},
    {"task_id": "tiny/2", "response": "I cannot help with that."},
]

OUTCOMES = ["passed", "passed", "failed", "failed", "no_code"]


@pytest.fixture
def files(crucible: Crucible) -> Path:
    (crucible.home / "tiny.jsonl").write_text("".join(f"{json.dumps(c)}\n" for c in CHALLENGES))
    (crucible.home / "samples.jsonl").write_text("".join(f"{json.dumps(s)}\n" for s in SAMPLES))
    return crucible.home


def test_the_answer_is_one_object_and_the_rows_keep_the_order(
    crucible: Crucible, files: Path
) -> None:
    said = crucible(
        *["evaluate", "samples.jsonl", "--dataset", "tiny.jsonl", "--output", "out.jsonl", "--json"]
    )
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["dataset"] == "tiny"
    assert (found["challenges"], found["completions"], found["coverage"]) == (3, 5, 1.0)
    assert found["pass@1"]["value"] == pytest.approx((0.5 + 0.0 + 0.5) / 3)
    assert 0 <= found["pass@1"]["low"] < found["pass@1"]["value"] < found["pass@1"]["high"] <= 1
    rows = [json.loads(line) for line in (files / "out.jsonl").read_text().splitlines()]
    assert [row["task_id"] for row in rows] == [sample["task_id"] for sample in SAMPLES]
    assert [row["index"] for row in rows] == [0, 0, 0, 1, 1]
    assert [row["outcome"] for row in rows] == OUTCOMES
    assert [row["passed"] for row in rows] == [outcome == "passed" for outcome in OUTCOMES]
    assert all(row["mode"] in ("split", "shared") for row in rows)
    fields = "task_id index outcome passed detail cpu_seconds wall_seconds mode isolation"
    assert list(rows[0]) == fields.split()


def test_a_table_for_people_has_score_interval_coverage_and_run(
    crucible: Crucible, files: Path
) -> None:
    del files
    said = crucible(*["evaluate", "samples.jsonl", "--dataset", "tiny.jsonl", "-q"])
    assert said.code == 0, said.err
    assert "33.3 %" in said.out
    assert "100 %" in said.out
    assert "5 of 5 completions judged" in said.out
    assert said.err == ""


def test_output_to_stdout_is_rows_alone(crucible: Crucible, files: Path) -> None:
    del files
    said = crucible(*["evaluate", "samples.jsonl", "--dataset", "tiny.jsonl", "--output", "-"])
    assert said.code == 0, said.err
    assert [json.loads(line)["outcome"] for line in said.out.splitlines()] == OUTCOMES
    assert "crucible runs show" in said.err


def test_an_existing_output_is_kept_and_named_before_any_work(
    crucible: Crucible, files: Path
) -> None:
    (files / "out.jsonl").write_text("mine")
    words = ["evaluate", "samples.jsonl", "--dataset", "tiny.jsonl", "--output", "out.jsonl"]
    said = crucible(*words)
    assert said.code == 2
    assert "out.jsonl: exists" in said.err
    assert (files / "out.jsonl").read_text() == "mine"
    assert crucible("runs", "list", "--json").out.strip() == "[]"
    assert crucible(*words, "--force").code == 0
    assert len((files / "out.jsonl").read_text().splitlines()) == len(SAMPLES)


def test_a_gate_that_is_not_met_is_3_after_the_result_was_told(
    crucible: Crucible, files: Path
) -> None:
    del files
    words = ["evaluate", "samples.jsonl", "--dataset", "tiny.jsonl", "--json", "--fail-under"]
    below = crucible(*words, "pass@1=50%")
    assert below.code == 3
    assert json.loads(below.out)["completions"] == len(SAMPLES)
    assert "error: pass@1 of" in below.err
    assert crucible(*words, "pass@1=0.3").code == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"task_id": "tiny/0", "solution": "x = 1"}\n{"task_id": ', "samples.jsonl:2"),
        ('{"task_id": "tiny/0"}\n', "samples.jsonl:1"),
        ('{"solution": "x = 1"}\n', "samples.jsonl:1"),
        ('{"task_id": "tiny/99", "solution": "x = 1"}\n', "tiny/99"),
        ("", "samples.jsonl"),
    ],
    ids=["bad-json", "no-answer", "no-id", "unknown-id", "empty"],
)
def test_a_bad_samples_file_is_one_line_with_file_and_line(
    crucible: Crucible, files: Path, content: str, told: str
) -> None:
    (files / "samples.jsonl").write_text(content)
    said = crucible(*["evaluate", "samples.jsonl", "--dataset", "tiny.jsonl"])
    assert said.code == 2, said.err
    assert told in said.err.splitlines()[-2 if "hint:" in said.err else -1]
    assert "Traceback" not in said.err
    assert said.out == ""


def test_a_program_that_leaves_with_success_has_not_passed(crucible: Crucible, files: Path) -> None:
    hostile = ["import sys; sys.exit(0)", "import os; os._exit(0)", "raise SystemExit"]
    rows = [{"task_id": "tiny/0", "solution": text} for text in hostile]
    (files / "samples.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    said = crucible(*["evaluate", "samples.jsonl", "--dataset", "tiny.jsonl", "--json"])
    assert said.code == 0, said.err
    assert json.loads(said.out)["pass@1"]["value"] == 0.0
