"""Sweeps as users see them: a file, a table, a pause from elsewhere, one line per mistake."""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import Any

import pytest

from commandline import Crucible

FILE = """\
models: reference
datasets: [humaneval]
temperatures: [0.2, 0.8]
n: [1, 2]
k: [1, 2]
limit: 2
seed: 3
priority: -2
"""


def _write(crucible: Crucible, text: str) -> None:
    (crucible.home / "s.yaml").write_text(text)


def _json(crucible: Crucible, *words: str) -> Any:
    said = crucible(*words, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_a_file_makes_a_sweep_that_can_be_listed_shown_and_followed(crucible: Crucible) -> None:
    _write(crucible, FILE)
    said = crucible("benchmark", "--sweep", "s.yaml", "--seed", "5", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    sweep = found["sweep"]
    assert [(run["n"], run["temperature"], run["seed"]) for run in found["runs"]] == [
        (n, temperature, 5) for n in (1, 2) for temperature in (0.2, 0.8)
    ]
    assert ["pass@2" in run for run in found["runs"]] == [False, False, True, True]
    assert {(run["sweep"], run["priority"]) for run in found["runs"]} == {(sweep, -2)}
    assert f"sweep {sweep}  4/4 runs  100 %  12/12 judged" in said.err
    assert f"crucible sweeps show {sweep}" in said.err
    (listed,) = _json(crucible, "sweeps", "list")
    assert (listed["sweep"], listed["states"]) == (sweep, {"finished": 4})
    shown = _json(crucible, "sweeps", "show", sweep[-4:])
    (best,) = shown["best"]
    assert (best["k"], best["value"], len(best["runs"]), best["compared"]) == (1, 1.0, 4, 4)
    table = crucible("sweeps", "show", "latest", "-k", "2")
    assert "best on humaneval: a tie of 2, pass@2 100.0 %" in table.out
    assert "2 runs of humaneval without a pass@2 yet" in table.out
    followed = crucible("runs", "follow", sweep, "--json")
    assert (followed.code, json.loads(followed.out)) == (0, found)
    assert sweep in crucible("sweeps", "list").out


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("models: reference\ntemprature: 1", "s.yaml:2: temprature: is not a key"),
        ("models: [reference", "s.yaml:1: is not YAML: "),
        ("n: 1\nk: [1, 5]", "s.yaml:2: k: pass@5 needs at least 5 completions per challenge"),
        ("n: 1\n\ndatasets:\n- humaneval\n- nosuch", "s.yaml:5: datasets: "),
        ("priority: 99", "s.yaml:1: priority: '99' is not a whole number from -10 to 10"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_and_2(
    crucible: Crucible, text: str, problem: str
) -> None:
    _write(crucible, text)
    said = crucible("benchmark", "--sweep", "s.yaml", "--limit", "1")
    assert (said.code, said.out) == (2, "")
    error, *hint = said.err.splitlines()
    assert error.startswith(f"error: {problem}")
    assert len(hint) <= 1


def test_what_does_not_exist_is_one_line_and_2(crucible: Crucible) -> None:
    words = [
        ("benchmark", "--sweep", "none.yaml"),
        ("sweeps", "show", "latest"),
        ("runs", "follow", "nosuch"),
        ("runs", "priority", "nosuch", "--to", "11"),
        ("runs", "pause", "nosuch"),
    ]
    for each in words:
        said = crucible(*each)
        assert (said.code, said.out) == (2, ""), each
        assert said.err.startswith("error: "), each
        assert len(said.err.splitlines()) <= 2, each
    empty = crucible("sweeps", "list")
    assert (empty.code, empty.out) == (0, "")
    assert "no sweeps yet" in empty.err


def _napping(crucible: Crucible, count: int) -> str:
    """A model whose programs take their time, so that a sweep can be met while it works."""
    rows = [
        {"task_id": f"HumanEval/{number}", "solution": "import time\ntime.sleep(0.2)\n"}
        for number in range(count)
    ]
    (crucible.home / "naps.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return f"replay:{crucible.home / 'naps.jsonl'}"


def _wait_for_progress(child: subprocess.Popen[bytes]) -> str:
    """Until verdicts are stored; returns the sweep's id."""
    assert child.stderr is not None
    deadline = time.monotonic() + 60
    for line in child.stderr:
        found = re.match(rb"sweep (\S+)  0/2 runs .* judged", line)
        if found:
            return found[1].decode()
        assert time.monotonic() < deadline
    pytest.fail("ended before it could be met")


def test_a_sweep_paused_from_another_terminal_ends_cleanly_and_goes_on_when_resumed(
    crucible: Crucible,
) -> None:
    words = ("--limit", "30", "--temperature", "0", "--temperature", "0.5", "--json")
    child = crucible.start("benchmark", "-m", _napping(crucible, 30), *words)
    sweep = _wait_for_progress(child)
    paused = crucible("runs", "pause", sweep)
    assert paused.code == 0, paused.err
    assert f"crucible runs resume {sweep}" in paused.err
    out, err = child.communicate(timeout=30)
    assert child.returncode == 4, err
    told = err.decode()
    assert "was paused: crucible runs resume" in told
    assert told.splitlines()[-1].startswith("hint: crucible runs resume ")
    # the first run may have been done before anybody paused it
    first, second = (run["state"] for run in json.loads(out)["runs"])
    assert (first in ("paused", "finished"), second) == (True, "paused")
    assert _json(crucible, "runs", "priority", sweep, "--to", "-7")[1]["priority"] == -7
    again = crucible("runs", "pause", sweep)
    assert f"every run of sweep {sweep} is " in again.err
    assert "paused already; there is nothing to pause" in again.err
    refused = crucible("runs", "resume", sweep, "--detach")
    assert refused.code == 2
    assert "--detach needs a cluster" in refused.err
    resumed = _json(crucible, "runs", "resume", sweep)
    assert {run["state"] for run in resumed["runs"]} == {"finished"}
    assert [run["judged"] for run in resumed["runs"]] == [30, 30]


def test_what_was_given_up_is_shown_with_its_challenges_and_reason(crucible: Crucible) -> None:
    words = ("benchmark", "-m", _napping(crucible, 1), "--limit", "3", "-q")
    assert crucible(*words).code == 4
    shown = crucible("runs", "show", "latest")
    for task_id in ("HumanEval/1", "HumanEval/2"):
        assert f"given up: generation of {task_id}: " in shown.out
    gaps = _json(crucible, "runs", "show", "latest")["gaps"]
    assert [(gap["stage"], gap["is_given_up"]) for gap in gaps] == [("generation", True)] * 2
    assert [gap["challenges"] for gap in gaps] == [["HumanEval/1"], ["HumanEval/2"]]
