"""A private benchmark is asked for in every language of a repository, and joined into one."""

from __future__ import annotations

from pathlib import Path

from crucible_api.cli.challenges_build import wishes_for
from crucible_api.private_benchmark import Built, Row, joined
from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.challenges import create
from crucible_tasks.repository.snapshot import take_snapshot


def test_each_language_with_tests_is_asked_for_with_its_own_packages(tmp_path: Path) -> None:
    folder = tmp_path / "workspace" / "shop"
    folder.mkdir(parents=True)
    (folder.parent / "package.json").write_text("{}")
    (folder.parent / "node_modules").mkdir()
    for name in ("package.json", "a.test.js", "test_a.py"):
        (folder / name).write_text("")
    snapshot = take_snapshot(folder)

    python, javascript = wishes_for(folder, snapshot)

    assert (python.language, javascript.language) == (Language.PYTHON, Language.JAVASCRIPT)
    assert javascript.packages == (str(folder.parent / "node_modules"),)
    assert any((Path(place) / "_pytest").is_dir() for place in python.packages)
    (only,) = wishes_for(folder, snapshot, chosen=Language.JAVASCRIPT)
    assert only == javascript
    assert only.name == "shop"


def test_the_challenges_of_two_languages_become_one_dataset() -> None:
    archive = b"packed"
    parts = [
        Built(
            create(
                "shop",
                "crucible",
                [Challenge(name, language, "", "f", ScriptTests(""))],
                (archive,),
            ),
            (Row(f"{name}.x", "f", None),),
            unseen,
            (f"{name} is broken",),
        )
        for name, language, unseen in (("a", Language.PYTHON, 1), ("b", Language.JAVASCRIPT, 2))
    ]

    whole = joined(parts)

    assert [each.task_id for each in whole.dataset.challenges] == ["a", "b"]
    assert whole.dataset.archives == (archive,)
    assert (len(whole.rows), whole.unseen) == (2, 3)
    assert whole.problems == ("a is broken", "b is broken")
    assert joined(parts[:1]).dataset is parts[0].dataset
