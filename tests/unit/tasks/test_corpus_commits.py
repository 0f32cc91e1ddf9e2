"""Pairs from a history, which may be somebody else's and out to run programs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from crucible_tasks.challenges import open_dataset
from crucible_tasks.corpus import git
from crucible_tasks.corpus.build import build_corpus
from crucible_tasks.corpus.corpus import Pair
from crucible_tasks.corpus.options import CorpusOptions

KEY = "AKIA" + "Q3EGTRFZX7BMNPLA"

OLD = "def price(amount, rate):\n    value = amount * rate\n    return value\n"
NEW = "def price(amount, rate):\n    value = amount * (1 + rate)\n    return value\n"

MESSAGE = "Add the tax to the price\n\nIt was left out.\n\nSigned-off-by: A Person <a@example.org>"


class _Repository:
    def __init__(self, root: Path) -> None:
        self.root = root
        found = shutil.which("git")
        if found is None:
            pytest.skip("git is not installed")
        self._git = found
        self.run("init", "-q", "-b", "main")

    def run(self, *words: str, sent: bytes = b"") -> bytes:
        who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        command = [self._git, *who, *words]
        return subprocess.run(
            command, cwd=self.root, check=True, capture_output=True, input=sent
        ).stdout

    def sign(self) -> None:
        """Give the latest commit a signature, which git may be told to have checked."""
        raw = self.run("cat-file", "commit", "HEAD")
        head, _, message = raw.partition(b"\n\n")
        seal = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
        signed = head + b"\n" + seal + b"\n\n" + message
        made = self.run("hash-object", "-t", "commit", "-w", "--stdin", sent=signed)
        self.run("reset", "-q", "--soft", made.decode().strip())

    def commit(self, message: str, **files: str) -> None:
        for name, text in files.items():
            (self.root / f"{name}.py").write_text(text)
        self.run("add", "-A")
        self.run("commit", "-q", "-m", message)


@pytest.fixture
def repository(tmp_path: Path) -> _Repository:
    return _Repository(tmp_path)


def _pairs(repository: _Repository) -> tuple[Pair, ...]:
    options = CorpusOptions(
        datasets=(open_dataset("humaneval"),), has_pairs=True, held_out_share=0.0
    )
    return build_corpus(repository.root, options).pairs


def test_a_commit_becomes_its_message_and_what_it_changed(repository: _Repository) -> None:
    repository.commit("Begin with a price", shop=OLD)
    repository.commit(MESSAGE, shop=NEW)
    (pair,) = _pairs(repository)

    assert pair.instruction == f"Add the tax to the price\n\nIt was left out.\n\nshop.py:\n\n{OLD}"
    assert pair.answer == NEW


def test_what_a_file_once_held_is_checked_too(repository: _Repository) -> None:
    solution = open_dataset("humaneval").by_id("HumanEval/0").reference or ""
    repository.commit("Begin with two files", shop=OLD, other=OLD + f"KEY = '{KEY}'\n")
    repository.commit("Change both a little bit", shop=OLD + solution, other=OLD + "A = 1\n")
    repository.commit(
        "Clean all of it up", shop=NEW, other=NEW.replace("price", "cost") + "B = 2\n"
    )

    assert [pair.path for pair in _pairs(repository) if KEY in str(pair)] == []
    assert [pair.path for pair in _pairs(repository) if "has_close" in str(pair)] == []


def test_a_message_that_says_nothing_makes_no_pair(repository: _Repository) -> None:
    repository.commit("Begin with a price", shop=OLD)
    repository.commit("fix", shop=NEW)

    assert _pairs(repository) == ()


def test_a_hostile_configuration_runs_nothing(repository: _Repository, tmp_path: Path) -> None:
    ran = tmp_path.parent / f"{tmp_path.name}-ran"
    script = tmp_path / ".git" / "trap"
    script.write_text(f"#!/bin/sh\ntouch '{ran}'\n")
    script.chmod(0o755)
    repository.commit("Begin with a price", shop=OLD)
    repository.commit(MESSAGE, shop=NEW)
    repository.sign()
    (tmp_path / ".gitattributes").write_text("*.py diff=trap filter=trap\n")
    for name in (
        "core.fsmonitor core.pager core.sshCommand core.editor diff.external gpg.program "
        "diff.trap.textconv diff.trap.command filter.trap.smudge filter.trap.clean "
        "gpg.ssh.program credential.helper uploadpack.packObjectsHook"
    ).split():
        repository.run("config", name, str(script))
    repository.run("config", "log.showSignature", "true")
    repository.run("config", "core.repositoryFormatVersion", "1")
    repository.run("config", "extensions.partialClone", "origin")
    repository.run("config", "protocol.ext.allow", "always")
    repository.run("config", "remote.origin.promisor", "true")
    repository.run("config", "remote.origin.url", f"ext::{script}")
    # what a partial clone would fetch
    missing = "0123456789012345678901234567890123456789"

    assert len(_pairs(repository)) == 1
    assert git.contents(tmp_path, [missing], 1000) == {}
    assert not ran.exists()


def test_no_history_is_told(tmp_path: Path) -> None:
    found = git.changes(tmp_path, 10)

    assert isinstance(found, git.NoHistory)
    assert "not a git repository" in found.reason
