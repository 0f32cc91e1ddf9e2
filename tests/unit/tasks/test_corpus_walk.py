"""The walk finds what git would track, follows nothing out of the tree, and waits for nothing."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.corpus.report import Reason
from crucible_tasks.corpus.walk import walk

#: none of them is dropped by its name alone
NAMES = ("a", "b", "foo", "keep.py", "x.txt", "é")

PATTERNS = (
    "*.txt|!*.txt|foo|foo/|!foo|!foo/|/a|a/*|!a/keep.py|a/**|!a/**/x.txt|**/b|*|!*/|!*.py|b/**/x.txt"
    "|/foo/*|!/foo/a|[ab]|b/|!b/|?|#c|\\#c| |foo/a/|!foo/a/|a/b|/*|!/a|!/a/|k*y|**/foo/**|!keep.py"
    "|a/|!a|!|**|!**/keep.py|[z-a]"
).split("|")


def _grow(directory: Path, chance: random.Random, depth: int = 0) -> None:
    for name in NAMES:
        if chance.random() < 0.5:
            continue
        if depth < 3 and "." not in name and chance.random() < 0.75:
            (directory / name).mkdir()
            _grow(directory / name, chance, depth + 1)
        else:
            (directory / name).write_text("x")
    if chance.random() < (0.25 if depth else 0.9):
        lines = [chance.choice(PATTERNS) for _ in range(chance.randint(1, 5))]
        (directory / ".gitignore").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("seed", range(12))
def test_it_ignores_what_git_ignores(tmp_path: Path, seed: int) -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    _grow(tmp_path, random.Random(seed))
    subprocess.run([git, "init", "-q"], cwd=tmp_path, check=True)
    listed = subprocess.run(
        [git, "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )

    assert {found.path for found in walk(tmp_path).files} == {
        path for path in listed.stdout.decode().split("\0") if path
    }


def test_a_crucibleignore_goes_before_every_gitignore(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("made.py\n")
    (tmp_path / ".crucibleignore").write_text("!made.py\nother.py\n!vendor/\n")
    (tmp_path / "vendor").mkdir()
    for name in ("made.py", "other.py", "vendor/ours.py"):
        (tmp_path / name).write_text("x")
    tree = walk(tmp_path)

    kept = [found for found in tree.files if found.path.endswith(".py")]
    assert [(found.path, found.is_wanted) for found in kept] == [
        ("made.py", True),
        ("vendor/ours.py", False),
    ]
    assert [(entry.path, entry.reason) for entry in tree.dropped] == [("other.py", Reason.IGNORED)]


def test_nothing_leads_out_of_the_tree_or_around_in_it(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "theirs.py").write_text("x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "file.py").symlink_to(tmp_path / "outside" / "theirs.py")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.py")
    tree = walk(root)

    assert tree.files == []
    assert {entry.path: entry.reason for entry in tree.dropped} == {
        "file.py": Reason.SYMBOLIC_LINK,
        "loop": Reason.SYMBOLIC_LINK,
        "out": Reason.SYMBOLIC_LINK,
        "pipe.py": Reason.NOT_A_FILE,
    }


def test_other_peoples_directories_are_not_entered(tmp_path: Path) -> None:
    for name in ("node_modules", "pkg/third_party", "dist", "pkg/dist", "sub", ".git"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "code.py").write_text("x")
    (tmp_path / "sub" / ".git").write_text("gitdir: elsewhere\n")
    tree = walk(tmp_path)

    assert [found.path for found in tree.files] == ["pkg/dist/code.py"]
    assert {entry.path: entry.reason for entry in tree.dropped} == {
        "dist/": Reason.VENDORED,
        "node_modules/": Reason.VENDORED,
        "pkg/third_party/": Reason.VENDORED,
        "sub/": Reason.OTHER_REPOSITORY,
    }


def test_a_name_that_is_no_text_is_told_and_not_kept(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.py")).write_text("x")

    assert [(entry.path, entry.reason) for entry in walk(tmp_path).dropped] == [
        (r"bad\xff.py", Reason.UNUSABLE_NAME)
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"ok\n!\n", r"\.crucibleignore:2: '!' is no pattern"),
        (b"ok\n\xff\n", r"\.crucibleignore:2: is not UTF-8"),
        (b"[z-a]\n", r"\.crucibleignore:1: '\[z-a\]' is no pattern"),
    ],
)
def test_a_crucibleignore_that_means_nothing_is_refused(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    (tmp_path / ".crucibleignore").write_bytes(content)

    with pytest.raises(FormatError, match=problem):
        walk(tmp_path)


def test_ignore_files_that_are_no_files_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".gitignore")
    assert walk(tmp_path).files == []
    os.mkfifo(tmp_path / ".crucibleignore")
    with pytest.raises(InvalidInput, match="cannot be read: not a file"):
        walk(tmp_path)


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidInput, match="file: is not a directory"):
        walk(tmp_path / "file")
    with pytest.raises(InvalidInput, match="none: no such file or directory"):
        walk(tmp_path / "none")
