"""From a tree to a corpus: what must not enter does not, and the same tree gives the same bytes."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from crucible_infra.errors import FormatError
from crucible_tasks.challenge import Challenge, Language, RepositoryTests
from crucible_tasks.challenges import create, open_dataset
from crucible_tasks.corpus.build import build_corpus
from crucible_tasks.corpus.corpus import Corpus, Part, decode, encode
from crucible_tasks.corpus.options import CorpusOptions
from crucible_tasks.corpus.report import Reason, Rule

OPTIONS = CorpusOptions(datasets=(open_dataset("humaneval"),))

#: joined here, so that this file holds none
KEY = "AKIA" + "Q3EGTRFZX7BMNPLA"

SOLUTION = """

def closest(points, limit):
    for i, one in enumerate(points):
        for k, other in enumerate(points):
            if i != k:
                gap = abs(one - other)
                if gap < limit:
                    return True
    return False
"""


def _module(seed: int, functions: int = 8) -> str:
    """Code that is like no other seed's."""
    chance = random.Random(seed)
    names = ["".join(chance.choices("abcdefghijklm", k=7)) for _ in range(60)]
    made = []
    for number in range(functions):
        a, b, c, d = chance.sample(names, 4)
        made.append(
            f"def {a}_{number}({b}, {c}):\n"
            f'    """Give {d} for {b}, or {c} where there is none."""\n'
            f"    {d} = {chance.choice(names)}({b}, {chance.randint(0, 999)})\n"
            f"    return {d} or {c}\n"
        )
    return "\n\n".join(made)


def _tree(root: Path, files: int = 30) -> Path:
    for number in range(files):
        path = root / f"pkg{number % 3}" / f"m{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_module(number))
    return root


def _paths(corpus: Corpus, part: Part | None = None) -> set[str]:
    return {item.path for item in corpus.documents if part in (None, item.part)}


def test_what_was_planted_never_reaches_the_corpus(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "tree")
    clean = build_corpus(tree, OPTIONS)
    held_out = min(_paths(clean, Part.HELD_OUT))
    (tree / "secret.py").write_text(f"{_module(50)}\nKEY = '{KEY}'\n")
    (tree / "solved.py").write_text(_module(51) + SOLUTION)
    near = (tree / held_out).read_text().replace("return", "return  # same\n    return", 1)
    (tree / "near_copy.py").write_text(near)
    (tree / "holder.py").write_text(_module(52, 30) + "\n\n" + near)
    corpus = build_corpus(tree, OPTIONS)
    data = encode(corpus)

    assert _paths(corpus) == {*_paths(clean), "solved.py"}
    assert _paths(corpus, Part.HELD_OUT) >= {held_out}
    assert KEY.encode() not in data
    assert b"closest" not in data
    reasons = {entry.path: (entry.reason, entry.detail) for entry in corpus.report.dropped}
    assert reasons == {
        "secret.py": (
            Reason.CONFIDENTIAL,
            f"line {_module(50).count(chr(10)) + 2}: AWS Access Key",
        ),
        "near_copy.py": (Reason.NEAR_DUPLICATE, f"of {held_out}"),
        "holder.py": (Reason.HOLDS_HELD_OUT, held_out),
    }
    (removed,) = corpus.report.removed
    assert (removed.path, removed.task_id, removed.rule) == (
        "solved.py",
        "HumanEval/0",
        Rule.SYNTAX,
    )


def test_the_tests_of_the_private_benchmark_stay_out(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "tree")
    tests = RepositoryTests("0" * 64, "pkg0/m0.py", "pkg0.m0", "f", 1, 2, ("pkg1/m1.py::test_f",))
    challenge = Challenge("tree/f", Language.PYTHON, "", "f", tests)
    private = create("tree", "crucible", [challenge])

    clean = build_corpus(tree, OPTIONS)
    corpus = build_corpus(tree, replace(OPTIONS, private=private))

    assert _paths(clean) - _paths(corpus) == {"pkg1/m1.py"}
    assert [one.path for one in corpus.report.dropped if one.reason is Reason.CONTAMINATED] == [
        "pkg1/m1.py"
    ]


def test_the_same_tree_gives_the_same_bytes_wherever_and_whenever(tmp_path: Path) -> None:
    first = _tree(tmp_path / "first")
    (first / "copy.py").write_text(_module(3))
    other = tmp_path / "elsewhere" / "second"
    # made in another order, at another time
    for path in sorted(first.rglob("*.py"), reverse=True):
        target = other / path.relative_to(first)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        os.utime(target, (1, 1))
    data = encode(build_corpus(first, OPTIONS))

    assert encode(build_corpus(other, OPTIONS)) == data
    assert str(tmp_path).encode() not in data
    (other / "pkg0" / "m0.py").write_text(_module(99))
    assert encode(build_corpus(other, OPTIONS)) != data


@pytest.mark.parametrize("name", ["a.py", "b.py", "c.py", "d.py"])
def test_no_copy_takes_the_place_of_a_held_out_file(tmp_path: Path, name: str) -> None:
    tree = _tree(tmp_path, 5)
    held_out = min(_paths(build_corpus(tree, CorpusOptions()), Part.HELD_OUT))
    (tree / name).write_text((tree / held_out).read_text())
    corpus = build_corpus(tree, CorpusOptions())

    (dropped,) = corpus.report.dropped
    assert dropped.reason is Reason.DUPLICATE
    assert {dropped.path, dropped.detail.removeprefix("of ")} == {name, held_out}
    assert not _paths(corpus, Part.TRAIN) & {name, held_out}


def test_short_files_teach_nothing(tmp_path: Path) -> None:
    tree = _tree(tmp_path, 5)
    (tree / "pkg0" / "__init__.py").write_text("")
    corpus = build_corpus(tree, CorpusOptions())

    assert [(entry.path, entry.reason) for entry in corpus.report.dropped] == [
        ("pkg0/__init__.py", Reason.TOO_SHORT)
    ]
    assert corpus.report.files == 6
    assert corpus.report.train.documents + corpus.report.held_out.documents == 5


def test_docstrings_make_pairs_on_the_side_of_their_file(tmp_path: Path) -> None:
    tree = _tree(tmp_path, 6)
    corpus = build_corpus(tree, CorpusOptions(has_pairs=True))
    parts = {document.path: document.part for document in corpus.documents}

    assert len(corpus.pairs) == 6 * 8
    assert all(parts[pair.path] is pair.part for pair in corpus.pairs)
    (pair, *_) = corpus.pairs
    assert pair.answer in (tree / pair.path).read_text()
    assert pair.instruction.startswith("Write this function in Python.\n\ndef ")
    assert pair.instruction.endswith("where there is none.")
    assert corpus.report.notes[0].startswith("no pairs from commits: ")


def test_a_corpus_survives_its_file(tmp_path: Path) -> None:
    corpus = build_corpus(_tree(tmp_path, 4), CorpusOptions(has_pairs=True))
    data = encode(corpus)

    assert decode(data) == corpus
    assert data.endswith(b"\n")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda data: data[:-1], "line 14: the corpus is cut off"),
        (lambda _: b"", "line 1: this is not a corpus"),
        (lambda _: b'{"a": 1}\n', "line 1: this is not a corpus"),
        (lambda data: data.replace(b'"format":1', b'"format":7', 1), "format 7"),
        (lambda data: data + b"{}\n", "line 15: neither a document nor a pair"),
        (lambda data: data + data.split(b"\n")[0] + b"\n", "line 15: neither"),
        (lambda data: data + b'{"document": {"path": 3}}\n', "line 15: Expected `str`"),
        (lambda data: data + b"\xff\n", "line 15"),
    ],
)
def test_a_damaged_corpus_is_refused_by_line(tmp_path: Path, damage: object, problem: str) -> None:
    corpus = build_corpus(_tree(tmp_path, 4), CorpusOptions())
    data = encode(Corpus(corpus.origin, corpus.documents * 3, (), corpus.report))[:]
    assert callable(damage)

    with pytest.raises(FormatError, match=problem):
        decode(damage(data + data.split(b"\n")[1] + b"\n"))
