"""The published datasets' own solutions pass, but for those whose tests are known to be faulty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crucible_tasks.challenge import Challenge
from crucible_tasks.challenges import open_dataset
from crucible_tasks.verdict import Mode, Outcome
from crucible_workers.sandbox.slots import SlotSandbox
from sandbox_probes import opened

#: with the smallest tests, but for those whose few inputs take seconds each
QUICKEST = 20
SLOW = {f"HumanEval/{number}" for number in (15, 36, 59, 83, 130, 139)}
FIRST_OF_MBPP = 100


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SlotSandbox]:
    with opened("namespaces") as opened_sandbox:
        yield opened_sandbox


def _not_passed(sandbox: SlotSandbox, challenges: list[Challenge]) -> dict[str, str]:
    """Those whose own solution does not pass outside the program's process."""
    found = {}
    for challenge in challenges:
        assert challenge.reference is not None
        verdict = next(sandbox.judge(challenge, [challenge.reference]))
        if (verdict.outcome, verdict.mode) != (Outcome.PASSED, Mode.SPLIT):
            found[challenge.task_id] = f"{verdict.outcome} {verdict.mode} {verdict.detail}"
    return found


def test_every_humaneval_solution_passes(sandbox: SlotSandbox) -> None:
    challenges = list(open_dataset("humaneval").challenges)

    assert len(challenges) == 164
    assert _not_passed(sandbox, challenges) == {}


def test_the_prompt_alone_passes_nowhere(sandbox: SlotSandbox) -> None:
    passed = [
        challenge.task_id
        for challenge in open_dataset("humaneval").challenges
        if next(sandbox.judge(challenge, [f"{challenge.prompt}\n    pass\n"])).outcome
        is Outcome.PASSED
    ]

    assert passed == []


@pytest.mark.parametrize("file", ["HumanEvalPlus-OriginFmt.jsonl.gz", "HumanEvalPlus.jsonl.gz"])
def test_the_quickest_humaneval_plus_solutions_pass(
    sandbox: SlotSandbox, datasets_directory: Path, file: str
) -> None:
    dataset = open_dataset(str(datasets_directory / file))
    quick = [challenge for challenge in dataset.challenges if challenge.task_id not in SLOW]
    quickest = sorted(quick, key=lambda challenge: len(str(challenge.tests)))

    assert _not_passed(sandbox, quickest[:QUICKEST]) == {}


def test_the_first_mbpp_solutions_pass(sandbox: SlotSandbox, datasets_directory: Path) -> None:
    dataset = open_dataset(str(datasets_directory / "mbpp.jsonl"))

    assert _not_passed(sandbox, list(dataset.challenges[:FIRST_OF_MBPP])) == {}
