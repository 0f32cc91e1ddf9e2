"""`crucible benchmark` and `crucible runs`: from nothing to a number, and after an interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from commandline import Crucible
from crucible_tasks.challenges import open_dataset

#: challenges: enough to be interrupted in the middle, few enough to wait for
MANY = 60


def _benchmark(crucible: Crucible, *words: str) -> Any:
    said = crucible("benchmark", "-m", "reference", "--json", *words)
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_the_reference_passes_the_challenges_it_comes_with(crucible: Crucible) -> None:
    found = _benchmark(crucible, "--limit", "4")
    assert (found["model"], found["dataset"], found["challenges"]) == ("reference", "humaneval", 4)
    assert found["pass@1"]["value"] == 1.0
    assert found["coverage"] == 1.0
    assert found["temperature"] == 0.0
    assert found["state"] == "finished"


def test_a_piped_benchmark_says_its_progress_line_by_line(crucible: Crucible) -> None:
    said = crucible("benchmark", "-m", "reference", "--limit", "4")
    assert said.code == 0, said.err
    assert "pass@1" in said.out
    assert "100.0 %" in said.out
    assert "\r" not in said.err
    assert "100 %  4/4 judged" in said.err
    assert "crucible runs show" in said.err


def test_a_terminal_gets_a_bar_and_a_dumb_one_lines(crucible: Crucible) -> None:
    words = ("benchmark", "-m", "reference", "--limit", "8")
    shown = crucible.on_terminal(*words)
    assert shown.code == 0, shown.err
    assert "\r" in shown.err.replace("\r\n", "")
    assert "░" in shown.err
    for extra in ({"TERM": "dumb"}, {"CI": "true", "NO_COLOR": "1"}):
        plain = crucible.on_terminal(*words, **extra)
        assert "░" not in plain.err
        assert "\x1b" not in plain.err
        assert "judged" in plain.err


def test_no_color_keeps_the_bar_without_any_escape_code(crucible: Crucible) -> None:
    words = ("benchmark", "-m", "reference", "--limit", "4")
    shown = crucible.on_terminal(*words, NO_COLOR="1")
    assert "░" in shown.err
    assert "\x1b" not in shown.err


def test_where_no_server_answers_the_toy_is_sampled_and_the_installation_proved(
    crucible: Crucible,
) -> None:
    if json.loads(crucible("models", "--json").out):
        pytest.skip("a model server answers on this host")
    said = crucible("benchmark", "--limit", "6", "--output", "result.json")
    assert said.code == 0, said.err
    assert "nano (toy model, synthetic data)" in said.out
    assert "sampled the built-in nano, a toy" in said.err
    assert "proves this installation" in said.err
    assert "crucible benchmark -m ollama:" in said.err
    toy, reference = json.loads((crucible.home / "result.json").read_text())["runs"]
    assert (toy["model"], toy["dataset"], toy["n"]) == ("nano", "starter", 10)
    assert toy["caution"] == toy["manifest"]["model"]["caution"] == "toy model, synthetic data"
    assert toy["temperature"] == 1.2
    assert 0 < toy["pass@1"]["value"] < toy["pass@10"]["value"]
    assert (reference["model"], reference["dataset"]) == ("reference", "humaneval")
    assert (reference["n"], reference["caution"], reference["pass@1"]["value"]) == (1, None, 1.0)


def test_the_toy_can_be_asked_by_name_with_settings_of_the_user(crucible: Crucible) -> None:
    words = ("--limit", "2", "-d", "starter", "-n", "2", "--temperature", "0.5", "--json")
    said = crucible("benchmark", "-m", "nano", *words)
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert (found["n"], found["temperature"], found["completions"]) == (2, 0.5, 4)
    assert "proves this installation" not in said.err


def test_a_model_from_the_environment_is_used(crucible: Crucible) -> None:
    said = crucible("benchmark", "--limit", "2", "--json", CRUCIBLE_MODEL="reference")
    assert said.code == 0, said.err
    assert json.loads(said.out)["model"] == "reference"
    assert "proves this installation" not in said.err


def test_several_temperatures_make_a_sweep_with_one_table(crucible: Crucible) -> None:
    words = [
        "-n",
        "2",
        "--limit",
        "2",
        "--temperature",
        "0.2",
        "--temperature",
        "0.8",
        "--output",
        "sweep.json",
    ]
    found = _benchmark(crucible, *words)
    assert [run["temperature"] for run in found["runs"]] == [0.2, 0.8]
    assert all(run["pass@1"]["value"] == 1.0 for run in found["runs"])
    assert json.loads((crucible.home / "sweep.json").read_text()) == found
    listed = json.loads(crucible("runs", "list", "--json").out)
    assert {run["sweep_id"] for run in listed} == {found["sweep"]}


def test_a_model_that_nobody_has_fails_soon_and_plans_nothing(crucible: Crucible) -> None:
    started = time.monotonic()
    said = crucible("benchmark", "-m", "openai:127.0.0.1:9/v1#none", "--limit", "2")
    assert said.code == 1
    assert said.err.startswith("error: ")
    assert time.monotonic() - started < 20
    assert json.loads(crucible("runs", "list", "--json").out) == []


def test_runs_can_be_looked_at_exported_and_judged_again(crucible: Crucible) -> None:
    run_id = _benchmark(crucible, "--limit", "3")["run"]
    assert run_id in crucible("runs", "list").out
    shown = json.loads(crucible("runs", "show", "latest", "--verdicts", "--json").out)
    assert shown["run"] == run_id
    assert [row["outcome"] for row in shown["verdicts"]] == ["passed"] * 3
    assert crucible("runs", "show", run_id[:-1]).code == 0
    exported = crucible("runs", "export", run_id, "results")
    assert exported.code == 0, exported.err
    assert all(Path(crucible.home, line).is_file() for line in exported.out.splitlines())
    again = crucible("runs", "regrade", run_id, "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["pass@1"]["value"] == 1.0


def test_comparing_a_run_with_itself_cannot_tell_and_gates_hold(crucible: Crucible) -> None:
    run_id = _benchmark(crucible, "--limit", "3")["run"]
    said = crucible("compare", run_id, "latest", "--fail-if-worse")
    assert said.code == 0, said.err
    assert "cannot tell" in said.out
    found = json.loads(crucible("compare", run_id, run_id, "--json").out)
    assert (found["verdict"], found["challenges"]) == ("cannot_tell", 3)
    assert crucible("compare", run_id, run_id, "--fail-under", "pass@1=1.0").code == 0


def test_ctrl_c_reaches_the_whole_group_and_the_benchmark_is_resumed(crucible: Crucible) -> None:
    child = crucible.start("benchmark", "-m", _napping_answers(crucible), "--limit", f"{MANY}")
    _wait_for_progress(child)
    # as in a terminal; `test_killed_benchmark` has the other ways
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    assert b"stopped; nothing is lost: crucible runs resume" in err
    assert b"Traceback" not in err
    assert json.loads(crucible("runs", "show", "latest", "--json").out)["judged"] < MANY
    resumed = crucible("runs", "resume", "latest", "--json")
    assert resumed.code == 0, resumed.err
    found = json.loads(resumed.out)
    assert (found["completions"], found["judged"]) == (MANY, MANY)
    assert found["pass@1"]["value"] == 1.0
    assert len(json.loads(crucible("runs", "list", "--json").out)) == 1


def test_a_second_ctrl_c_exits_at_once(crucible: Crucible) -> None:
    child = crucible.start("benchmark", "-m", _napping_answers(crucible), "--limit", f"{MANY}")
    _wait_for_progress(child)
    for _ in range(2):
        child.send_signal(signal.SIGINT)
        time.sleep(0.02)
    started = time.monotonic()
    child.communicate(timeout=30)
    assert child.returncode == 130
    assert time.monotonic() - started < 2


def test_the_doctor_speaks_about_every_part_and_fails_for_a_sandbox_that_is_not_there(
    crucible: Crucible,
) -> None:
    # a working one takes it half a minute: `test_every_sandbox`
    said = crucible(
        "doctor", "--json", CRUCIBLE_CONTAINER_ENGINE="/none", CRUCIBLE_SANDBOX="container"
    )
    found = json.loads(said.out)
    parts = {check["name"]: check["is_ok"] for check in found["checks"]}
    assert {"python", "database", "broker", "disk", "clock", "cpu", "sandbox"} <= parts.keys()
    assert (said.code, found["is_ok"], parts["sandbox"]) == (1, False, False)


def _napping_answers(crucible: Crucible) -> str:
    """Right answers that take their time, so that a run can be met while it works."""
    rows = [
        {"task_id": one.task_id, "solution": f"import time\ntime.sleep(0.05)\n{one.reference}"}
        for one in open_dataset("humaneval").challenges
    ]
    (crucible.home / "naps.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return f"replay:{crucible.home / 'naps.jsonl'}"


def _wait_for_progress(child: subprocess.Popen[bytes]) -> None:
    """Until verdicts are stored, so that there is something to lose."""
    assert child.stderr is not None
    for line in child.stderr:
        if b"judged" in line:
            return
    pytest.fail("ended before it could be interrupted")
