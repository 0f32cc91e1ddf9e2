"""The door itself: version, help, typos, wrong flags, pipes, colours."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import crucible_api
from commandline import PROGRAM, Crucible

REPOSITORY = Path(__file__).resolve().parents[2]

#: what a help page, or a TAB, must not wait for
HEAVY = ("celery", "kombu", "redis", "httpx", "sqlalchemy", "alembic", "rich", "msgspec")

#: CPU seconds of `--version` beyond those of a bare interpreter
VERSION_CPU_SECONDS = 0.05

COMMANDS = (
    *("benchmark", "evaluate", "compare", "models", "datasets", "doctor", "worker"),
    *("db upgrade", "runs list", "runs show", "runs follow", "runs stop", "runs resume"),
    *("runs regrade", "runs export", "ask", "logs list", "logs show"),
)


def test_the_version_is_written_once_and_agrees_with_the_metadata(crucible: Crucible) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert crucible_api.__version__ == project["version"]
    for flag in ("--version", "-V"):
        said = crucible(flag)
        assert (said.code, said.out, said.err) == (0, f"crucible {project['version']}\n", "")


def test_the_version_costs_hardly_more_than_the_interpreter() -> None:
    bare = min(_cpu_seconds("-c", "pass") for _ in range(5))
    version = min(_cpu_seconds("-m", "crucible_api", "--version") for _ in range(5))
    assert version - bare <= VERSION_CPU_SECONDS


def test_the_version_imports_no_click() -> None:
    assert "click" not in _imported("--version")


@pytest.mark.parametrize("words", ["--help", "", "runs --help", "benchmark --help", "nonsense"])
def test_help_imports_no_engine(words: str) -> None:
    assert _imported(*words.split()) & set(HEAVY) == set()


def test_tab_completes_commands_and_options_without_an_engine(crucible: Crucible) -> None:
    asked = {"_CRUCIBLE_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    assert "benchmark" in crucible(COMP_WORDS="crucible ben", **asked).out
    asked["COMP_CWORD"] = "2"
    assert "--temperature" in crucible(COMP_WORDS="crucible benchmark --te", **asked).out
    assert "_CRUCIBLE_COMPLETE=bash_complete" in crucible(_CRUCIBLE_COMPLETE="bash_source").out


def test_no_arguments_show_the_help_and_no_error(crucible: Crucible) -> None:
    said = crucible()
    assert said.code == 0
    assert said.out == crucible("--help").out
    assert said.err == ""


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_is_listed_and_its_help_ends_in_examples(
    crucible: Crucible, words: str
) -> None:
    assert f"\n  {words.split(maxsplit=1)[0]} " in crucible("--help").out
    said = crucible(*words.split(), "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: crucible {words}")
    assert "crucible " in said.out.partition("Examples:\n")[2]


def test_a_typo_of_a_command_asks_what_was_meant(crucible: Crucible) -> None:
    said = crucible("benchmrak", "-m", "reference")
    assert said.code == 2
    assert said.out == ""
    assert said.err.splitlines() == [
        "error: 'benchmrak' is not a command",
        "hint: did you mean: crucible benchmark",
    ]
    assert "did you mean: crucible runs show" in crucible("runs", "shwo").err


@pytest.mark.parametrize(
    "words",
    [
        "--nonsense",
        "benchmark --nonsense",
        "benchmark -n 0",
        "benchmark -n many",
        "benchmark -k 10",
        "benchmark -k 0",
        "benchmark --temperature -1",
        "benchmark --fail-under 0.3",
        "benchmark --fail-under pass@10=0.3",
        "benchmark --style poem",
        "benchmark --dataset humanevil",
        "benchmark --detach",
        "benchmark -m openai:nonsense",
        "benchmark -m reference --output /nowhere/at/all.json",
        "benchmark -m reference --output - --json",
        "evaluate",
        "evaluate nowhere.jsonl",
        "runs show",
        "runs show nothing",
        "runs resume nothing",
        "compare one",
        "compare nothing nothing",
        "worker --queues nonsense",
        # its choices come in lines of their own
        "models export nano",
    ],
)
def test_wrong_words_are_a_usage_error_of_two_lines(crucible: Crucible, words: str) -> None:
    said = crucible(*words.split())
    assert said.code == 2, said.err
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) <= 2


def test_a_worker_without_a_broker_says_what_it_needs(crucible: Crucible) -> None:
    said = crucible("worker")
    assert said.code == 1
    assert "CRUCIBLE_BROKER_URL" in said.err


@pytest.mark.parametrize("words", [("--debug",), ()])
def test_a_traceback_comes_only_with_debug(crucible: Crucible, words: tuple[str, ...]) -> None:
    said = crucible("runs", "show", "nothing", *words)
    assert ("Traceback" in said.err) == bool(words)
    assert said.err.splitlines()[-2].startswith("error: ")
    assert ("Traceback" in crucible("runs", "show", "x", CRUCIBLE_DEBUG="1").err) is True


def test_a_closed_pipe_is_silent_and_141(crucible: Crucible) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    for words in ("--help", "--version", "datasets"):
        child = subprocess.run(
            [*PROGRAM, *words.split()],
            env=crucible.environment,
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
        assert (child.returncode, child.stderr) == (141, b"")
    os.close(writer)


def test_a_reader_that_took_its_line_makes_the_shell_see_141_and_0(crucible: Crucible) -> None:
    # `head` has left before the program writes
    program = f"{sys.executable} -m crucible_api datasets"
    script = f"{{ echo first; sleep 0.3; {program}; }} | head -1; echo ${{PIPESTATUS[@]}}"
    child = subprocess.run(
        ["bash", "-c", script], env=crucible.environment, capture_output=True, check=False
    )
    assert child.stdout.splitlines() == [b"first", b"141 0"]
    assert child.stderr == b""


@pytest.mark.parametrize("words", ["--version", "--help", "datasets"])
@pytest.mark.parametrize("buffering", ["", "1"])
def test_a_full_disk_behind_stdout_is_one_clear_line(
    crucible: Crucible, words: str, buffering: str
) -> None:
    with Path("/dev/full").open("w") as full:
        child = subprocess.run(
            [*PROGRAM, *words.split()],
            env={**crucible.environment, "PYTHONUNBUFFERED": buffering},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert child.returncode == 1
    assert b"no space left" in child.stderr.lower() or b"no space is left" in child.stderr
    assert len(child.stderr.splitlines()) <= 2


def test_a_closed_stdout_is_no_crash(crucible: Crucible) -> None:
    script = f"{sys.executable} -m crucible_api datasets >&-"
    child = subprocess.run(
        ["bash", "-c", script], env=crucible.environment, capture_output=True, check=False
    )
    assert b"Traceback" not in child.stderr


@pytest.mark.parametrize(
    "extra", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}], ids=["no-color", "dumb", "piped"]
)
def test_no_escape_code_where_none_is_wanted(crucible: Crucible, extra: dict[str, str]) -> None:
    for words in ("datasets", "nonsense", "runs list"):
        run = crucible.on_terminal if extra else crucible
        said = run(*words.split(), **extra)
        assert "\x1b" not in said.out + said.err


def test_a_terminal_gets_colour_and_a_flag_overrides_everything(crucible: Crucible) -> None:
    assert "\x1b[" in crucible.on_terminal("datasets").err
    assert "\x1b" not in crucible.on_terminal("datasets", "--color", "never").err
    assert "\x1b[" in crucible("datasets", "--color", "always", NO_COLOR="1").out
    assert "\x1b[" in crucible("datasets", FORCE_COLOR="1").out
    assert "\x1b" not in crucible("datasets", "--json", FORCE_COLOR="1").out


def test_sigterm_before_any_work_is_143(crucible: Crucible) -> None:
    child = crucible.start("doctor")
    try:
        child.wait(0.4)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=30)
    # an interpreter that meets the signal inside `exec` of a text, as dataclasses make them, ends
    # itself by SIGINT whatever its program says
    assert child.returncode in (143, -signal.SIGTERM, -signal.SIGINT), (out, err)
    assert b"Traceback" not in err


def _imported(*words: str) -> set[str]:
    """The top-level modules that a call leaves imported."""
    script = (
        "import sys; from crucible_api.entry import main; main(sys.argv[1:]); "
        "sys.stdout = sys.stderr = open('/dev/null', 'w'); "
        "sys.__stdout__.write('\\n@' + ' '.join(sys.modules))"
    )
    child = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in child.stdout.rpartition("@")[2].split()}


def _cpu_seconds(*words: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
