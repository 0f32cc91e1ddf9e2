"""What a run's state and number mean is said wherever they are shown, and before they mislead."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest

from commandline import Crucible

INTERVAL = "[56.6, 100.0]"


def test_a_run_without_isolation_says_so_wherever_its_number_is(crucible: Crucible) -> None:
    crucible.environment["CRUCIBLE_SANDBOX"] = "process"
    said = crucible("benchmark", "-m", "reference", "--limit", "2")
    assert said.code == 0, said.err
    assert "NONE (process)" in said.out
    assert "NONE (process)" in crucible("runs", "show", "latest").out
    assert "NONE (process)" in crucible("compare", "latest", "latest").out
    shown = json.loads(crucible("runs", "show", "latest", "--verdicts", "--json").out)
    assert (shown["isolation"], shown["manifest"]["isolation"]) == ("process", "process")
    assert {row["isolation"] for row in shown["verdicts"]} == {"process"}
    assert crucible("runs", "export", "latest", "out").code == 0
    manifest = json.loads((crucible.home / "out" / "manifest.json").read_text())
    assert manifest["isolation"] == "process"


def test_an_export_can_be_evaluated_but_is_no_ground_for_a_gate(crucible: Crucible) -> None:
    assert crucible("benchmark", "-m", "reference", "--limit", "2", "-q").code == 0
    assert crucible("runs", "export", "latest", "out").code == 0
    words = ("evaluate", "out/completions.jsonl", "--fail-under", "pass@1=50%", "-k", "1,10")
    refused = crucible(*words, "-q")
    assert refused.code == 4, refused.err
    assert "100.0 %" in refused.out
    assert "pass@10 is not known: 2 of 2 challenges have fewer than 10" in refused.out
    assert "answers 2 of the 164 challenges of humaneval" in refused.err
    assert "hint: add the other answers, or let the part be enough with --allow-partial" in (
        refused.err
    )
    assert crucible(*words, "--allow-partial").code == 0
    twice = crucible("compare", "latest", "latest", "--fail-under", "pass@1=50%")
    assert twice.code == 4
    assert "nothing to tell" in twice.err


def _napping_answers(crucible: Crucible, count: int) -> str:
    """A model whose programs take their time, so that a run can be met while it works."""
    rows = [
        {"task_id": f"HumanEval/{number}", "solution": "import time\ntime.sleep(0.2)\n"}
        for number in range(count)
    ]
    (crucible.home / "naps.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return f"replay:{crucible.home / 'naps.jsonl'}"


def test_a_killed_run_is_interrupted_and_its_pause_is_no_work(crucible: Crucible) -> None:
    child = crucible.start("benchmark", "-m", _napping_answers(crucible, 40), "--limit", "40")
    _wait_for_progress(child)
    # or it would be finished before anybody has looked
    child.send_signal(signal.SIGSTOP)
    running = json.loads(crucible("runs", "list", "--json").out)[0]
    assert running["state"] == "running"
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=30)
    listed = crucible("runs", "list")
    assert " interrupted " in listed.out
    assert f"crucible runs resume {running['id']}" in listed.err
    shown = json.loads(crucible("runs", "show", "latest", "--json").out)
    assert shown["state"] == "interrupted"
    followed = crucible("runs", "follow", "latest", "-q")
    assert followed.code == 4
    assert f"hint: crucible runs resume {running['id']}" in followed.err
    _let_an_hour_pass(crucible)
    resumed = crucible("runs", "resume", "latest", "--json")
    assert resumed.code == 0, resumed.err
    assert json.loads(resumed.out)["state"] == "finished"
    assert shown["seconds"] <= json.loads(resumed.out)["seconds"] < 600
    stopped = crucible("runs", "stop", "latest")
    assert "is finished already; there is nothing to stop" in stopped.err
    assert "resume" not in stopped.err


def test_results_are_readable_in_a_terminal_of_80_columns(crucible: Crucible) -> None:
    words = ("benchmark", "-m", "reference", "--limit", "5", "-n", "2", "-k", "1,2")
    shown = crucible.on_terminal(*words, "--temperature", "0.2", "--temperature", "0.8", "-q")
    assert shown.code == 0, shown.err
    ids = [run["id"] for run in json.loads(crucible("runs", "list", "--json").out)]
    listed = crucible.on_terminal("runs", "list", NO_COLOR="1")
    compared = crucible.on_terminal("compare", *ids, NO_COLOR="1")
    for text in (shown.err, listed.err, compared.err):
        lines = text.splitlines()
        for run_id in ids:
            assert sum(run_id in line for line in lines) >= 1, text
    for text, times in ((shown.err, 4), (compared.err, 2)):
        assert sum(f"100.0 %  {INTERVAL}" in line for line in text.splitlines()) == times, text
    assert max(len(line) for line in listed.err.splitlines()) <= 80


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("CRUCIBLE_LOG_FORMAT", "jsn", "text, json"),
        ("CRUCIBLE_LOG_LEVEL", "chatty", "DEBUG, INFO"),
        ("CRUCIBLE_SANDBOX", "foo", "namespaces, container, process"),
        ("CRUCIBLE_OUTAGE_SECONDS", "soon", "like 60"),
    ],
)
def test_a_misspelled_setting_is_2_with_what_it_may_be(
    crucible: Crucible, name: str, value: str, known: str
) -> None:
    for words in (("benchmark", "-m", "reference", "--limit", "1"), ("runs", "list")):
        said = crucible(*words, **{name: value})
        assert (said.code, said.out) == (2, "")
        error, hint = said.err.splitlines()
        assert error.startswith(f"error: {name}")
        assert known in hint
    assert crucible("--help", **{name: value}).code == 0


def test_a_home_that_cannot_be_used_is_named_and_not_a_url_nobody_wrote(
    crucible: Crucible,
) -> None:
    (crucible.home / "crucible.db").write_bytes(b"something else entirely" * 100)
    said = crucible("benchmark", "-m", "reference", "--limit", "1")
    assert said.code == 1
    assert str(crucible.home / "crucible.db") in said.err
    assert "CRUCIBLE_HOME=" in said.err
    assert "CRUCIBLE_DATABASE_URL" not in said.err


def _let_an_hour_pass(crucible: Crucible) -> None:
    """As if the run had been killed an hour ago."""
    with closing(sqlite3.connect(crucible.home / "crucible.db")) as database:
        database.execute(
            "UPDATE runs SET started_at = started_at - 3600, heard_at = heard_at - 3600"
        )
        database.commit()


def _wait_for_progress(child: subprocess.Popen[bytes]) -> None:
    """Until verdicts are stored, so that there is something to resume."""
    assert child.stderr is not None
    deadline = time.monotonic() + 60
    for line in child.stderr:
        if b"judged" in line:
            return
        assert time.monotonic() < deadline
    pytest.fail("ended before it could be killed")
