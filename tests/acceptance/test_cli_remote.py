"""The command line on a laptop, whose work a real `crucible serve` of another home does."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from commandline import Crucible, Said, at_home

URL = re.compile(r"http://127\.0\.0\.1:\d+")

NANO = ("-m", "nano", "-d", "starter", "--limit", "3", "--quiet")


@contextmanager
def serving(home: Path, *words: str) -> Iterator[str]:
    """The server's address, until the end."""
    server = at_home(home).start("serve", "--port", "0", *words)
    try:
        assert server.stderr is not None
        found = URL.search(server.stderr.readline().decode())
        assert found is not None
        yield found[0]
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("remote")
    for name in ("server", "laptop"):
        (directory / name).mkdir()
    return directory


@pytest.fixture(scope="module")
def token(place: Path) -> str:
    said = at_home(place / "server")("token", "create", "laptop", "--quiet")
    return said.out.strip()


@pytest.fixture(scope="module")
def laptop(place: Path, token: str) -> Iterator[Crucible]:
    """The program in a home of its own, which lets a server that wants a token work."""
    with serving(place / "server", "--require-token") as url:
        yield at_home(place / "laptop", CRUCIBLE_SERVER=url, CRUCIBLE_TOKEN=token)


@pytest.fixture(scope="module")
def here(place: Path) -> Crucible:
    """The program at the server's own home."""
    return at_home(place / "server")


@pytest.fixture(scope="module")
def run_id(laptop: Crucible) -> str:
    """A run that the laptop has asked for and waited for."""
    said = laptop("benchmark", *NANO, "-n", "2", "--json")
    assert said.code == 0, said.err
    return str(json.loads(said.out)["run"])


def test_a_benchmark_is_done_there_and_told_here(
    laptop: Crucible, here: Crucible, run_id: str
) -> None:
    remote, local = (one("runs", "show", run_id, "--verdicts", "--json") for one in (laptop, here))

    assert remote.code == 0, remote.err
    assert json.loads(remote.out) == json.loads(local.out)
    assert len(json.loads(remote.out)["verdicts"]) == 6
    # nothing is kept on the laptop
    assert list(laptop.home.iterdir()) == []


def test_an_export_is_the_same_as_on_the_server(
    laptop: Crucible, here: Crucible, run_id: str, tmp_path: Path
) -> None:
    for name, one in (("there", laptop), ("here", here)):
        said = one("runs", "export", run_id, str(tmp_path / name))
        assert said.code == 0, said.err

    files = {path.name: path.read_bytes() for path in (tmp_path / "here").iterdir()}
    assert len(files) == 5
    assert {path.name: path.read_bytes() for path in (tmp_path / "there").iterdir()} == files


def test_a_samples_file_and_a_dataset_of_the_laptop_are_judged_there(
    laptop: Crucible, run_id: str, tmp_path: Path
) -> None:
    laptop("runs", "export", run_id, str(tmp_path / "run"))
    dataset = tmp_path / "mine.jsonl"
    dataset.write_text(
        json.dumps(
            {
                "task_id": "mine/add",
                "prompt": "def add(a, b):\n",
                "entry_point": "add",
                "canonical_solution": "    return a + b\n",
                "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
            }
        )
    )
    samples = tmp_path / "samples.jsonl"
    rows = [{"task_id": "mine/add", "completion": f"    return a {sign} b\n"} for sign in "+-"]
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))

    said = laptop("evaluate", str(samples), "-d", str(dataset), "--output", "-", "--quiet")

    assert said.code == 0, said.err
    assert [json.loads(line)["outcome"] for line in said.out.splitlines()] == ["passed", "failed"]


def test_a_sweep_is_left_there_and_found_again(laptop: Crucible) -> None:
    settings = ("--temperature", "0.2", "--temperature", "0.8", "--detach", "--json")
    left = json.loads(laptop("benchmark", *NANO, *settings).out)
    followed = laptop("runs", "follow", left["sweep"], "--quiet", "--json")
    shown = json.loads(laptop("sweeps", "show", "latest", "--json").out)
    compared = laptop("compare", *left["runs"], "--quiet")

    assert followed.code == 0, followed.err
    assert [run["state"] for run in shown["runs"]] == ["finished", "finished"]
    assert [run["run"] for run in shown["runs"]] == left["runs"]
    assert compared.code == 0, compared.err
    assert "challenges" in compared.out


def test_a_gate_and_an_unknown_run_end_as_they_do_here(
    laptop: Crucible, here: Crucible, run_id: str
) -> None:
    gate = laptop("runs", "follow", run_id, "--fail-under", "pass@1=100%")
    words = ("runs", "show", "no-such-run")

    assert gate.code == 3
    assert laptop(*words) == here(*words)


def test_ctrl_c_stops_the_run_there(laptop: Crucible) -> None:
    words = ("benchmark", "-m", "nano", "-d", "starter", "-n", "200")
    child = laptop.start(*words)
    assert child.stderr is not None
    while b"completions" not in child.stderr.readline():
        pass
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)

    assert child.returncode == 130, err
    assert b"crucible runs resume" in err
    listed = json.loads(laptop("runs", "list", "--limit", "1", "--json").out)
    assert listed[0]["state"] == "stopped"


def test_refusals_are_one_line_with_what_to_do(laptop: Crucible, token: str) -> None:
    wrong = laptop("runs", "list", CRUCIBLE_TOKEN="a-wrong-token")
    away = laptop("runs", "list", CRUCIBLE_SERVER="http://127.0.0.1:1")
    both = laptop("runs", "list", CRUCIBLE_BROKER_URL="redis://queue/0")
    serve = laptop("serve")
    replay = laptop("benchmark", "-m", "replay:answers.jsonl")

    assert _told(wrong, 2, "CRUCIBLE_TOKEN")
    assert _told(away, 1, "crucible serve")
    assert _told(both, 2, "CRUCIBLE_BROKER_URL")
    assert _told(serve, 2, "CRUCIBLE_SERVER")
    assert _told(replay, 2, "crucible evaluate")
    assert token not in f"{wrong}{away}{both}{serve}{replay}"


def test_the_doctor_looks_at_the_way_to_the_server(laptop: Crucible) -> None:
    said = laptop("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(said.out)["checks"]}

    assert checks["server"]["is_ok"], checks
    assert "database" not in checks


def _told(said: Said, code: int, word: str) -> bool:
    lines = said.err.splitlines()
    is_short = len(lines) == 2 and lines[0].startswith("error: ")
    return said.code == code and is_short and word in said.err and said.out == ""


def test_a_server_that_is_killed_leaves_its_run_to_be_resumed(place: Path) -> None:
    home = place / "killed"
    home.mkdir()
    server = at_home(home).start("serve", "--port", "0")
    assert server.stderr is not None
    found = URL.search(server.stderr.readline().decode())
    assert found is not None
    laptop = at_home(place / "laptop", CRUCIBLE_SERVER=found[0])
    follower = laptop.start("benchmark", "-m", "nano", "-d", "starter", "-n", "100")
    assert follower.stderr is not None
    while b"completions" not in follower.stderr.readline():
        pass
    server.kill()
    server.communicate()
    while b"does not answer" not in follower.stderr.readline():
        pass
    port = found[0].rpartition(":")[2]
    again = at_home(home).start("serve", "--port", port)
    _, err = follower.communicate(timeout=60)
    again.send_signal(signal.SIGTERM)
    again.communicate(timeout=30)

    assert follower.returncode == 4, err
    assert b"answers again" in err
    assert b"crucible runs resume" in err
