"""A small benchmark whose model and sandbox follow a script, for tests of what lies between."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from celery.canvas import Signature
from kombu.utils import json

from crucible_api.runs import Runs
from crucible_infra.artifacts import open_store
from crucible_infra.database import Database
from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.challenges import Dataset, create
from crucible_tasks.completion import Completion, Form
from crucible_tasks.control import RECONCILE, Reconcile
from crucible_tasks.evaluation import EVALUATION, Evaluation, EvaluationRequest, Judgement
from crucible_tasks.generation import GENERATION, Generation, GenerationRequest, ModelIdentity
from crucible_tasks.planning import BenchmarkPlan, grader_label
from crucible_tasks.sampling import Sampling
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.control import Controller

Answer = Generation | Evaluation

MODEL = ModelIdentity("replay:answers.jsonl", "answers", "replay", "d" * 64, "base")


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        # later than any real clock, which is what doors note the start of a run by
        self.now = 4_000_000_000.0

    def __call__(self) -> float:
        return self.now


def dataset(challenges: int = 3) -> Dataset:
    """Challenges named T/0, T/1, …"""
    return create(
        "scripted",
        "own",
        [
            Challenge(
                f"T/{number}",
                Language.PYTHON,
                f'def f{number}():\n    """Answer."""\n',
                f"f{number}",
                ScriptTests(f"assert f{number}()"),
            )
            for number in range(challenges)
        ],
    )


def plan(challenges: int = 3, n: int = 4, ks: tuple[int, ...] = (1, 2)) -> BenchmarkPlan:
    """One run over all of it."""
    return BenchmarkPlan(MODEL, dataset(challenges), Sampling(), n, ks, seed=7)


def completion(seed_base: int, index: int) -> Completion:
    """What the scripted model answers: a matter of the seed alone."""
    seed = seed_base + 1 + index
    return Completion(index, Form.CONTINUATION, f"    return {seed % 3}\n", seed)


def judgement(one: Completion) -> Judgement:
    """What the scripted sandbox finds: a matter of the text alone."""
    outcome = Outcome.FAILED if one.text.endswith("0\n") else Outcome.PASSED
    return Judgement(one.index, Verdict(outcome, cpu_seconds=0.25), "continuation", "a" * 64)


def generation(request: GenerationRequest) -> Generation:
    """Everything that was asked for."""
    return Generation(
        request.run_id,
        request.task_id,
        tuple(completion(request.seed_base, index) for index in request.indices),
        indices=request.indices,
        attempt=request.attempt,
    )


def evaluation(request: EvaluationRequest) -> Evaluation:
    """A verdict on everything."""
    return Evaluation(
        request.run_id,
        request.task_id,
        grader_label(),
        tuple(judgement(one) for one in request.completions),
        indices=tuple(one.index for one in request.completions),
        attempt=request.attempt,
        isolation="namespaces",
    )


@dataclass
class Wire:
    """A broker one can look into: what was sent waits here in a list."""

    sent: list[Signature] = field(default_factory=list)

    def send(self, message: Signature) -> None:
        """Keep a message."""
        self.sent.append(message)

    def backlog(self, queue: str) -> int:
        """How many messages wait in this queue."""
        return sum(message.options["queue"] == queue for message in self.sent)

    def take(self) -> list[object]:
        """The requests that wait, as a worker would read them, oldest first."""
        waiting, self.sent = self.sent, []
        return [_request(message) for message in waiting]


def _request(message: Signature) -> object:
    for contract in (GENERATION, EVALUATION, RECONCILE):
        if message.task == contract.name:
            assert message.options["queue"] == contract.queue
            # by way of JSON, as on a real wire
            return msgspec.convert(json.loads(json.dumps(message.args[0])), contract.request)
    raise AssertionError(message.task)


@dataclass
class Workshop:
    """A run service, a controller, and the wire between them."""

    database: Database
    directory: Path
    clock: Clock = field(default_factory=Clock)
    wire: Wire = field(default_factory=Wire)

    def __post_init__(self) -> None:
        store = open_store(str(self.directory / "artifacts"))
        self.runs = Runs(self.database, store, self.wire.send)
        self.controller = Controller(
            self.database, self.wire.send, self.wire.backlog, now=self.clock
        )

    def begin(self, chosen: BenchmarkPlan | None = None) -> str:
        """Plan and start a run."""
        run_id = self.runs.plan_benchmark(chosen or plan())
        self.runs.start(run_id)
        return run_id

    def deliver(self, request: object) -> None:
        """Do one request's work and store the result."""
        if isinstance(request, Reconcile):
            self.controller.reconcile(request)
        else:
            self.store(answer(request))

    def store(self, found: Answer) -> None:
        """Bring an answer to the controller."""
        if isinstance(found, Generation):
            self.controller.store_completions(found)
        else:
            self.controller.store_verdicts(found)

    def finish(self) -> None:
        """Deliver everything until nothing waits."""
        while requests := self.wire.take():
            for request in requests:
                self.deliver(request)


def answer(request: object) -> Answer:
    """What a worker without faults finds."""
    if isinstance(request, GenerationRequest):
        return generation(request)
    assert isinstance(request, EvaluationRequest)
    return evaluation(request)
