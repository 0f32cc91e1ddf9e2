from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.completion import Finish, Form
from crucible_tasks.evaluation import Extraction
from crucible_tasks.extraction import VERSION, extract

SUITE = tomllib.loads(
    Path(__file__).with_name("extraction_cases.toml").read_text("utf-8"),
)
CASES = SUITE["case"]


def challenge(name: str) -> Challenge:
    fields = SUITE["challenge"][name]
    return Challenge(
        task_id=name,
        language=Language(fields.get("language", "python")),
        prompt=fields["prompt"],
        entry_point=fields.get("entry_point"),
        tests=ScriptTests(""),
        prompt_is_code=fields.get("prompt_is_code", True),
    )


def extraction(case: dict[str, Any]) -> Extraction:
    return extract(
        case["text"],
        Form(case.get("form", "response")),
        challenge(case["challenge"]),
        Finish(case.get("finish", "stop")),
    )


def python_cases() -> list[dict[str, Any]]:
    return [case for case in CASES if "node" not in case]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_method_and_the_cuts_are_as_the_case_says(case: dict[str, Any]) -> None:
    found = extraction(case)
    assert found.version == VERSION
    assert (found.program is None) == case.get("is_none", False)
    assert (found.method == "none") == case.get("is_none", False)
    assert found.method == case.get("method", found.method)
    assert found.is_trimmed == case.get("is_trimmed", found.is_trimmed)
    assert not [text for text in case.get("lacks", ()) if text in (found.program or "")]


@pytest.mark.filterwarnings("ignore:invalid escape")
@pytest.mark.parametrize("case", python_cases(), ids=lambda case: case["name"])
def test_the_python_program_works(case: dict[str, Any]) -> None:
    program = extraction(case).program
    names: dict[str, Any] = {"__name__": "candidate", "program": program}
    if case.get("is_broken"):
        with pytest.raises(SyntaxError):
            compile(program or "", "candidate", "exec")
    elif "stdin" in case:
        run = subprocess.run(
            [sys.executable, "-c", program or ""],
            input=case["stdin"], capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert run.stdout == case["stdout"]
    elif program is not None and not case.get("is_broken_at_run"):
        sys_limit = sys.getrecursionlimit()
        exec(compile(program, "candidate", "exec", dont_inherit=True), names)
        assert all(eval(check, names) for check in case["works"])
        sys.setrecursionlimit(sys_limit)
    else:
        assert all(eval(check, names) for check in case.get("works", ()))


@pytest.mark.parametrize(
    "case", [case for case in CASES if "node" in case], ids=lambda case: case["name"]
)
def test_the_javascript_program_works(case: dict[str, Any], node: str) -> None:
    program = extraction(case).program
    if not case.get("is_broken_at_run"):
        run = subprocess.run(
            [node, "-e", f"{program}\n{case['node']}"], capture_output=True, text=True, check=True
        )
        assert run.stdout.endswith(case["stdout"])


def test_case_names_are_unique() -> None:
    names = [case["name"] for case in CASES]
    assert len(names) == len(set(names))
