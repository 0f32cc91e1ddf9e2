"""The starter dataset: its solutions pass, and bodies that do nothing fail."""

from __future__ import annotations

import ast

import pytest

from crucible_tasks.challenge import Challenge, ScriptTests
from crucible_tasks.challenges import open_dataset

CHALLENGES = open_dataset("starter").challenges


def _passes(program: str, challenge: Challenge) -> bool:
    assert isinstance(challenge.tests, ScriptTests)
    names: dict[str, object] = {}
    exec(program, names)
    try:
        exec(challenge.tests.source, names)
    except Exception:  # noqa: BLE001 -- whatever a wrong program raises
        return False
    return True


def test_there_are_enough_to_tell_one_model_from_another() -> None:
    assert len(CHALLENGES) == 50


@pytest.mark.parametrize("challenge", CHALLENGES, ids=lambda each: each.task_id)
def test_only_the_solution_passes_and_not_what_does_nothing(challenge: Challenge) -> None:
    assert challenge.reference is not None
    assert challenge.reference.startswith(challenge.prompt)
    assert _passes(challenge.reference, challenge)
    parameters = ast.unparse(ast.parse(challenge.reference).body[0].args)  # type: ignore[attr-defined]
    first = parameters.partition(",")[0]
    for lazy in ("pass", "return True", "return 0", f"return {first}"):
        assert not _passes(f"{challenge.prompt}    {lazy}\n", challenge), lazy
