"""Prints the CPU time that commands take to start, in turns with other programs.

    python tests/performance/start_up.py [--rounds 10] [--beside /path/to/llm]…

Every round starts each command once, so that a busy host slows all of them alike; medians are
shown. `ask` is measured at the moment a model server on this host has the whole question: what the
program takes until the first byte leaves. `llm` is to be installed elsewhere (`python -m venv D;
D/bin/pip install llm`); celery is the one of this environment.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from commandline import at_home
from model_server import Asked, ModelServer, Ollama, Reply

_BIN = Path(sys.executable).parent

#: as the console script starts
_CRUCIBLE = str(_BIN / "crucible")


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    words: tuple[str, ...]
    #: the most it may take, in seconds, or in bare interpreters
    limit: str = ""
    extra: tuple[tuple[str, str], ...] = ()


_BARE = Command("python -c pass", (sys.executable, "-c", "pass"))
_TAB = (
    ("_CRUCIBLE_COMPLETE", "bash_complete"),
    ("COMP_WORDS", "crucible ben"),
    ("COMP_CWORD", "1"),
)
_OURS = (
    Command("crucible --version", (_CRUCIBLE, "--version"), "3 x bare"),
    Command("crucible --help", (_CRUCIBLE, "--help"), "150 ms"),
    Command("TAB: crucible ben", (_CRUCIBLE,), "150 ms", _TAB),
    Command("crucible ask --help", (_CRUCIBLE, "ask", "--help"), "150 ms"),
)
_CELERY = Command("celery --version", (str(_BIN / "celery"), "--version"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--beside", action="append", default=[], metavar="PROGRAM")
    options = parser.parse_args()
    others = [
        Command(f"{Path(path).name} --version", (path, "--version")) for path in options.beside
    ]
    commands = [_BARE, *_OURS, _CELERY, *others]
    seconds: dict[str, list[float]] = {command.name: [] for command in commands}
    asked: list[float] = []
    with tempfile.TemporaryDirectory() as home, ModelServer(Ollama()) as server:
        environment = at_home(Path(home)).environment
        for _ in range(options.rounds):
            for command in commands:
                seconds[command.name].append(_started(command, environment))
            asked.append(_ask(server, environment))
    bare = statistics.median(seconds[_BARE.name])
    print(f"CPU time, median of {options.rounds}, all in turns; bare is {1000 * bare:.0f} ms\n")
    for command in commands:
        _show(command.name, seconds[command.name], bare, command.limit)
    _show('crucible -m … "prompt", until it is sent', asked, bare, "350 ms")


def _show(name: str, found: list[float], bare: float, limit: str) -> None:
    median = statistics.median(found)
    at_most = f"  at most {limit}" if limit else ""
    print(f"{name:42}{1000 * median:6.0f} ms {median / bare:6.1f} x{at_most}")


def _started(command: Command, environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command.words,
        env={**environment, **dict(command.extra)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _ask(server: ModelServer, environment: dict[str, str]) -> float:
    found: list[float] = []
    child: list[subprocess.Popen[bytes]] = []

    def answer(asked: Asked) -> Reply:
        if asked.path == "/api/chat":
            found.append(_cpu_seconds(child[0].pid))
        return ollama(asked)

    ollama = Ollama()
    server.behaviour = answer
    spec = f"ollama:{server.url}#codellama:7b-code?style=chat"
    child.append(
        subprocess.Popen(
            (_CRUCIBLE, "-m", spec, "hello there", "--no-log"),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )
    child[0].wait()
    return found[0]


def _cpu_seconds(pid: int) -> float:
    """What all threads of a process have had so far: it waits for us now."""
    tasks = Path(f"/proc/{pid}/task")
    times = [(task / "schedstat").read_text().split()[0] for task in tasks.iterdir()]
    return sum(map(int, times)) / 1e9


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()
