"""`crucible corpus` as a user meets it: one digest on stdout, everything else said in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commandline import Crucible

CODE = '''def price(amount, rate):
    """Give the price with tax."""
    value = amount * (1 + rate)
    print("the price is", value)
    return value
'''


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "shop.py").write_text(CODE)
    (root / "other.py").write_text("".join(f"import name{number}\n" for number in range(40)))
    (root / "notes.txt").write_text("no code")
    return root


def test_a_corpus_is_built_stored_and_shown(crucible: Crucible, tree: Path) -> None:
    built = crucible("corpus", "build", str(tree))
    digest = built.out.strip()
    shown = crucible("corpus", "show", digest, "--json")
    report = json.loads(shown.out)

    assert built.code == shown.code == 0
    assert "2 documents of 3 files" in built.err
    assert (report["digest"], report["files"]) == (digest, 3)
    assert [entry["path"] for entry in report["dropped"]] == ["notes.txt"]
    assert [entry["path"] for entry in report["documents"]] == ["other.py", "shop.py"]
    assert "notes.txt" in crucible("corpus", "show", digest).out
