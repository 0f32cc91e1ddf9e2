from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.completion import Form
from crucible_tasks.extraction import extract

HUMANEVAL = Path(__file__).resolve().parents[3] / "../shared/data/HumanEval.jsonl.gz"
pytestmark = pytest.mark.skipif(not HUMANEVAL.exists(), reason="HumanEval is not here")

RAMBLING = """

def something_else(x):
    return x

print(something_else("boom" / 2))
if __name__ == "candidate":
    raise SystemExit
This is it's end.
"""


def rows() -> list[dict[str, Any]]:
    with gzip.open(HUMANEVAL, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def challenge(row: dict[str, Any]) -> Challenge:
    return Challenge(
        row["task_id"], Language.PYTHON, row["prompt"], row["entry_point"], ScriptTests("")
    )


def passes(row: dict[str, Any], program: str | None) -> bool:
    assert program is not None
    names: dict[str, Any] = {"__name__": "candidate"}
    try:
        exec(program + "\n" + row["test"], names)
        names["check"](names[row["entry_point"]])
    except Exception:  # noqa: BLE001 -- whatever it raises, it did not pass
        return False
    return True


def failures(texts: dict[str, str], form: Form) -> list[str]:
    return [
        row["task_id"]
        for row in rows()
        if not passes(row, extract(texts[row["task_id"]], form, challenge(row)).program)
    ]


def test_every_function_alone_in_a_fence_passes_with_the_prompts_imports_and_helpers() -> None:
    texts = {}
    for row in rows():
        start = row["prompt"].rindex(f"def {row['entry_point']}")
        function = row["prompt"][start:] + row["canonical_solution"]
        texts[row["task_id"]] = f"Sure!\n\n```python\n{function}```\n\nIt works."
    assert failures(texts, Form.RESPONSE) == []


def test_every_body_alone_in_a_fence_passes() -> None:
    texts = {row["task_id"]: f"```\n{row['canonical_solution']}```\n" for row in rows()}
    assert failures(texts, Form.RESPONSE) == []


def test_every_continuation_passes_whatever_the_model_rambles_behind_it() -> None:
    texts = {row["task_id"]: row["canonical_solution"] + RAMBLING for row in rows()}
    assert failures(texts, Form.CONTINUATION) == []


def test_every_continuation_without_rambling_is_kept_to_the_last_character() -> None:
    for row in rows():
        found = extract(row["canonical_solution"], Form.CONTINUATION, challenge(row))
        assert found.program == row["prompt"] + row["canonical_solution"]
