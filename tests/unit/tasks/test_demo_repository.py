"""The demo repository: always the same, its tests pass, and what has tests makes challenges."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crucible_infra.errors import InvalidInput
from crucible_tasks import demo_repository
from crucible_tasks.challenge import ScriptTests
from crucible_tasks.challenges import load, write_rows


def test_its_own_tests_pass_and_there_is_one_for_every_challenge(tmp_path: Path) -> None:
    place = tmp_path / "orchard"
    demo_repository.write(place)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    quick = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=place, env=quick, capture_output=True, text=True, check=False
    )
    challenges = demo_repository.private_challenges().challenges
    assert f"{len(challenges)} passed" in done.stdout, done.stdout
    assert len(challenges) == 42


def test_every_challenge_is_solved_by_its_function_and_by_nothing_simple() -> None:
    for challenge in demo_repository.private_challenges().challenges:
        assert isinstance(challenge.tests, ScriptTests)
        exec((challenge.reference or "") + challenge.tests.source, {})
        for lazy in ("pass", "return 0", "return []", "return values", "return sum(values)"):
            with pytest.raises(AssertionError):
                exec(f"{challenge.prompt}    {lazy}\n{challenge.tests.source}", {})


def test_the_challenges_can_be_written_in_our_own_format(tmp_path: Path) -> None:
    dataset = demo_repository.private_challenges()
    (tmp_path / "private.jsonl").write_bytes(write_rows(dataset))
    assert load(tmp_path / "private.jsonl", "orchard") == dataset


def test_every_function_is_written_once_and_every_writing_is_the_same() -> None:
    found = demo_repository.files()
    assert found == demo_repository.files()
    names = [
        line
        for path, text in found.items()
        if path.startswith("orchard/")
        for line in text.splitlines()
        if line.startswith("def ")
    ]
    assert len(names) == len(set(names)) == 168


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("precious")
    with pytest.raises(InvalidInput, match="is not empty"):
        demo_repository.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]
