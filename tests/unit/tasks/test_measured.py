"""What a worker's messages and tasks add to its metrics."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from crucible_infra import metrics
from crucible_tasks import control, evaluation, measured
from crucible_tasks.evaluation import Evaluation, Judgement
from crucible_tasks.verdict import Outcome, Verdict

pytestmark = pytest.mark.usefixtures("crucible_home")


@dataclass(frozen=True, slots=True)
class Scrape:
    port: int

    def __call__(self, name: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as reply:
            lines = reply.read().decode().splitlines()
        (value,) = [line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} ")]
        return float(value)


@pytest.fixture
def scrape() -> Iterator[Scrape]:
    yield Scrape(metrics.serve(0, "127.0.0.1"))
    metrics.stop()


def _end(task: str, state: str) -> None:
    ended: Any = SimpleNamespace(name=task)
    measured._task_began(task_id="1")
    measured._task_ended(task_id="1", task=ended, state=state)


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("SUCCESS", "succeeded"), ("FAILURE", "failed"), ("REJECTED", "rejected")],
)
def test_a_task_counts_by_how_it_ended(scrape: Scrape, state: str, outcome: str) -> None:
    _end("crucible.x", state)

    assert scrape(f'crucible_tasks_total{{contract="crucible.x",outcome="{outcome}"}}') == 1
    assert scrape('crucible_task_duration_seconds_count{contract="crucible.x"}') == 1
    assert measured._started == {}


def test_a_sick_host_that_hands_programs_back_refuses(scrape: Scrape) -> None:
    _end(evaluation.EVALUATION.name, "REJECTED")

    assert scrape('crucible_sandbox_refusals_total{reason="sick"}') == 1


def test_verdicts_count_by_outcome_and_a_failed_sandbox_as_a_refusal(scrape: Scrape) -> None:
    judgements = tuple(
        Judgement(index, Verdict(outcome), "verbatim", None)
        for index, outcome in enumerate((Outcome.PASSED, Outcome.PASSED, Outcome.TIMED_OUT))
    )
    sent = Evaluation("r", "t", "g", judgements, failure="the sandbox broke")
    measured._sent(control.STORE_VERDICTS.name, [[msgspec.to_builtins(sent)], {}, {}])

    assert scrape('crucible_judged_programs_total{outcome="passed"}') == 2
    assert scrape('crucible_judged_programs_total{outcome="timed_out"}') == 1
    assert scrape('crucible_sandbox_refusals_total{reason="broken"}') == 1


def test_messages_of_other_kinds_count_nothing(scrape: Scrape) -> None:
    for body in ([[], {}, {}], [["text"], {}, {}], [[{"judgements": []}], {}, {}]):
        measured._sent("crucible.reconcile", body)

    with pytest.raises(ValueError, match="unpack"):
        scrape('crucible_judged_programs_total{outcome="passed"}')
