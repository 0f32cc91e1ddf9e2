"""`crucible challenges build`: from a repository to a benchmark that means something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from commandline import Crucible
from crucible_tasks.challenge import RepositoryTests
from crucible_tasks.challenges import open_dataset
from small_javascript import write_javascript
from small_repository import pytest_alone, write_repository

KEPT = {
    *("total", "doubled", "price_of", "cached", "every", "currencies"),
    *("Counted.change", "Basket.change", "Basket.add", "Basket.__init__", "Basket.count"),
    *("Basket.of", "Basket.is_name", "Basket.__sum", "Tally.note"),
}
DROPPED = {
    "remember": "its tests give or want what cannot leave their process",
    "shuffled": "the tests that call it fail, are skipped, flaky or slow",
    "uncalled": "no test calls it",
    "log": "an empty body passes",
    "warn": "an empty body passes",
    # of one statement; of a name that is there
    "Basket.__len__": "its body does nothing, or it is a special method of one statement",
}


@pytest.fixture
def words(crucible: Crucible, tmp_path: Path) -> list[str]:
    """The command on a repository beside the home."""
    repository = write_repository(tmp_path / "shop")
    (tmp_path / "packages").mkdir()
    packages = pytest_alone(tmp_path / "packages")
    del crucible
    return ["challenges", "build", str(repository), "--python", str(packages)]


def test_a_built_benchmark_passes_its_originals_and_no_empty_body(
    crucible: Crucible, words: list[str]
) -> None:
    said = crucible(*words, "--json")

    assert said.code == 0, said.err
    found = json.loads(said.out)
    rows = {row["name"]: row for row in found["functions"]}
    assert (found["dataset"], found["kept"]) == ("shop-challenges.jsonl", len(KEPT))
    assert {name for name, row in rows.items() if row["reason"] is None} == KEPT
    assert {name: row["reason"] for name, row in rows.items() if row["reason"]} == DROPPED
    # and a property's setter, whose name is the property's
    assert sum(found["dropped"].values()) == len(DROPPED) + 1
    assert all(rows[name]["mutants_failed"] >= 1 and rows[name]["tests"] for name in KEPT)
    _check_file(crucible.home / "shop-challenges.jsonl")
    assert _score(crucible("benchmark", "-m", "reference", *_DATASET)) == (len(KEPT), 1.0)
    _write_empty_bodies(crucible.home)
    assert _score(crucible("evaluate", "empty.jsonl", *_DATASET)) == (len(KEPT), 0.0)


_DATASET = ("--dataset", "shop-challenges.jsonl", "--json")


def _check_file(path: Path) -> None:
    """The file says what the corpus of a fine-tune must not hold, and hides what was hidden."""
    challenge = open_dataset(str(path)).by_id("shop.prices.total")
    assert isinstance(challenge.tests, RepositoryTests)
    assert (challenge.tests.path, challenge.tests.name) == ("shop/prices.py", "total")
    assert "return sum(order.count" in (challenge.reference or "")
    assert "return sum" not in challenge.prompt
    assert "hidden" not in path.read_text()


def _write_empty_bodies(home: Path, body: str = "    pass\n") -> None:
    challenges = open_dataset(str(home / "shop-challenges.jsonl")).challenges
    rows = [{"task_id": each.task_id, "completion": body} for each in challenges]
    (home / "empty.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def _score(said: Any) -> tuple[int, float]:
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["coverage"] == 1.0
    return found["challenges"], found["pass@1"]["value"]


def test_a_table_counts_what_was_kept_and_why_the_others_were_not(
    crucible: Crucible, words: list[str]
) -> None:
    said = crucible(*words, "--limit", "1", "--output", "one.jsonl")

    assert said.code == 0, said.err
    assert "1  kept" in said.out
    assert "1  dropped: the tests that call it fail, are skipped, flaky or slow" in said.out
    assert "not looked at, because of --limit" in said.out
    assert "16 of 18 tests pass" in said.err
    assert len((crucible.home / "one.jsonl").read_text().splitlines()) == 1


def test_where_nothing_is_fit_nothing_is_written(crucible: Crucible, words: list[str]) -> None:
    folder = crucible.home / "repository"
    folder.mkdir()
    (folder / "test_a.py").write_text("import missing\n")
    (folder / "test_b.py").write_text("def test_nothing():\n    assert True\n")

    said = crucible("challenges", "build", "repository", *words[-2:])

    assert said.code == 1, said.err
    assert "not collected: test_a.py: " in said.err
    assert "No module named 'missing'" in said.err
    assert "error: no function is fit to be a challenge" in said.err
    assert list(crucible.home.glob("*.jsonl")) == []


def test_a_javascript_benchmark_passes_its_originals_and_no_empty_body(
    crucible: Crucible, tmp_path: Path
) -> None:
    folder = write_javascript(tmp_path / "shop")
    # a copy that must not answer for it
    (folder / "node_modules" / "shop").mkdir(parents=True)

    said = crucible("challenges", "build", str(folder), "--limit", "3", "--json")

    assert said.code == 0, said.err
    found = json.loads(said.out)
    rows = {row["name"]: row["reason"] for row in found["functions"]}
    assert {name for name, reason in rows.items() if reason is None} == JAVASCRIPT_KEPT
    assert {name: reason for name, reason in rows.items() if reason} == JAVASCRIPT_DROPPED
    assert "warning: not collected: test/broken.test.cjs: Error: Cannot find module" in said.err
    assert _score(crucible("benchmark", "-m", "reference", *_DATASET)) == (3, 1.0)
    _write_empty_bodies(crucible.home, "}\n")
    assert _score(crucible("evaluate", "empty.jsonl", *_DATASET)) == (3, 0.0)


JAVASCRIPT_KEPT = {"total", "priceOf", "later"}
JAVASCRIPT_DROPPED = {
    "log": "an empty body passes",
    "uncalled": "no test calls it",
    "share": "its tests give or want what cannot leave their process",
    # of classes
    **dict.fromkeys(
        ("constructor", "dozens"),
        "it lies in a function, a class or an object, not at the top level of a module",
    ),
}


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        ({"a.js": ""}, "holds no Python files and no package.json", ""),
        ({"package.json": "{}", "a.js": ""}, "has no tests that Node's runner finds", "test.js"),
        (
            {"package.json": '{"dependencies": {"x": "1"}}', "test.js": "require('x');"},
            "none of its tests passes: Error: Cannot find module 'x'",
            "run `npm install` there",
        ),
        (
            {"package.json": "{}", "test.js": "throw new Error('early');"},
            "none of its tests passes: Error: early",
            "run `node --test` there, to see why",
        ),
    ],
)
def test_what_makes_no_javascript_challenge_is_said_in_one_line(
    crucible: Crucible, files: dict[str, str], message: str, hint: str
) -> None:
    folder = crucible.home / "repository"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)

    said = crucible("challenges", "build", "repository")

    assert said.code in (1, 2), said.err
    (line,) = (line for line in said.err.splitlines() if line.startswith("error: "))
    assert message in line
    assert hint in said.err
    assert list(crucible.home.glob("*.jsonl")) == []
