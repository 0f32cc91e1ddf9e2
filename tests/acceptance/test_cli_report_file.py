"""`crucible report` as a process: a file, a text for a pull request, and its exit codes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from commandline import Crucible, at_home
from filled_database import Filled, fill
from served import open_filled_services


@dataclass(frozen=True, slots=True)
class Desk:
    """A home with a filled database, and the program in it."""

    crucible: Crucible
    filled: Filled


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    home = tmp_path_factory.mktemp("home")
    services = open_filled_services(home)
    filled = fill(services.runs.database, services.runs.artifacts)
    services.runs.database.close()
    return Desk(at_home(home), filled)


def test_a_report_is_written_once_and_its_size_told(desk: Desk) -> None:
    small, large = desk.filled.small, desk.filled.large
    first = desk.crucible("report", small, large, "-o", "r.html", "--json")
    again = desk.crucible("report", small, "-o", "r.html")

    file = desk.crucible.home / "r.html"
    assert first.code == 0, first.err
    assert json.loads(first.out) == {
        "report": "r.html",
        "bytes": file.stat().st_size,
        "runs": [small, large],
    }
    assert "r.html: 4.9 MB, 2 runs" in first.err
    assert again.code == 2
    assert "r.html: exists" in again.err


def test_markdown_of_an_unfinished_run_is_on_stdout_and_says_so(desk: Desk) -> None:
    said = desk.crucible("report", desk.filled.running, "--md")

    assert said.code == 0, said.err
    assert said.out.startswith(f"### Run {desk.filled.running}\n\n> **Careful:** run ")
    assert f"run {desk.filled.running} is running" in said.err
    assert "| passed |" in said.out


def test_a_run_that_is_not_there_is_a_mistake(desk: Desk) -> None:
    said = desk.crucible("report", "nothing", "-o", "n.html")

    assert said.code == 2
    assert not Path(desk.crucible.home, "n.html").exists()
