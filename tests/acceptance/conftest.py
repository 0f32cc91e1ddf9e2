"""The real `crucible`, with a home of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from commandline import Crucible, at_home


@pytest.fixture
def crucible(tmp_path: Path) -> Crucible:
    """The program, its results in a directory of the test."""
    home = tmp_path / "crucible"
    home.mkdir()
    return at_home(home)
