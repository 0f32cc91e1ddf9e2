"""The real `crucible`, with a home of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from commandline import Crucible


@pytest.fixture
def crucible(tmp_path: Path) -> Crucible:
    """The program, its results in a directory of the test."""
    home = tmp_path / "crucible"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return Crucible(home, {**kept, "HOME": str(home), "CRUCIBLE_HOME": str(home)})
