"""What metrics cost: microseconds of CPU time per task and per scrape.

`python tests/performance/metrics_cost.py [TASKS]` measures the signal handlers on messages as a run
of HumanEval sends them: of one challenge's generation and evaluation with 20 completions, and of
the two stores. A store, the shortest task, takes the controller about 10 ms.
"""

from __future__ import annotations

import sys
import time
import urllib.request
from types import SimpleNamespace
from typing import Any

import msgspec

from crucible_infra import metrics
from crucible_tasks import control, evaluation, generation, measured
from crucible_tasks.completion import Completion, Form
from crucible_tasks.evaluation import Evaluation, Judgement
from crucible_tasks.generation import Generation
from crucible_tasks.verdict import Outcome, Verdict

N = 20

SCRAPES = 50


def main(tasks: int = 20_000) -> None:
    """Print both figures."""
    port = metrics.serve(0, "127.0.0.1")
    judgements = tuple(Judgement(i, Verdict(Outcome.PASSED), "fence", None) for i in range(N))
    completions = tuple(Completion(i, Form.RESPONSE, "text", i) for i in range(N))
    verdicts = [[msgspec.to_builtins(Evaluation("r", "t", "g", judgements))], {}, {}]
    sampled = [[msgspec.to_builtins(Generation("r", "t", completions))], {}, {}]
    contracts = (generation.GENERATION, evaluation.EVALUATION, *control_contracts())
    named: list[Any] = [SimpleNamespace(name=contract.name) for contract in contracts]
    began = time.process_time()
    for number in range(tasks):
        task = named[number % len(named)]
        measured._task_began(task_id="x")
        if number % len(named) == 0:
            measured._sent(control.STORE_COMPLETIONS.name, sampled)
        elif number % len(named) == 1:
            measured._sent(control.STORE_VERDICTS.name, verdicts)
        measured._task_ended(task_id="x", task=task, state="SUCCESS")
    per_task = (time.process_time() - began) / tasks
    began = time.process_time()
    for _ in range(SCRAPES):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").close()
    per_scrape = (time.process_time() - began) / SCRAPES
    metrics.stop()
    print(f"{per_task * 1e6:.1f} us per task, {per_scrape * 1e3:.2f} ms per scrape, both ends")


def control_contracts() -> tuple[Any, ...]:
    """What the controller is sent."""
    return control.STORE_COMPLETIONS, control.STORE_VERDICTS


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
