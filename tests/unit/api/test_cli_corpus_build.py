"""`crucible corpus`: where a corpus goes, and one line for what cannot be used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from crucible_api.cli import corpus_build
from crucible_api.cli.dispatch import dispatch

CODE = '''def price(amount, rate):
    """Give the price with tax."""
    value = amount * (1 + rate)
    print("the price is", value)
    return value
'''


@pytest.fixture
def trees(tmp_path: Path, crucible_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert crucible_home.is_dir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "dropped").mkdir()
    (tmp_path / "dropped" / "data.json").write_text("{}")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "shop.py").write_text(CODE)
    (tmp_path / "shop" / "notes.txt").write_text("no code")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / ".crucibleignore").write_text("!\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_holds_the_stored_bytes_and_a_dry_run_keeps_none(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["corpus", "build", "shop", "--output", "corpus.jsonl"]
    target = trees / "corpus.jsonl"
    assert dispatch([*words, "--dry-run"]) == 0
    assert not target.exists()
    assert "notes.txt  not_source" in capsys.readouterr().out
    assert dispatch(words) == 0
    digest = capsys.readouterr().out.strip()
    assert digest == hashlib.sha256(target.read_bytes()).hexdigest()
    assert not list(trees.glob("home/artifacts/*"))
    assert dispatch(words) == 2
    assert "corpus.jsonl: exists" in capsys.readouterr().err
    assert dispatch(["corpus", "build", "shop"]) == 0
    assert capsys.readouterr().out.strip() == digest
    assert dispatch(["corpus", "show", digest]) == 0
    assert "notes.txt  not_source" in capsys.readouterr().out


def test_a_benchmark_of_ones_own_stays_out(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {
        "task_id": "shop/price",
        "language": "python",
        "prompt": "def price(amount, rate):\n",
        "entry_point": "price",
        "tests": {"type": "script", "source": "assert price(1, 0) == 1"},
        "reference": CODE,
    }
    (trees / "own.jsonl").write_text(json.dumps(row))
    other = (
        "def stock(goods):\n    for good in goods:\n        print('we have', good, 'in stock')\n"
    )
    (trees / "shop" / "shop.py").write_text(f"{CODE}\n\n{other}")
    assert dispatch(["corpus", "build", "shop", "--private", "own.jsonl", "--json"]) == 0
    (removed,) = json.loads(capsys.readouterr().out)["removed"]

    assert removed == {
        "path": "shop.py",
        "first_line": 1,
        "last_line": 5,
        "dataset": "own",
        "task_id": "shop/price",
        "rule": "syntax",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("build empty", "error: empty: nothing is left to train on\nhint: there are no files\n"),
        ("build dropped", "nothing is left to train on\nhint: left out: 1 not_source\n"),
        ("build dropped --dry-run", "error: dropped: nothing is left to train on\n"),
        ("build none", "error: none: no such file or directory\n"),
        ("build dropped/data.json", "error: dropped/data.json: is not a directory\n"),
        ("build odd", "error: .crucibleignore:1: '!' is no pattern\n"),
        ("build empty --private dropped/data.json", "error: dropped/data.json:1:"),
        ("build empty -d humanevil", "did you mean humaneval?"),
        ("build empty -o none/corpus.jsonl", "there is no directory"),
        ("show dropped/data.json", "error: dropped/data.json: line 1: this is not a corpus"),
        ("show nothing", "error: nothing: No such file or directory\n"),
    ],
)
def test_it_is_one_line(
    trees: Path, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    code = dispatch(["corpus", *words.split()])
    heard = capsys.readouterr()

    assert (code, said in heard.err) == (2, True), heard.err
    assert heard.err.count("error:") == 1
    assert not list(trees.glob("home/artifacts/*"))


def test_without_the_extra_it_says_what_to_install(
    trees: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus_build, "_NEEDED", ("pathspec", "no_such_package"))
    code = dispatch(["corpus", "build", str(trees)])

    assert code == 2
    assert capsys.readouterr().err == (
        "error: building a corpus needs no_such_package, not installed\n"
        "hint: pip install 'codecrucible[train]'\n"
    )
