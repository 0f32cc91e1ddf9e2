"""A database as it looks after some weeks of use: every kind of run, sweep, fine-tune and model.

Nothing is sampled or judged: rows are written as the doors and the controller would have left
them, the same from the same seed.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec

from crucible_infra.artifacts import ArtifactStore
from crucible_infra.database import Database
from crucible_infra.database.adapters import find_adapter
from crucible_infra.database.fine_tunes import update_fine_tune
from crucible_infra.fine_tune_rows import FineTuneRow
from crucible_infra.owner import own_mark
from crucible_tasks.challenges import Dataset, encode, open_dataset
from crucible_tasks.fine_tuning import FineTuneState
from crucible_tasks.generation import ModelIdentity
from crucible_tasks.planning import BenchmarkPlan, RunState
from crucible_tasks.proof import SAMPLING, Part, Proof, Role
from crucible_tasks.registered import Registered
from crucible_tasks.sampling import Sampling
from filled_fine_tunes import STEPS, Training, write_fine_tune
from filled_questions import HYBRID, LARGE, SMALL, TEMPERATURES, TOY, VLLM, numbered, shop
from filled_runs import Sketch, made_id, write_run
from hostile_texts import hostile_texts

HOUR = 3600.0

#: the registered model
ADAPTER = "shop-first"


@dataclass(frozen=True, slots=True)
class Filled:
    """What is in the database, by what the test of a page may want of it: ids."""

    #: finished, n = 20, on the shop; its first challenge has every outcome
    large: str
    #: finished, the same challenges with the same settings: to be compared
    small: str
    #: finished, n = 1
    single: str
    running: str
    planned: str
    #: its process was killed
    interrupted: str
    #: incomplete: given up in part, with reasons
    gappy: str
    #: with runs of its members alone in its sweep
    router: str
    #: of a model with a caution
    toy: str
    #: of the registered model, and of its base, on the shop
    registered: str
    base: str
    #: of 2 models and 3 temperatures
    sweep: str
    router_sweep: str
    #: finished, with a proof; it made ADAPTER
    fine_tune: str
    fine_tune_running: str
    fine_tune_failed: str

    @property
    def runs(self) -> tuple[str, ...]:
        """Those with a name here."""
        names = "large small single running planned interrupted gappy router toy registered base"
        return tuple(getattr(self, name) for name in names.split())


def fill(
    database: Database, artifacts: ArtifactStore, seed: int = 7, now: float | None = None
) -> Filled:
    """Write everything; `now` is when the running run began."""
    pen = _Pen(database, artifacts, seed, time.time() if now is None else now)
    starter = open_dataset("starter")
    fine_tune = pen.train(ADAPTER, FineTuneState.FINISHED, 10, STEPS)
    base, registered = _prove(pen, fine_tune, starter)
    shops = partial(_shop_plan, n=20)
    return Filled(
        large=pen.run(shops(LARGE), 0.75, 30, has_every_outcome=True, tokens=160, joules=420.0),
        small=pen.run(shops(SMALL), 0.45, 29, tokens=110, seconds=0.5, joules=95.0),
        single=pen.run(BenchmarkPlan(VLLM, starter, Sampling(), 1, (1,), 3), 0.6, 28),
        running=_running(pen),
        planned=pen.run(_shop_plan(SMALL, 1), 0.6, 0.1, state=RunState.PLANNED, generated=0.0),
        interrupted=_interrupted(pen),
        gappy=_gappy(pen, starter),
        router=_routed(pen, starter),
        toy=pen.run(BenchmarkPlan(TOY, starter, Sampling(), 10, (1, 10), 5), 0.3, 40),
        registered=registered,
        base=base,
        sweep=_swept(pen, starter),
        router_sweep=pen.sweep_id(20),
        fine_tune=fine_tune.id,
        fine_tune_running=pen.train("shop-second", FineTuneState.RUNNING, 0.01, 95).id,
        fine_tune_failed=pen.train(
            "shop-third", FineTuneState.FAILED, 3, 12, "CUDA out of memory"
        ).id,
    )


def big_run(
    database: Database, artifacts: ArtifactStore, challenges: int = 164, n: int = 200
) -> str:
    """One finished run of this many completions per challenge."""
    plan = BenchmarkPlan(LARGE, numbered(challenges), Sampling(), n, (1, 10, 100), seed=1)
    return write_run(database, artifacts, Sketch(plan, 0.6, time.time() - HOUR), seed=1)


def many_runs(database: Database, artifacts: ArtifactStore, count: int, n: int = 4) -> None:
    """This many finished runs of `starter` more, of six models."""
    dataset = open_dataset("starter")
    began = time.time() - 30 * 24 * HOUR
    for number in range(count):
        kind = str(number % 6)
        model = replace(SMALL, spec=f"{SMALL.spec}-q{kind}", digest=kind * 64)
        plan = BenchmarkPlan(model, dataset, Sampling(), n, (1,), seed=number)
        write_run(database, artifacts, Sketch(plan, 0.5, began + number * 60), seed=number)


def hostile_run(database: Database, artifacts: ArtifactStore) -> str:
    """One finished run whose answers and details are the hostile texts; its names are no better."""
    hostile = "<img class=hostile src=x onerror=window.ran=1>"
    model = replace(LARGE, spec=f"openai:http://gpu-2:8000/v1#{hostile}", name=hostile)
    dataset = replace(open_dataset("starter"), name="<b class=hostile>starter")
    plan = BenchmarkPlan(model, dataset, Sampling(), 20, (1,), seed=9)
    texts = iter(hostile_texts())
    sketch = Sketch(plan, 0.0, time.time(), said=lambda: next(texts))
    return write_run(database, artifacts, sketch, seed=9)


@dataclass(frozen=True, slots=True)
class _Pen:
    """Writes into one database."""

    database: Database
    artifacts: ArtifactStore
    seed: int
    now: float

    def run(self, plan: BenchmarkPlan, skill: float, hours_ago: float, **more: Any) -> str:
        sketch = Sketch(plan, skill, self.now - hours_ago * HOUR, **more)
        return write_run(self.database, self.artifacts, sketch, self.seed)

    def train(
        self,
        name: str,
        state: FineTuneState,
        hours_ago: float,
        steps: int,
        reason: str | None = None,
    ) -> FineTuneRow:
        training = Training(name, state, self.now - hours_ago * HOUR, steps, reason)
        return write_fine_tune(self.database, self.artifacts, training, self.seed)

    def sweep_id(self, hours_ago: float) -> str:
        return made_id(self.now - hours_ago * HOUR, random.Random(f"{self.seed} {hours_ago}"))


def _shop_plan(model: ModelIdentity, n: int) -> BenchmarkPlan:
    ks = (1, 10) if n >= 10 else (1,)
    return BenchmarkPlan(model, shop(), Sampling(), n, ks, seed=2)


def _running(pen: _Pen) -> str:
    plan = _shop_plan(VLLM, 10)
    return pen.run(plan, 0.6, 0.02, state=RunState.RUNNING, generated=0.75, judged=0.5)


def _interrupted(pen: _Pen) -> str:
    mark = own_mark()
    assert mark is not None
    # this process' number, and another one's beginning
    owner = f"{mark.rpartition(' ')[0]} 1"
    plan = _shop_plan(SMALL, 1)
    return pen.run(plan, 0.5, 5, state=RunState.RUNNING, generated=0.5, judged=0.4, owner=owner)


def _gappy(pen: _Pen, dataset: Dataset) -> str:
    plan = BenchmarkPlan(LARGE, dataset, Sampling(), 1, (1,), seed=4)
    return pen.run(
        plan, 0.7, 20, state=RunState.INCOMPLETE, generated=0.9, judged=0.8, has_gaps=True
    )


def _routed(pen: _Pen, dataset: Dataset) -> str:
    asked = BenchmarkPlan(HYBRID, dataset, Sampling(), 1, (1,), 1, sweep_id=pen.sweep_id(20))
    for model, skill in ((SMALL, 0.45), (LARGE, 0.7)):
        pen.run(replace(asked, model=model), skill, 19.9)
    return pen.run(asked, 0.65, 20, joules=250.0)


def _swept(pen: _Pen, dataset: Dataset) -> str:
    sweep_id = pen.sweep_id(50)
    for place, (model, skill) in enumerate(((SMALL, 0.4), (LARGE, 0.7))):
        for step, temperature in enumerate(TEMPERATURES):
            sampling = Sampling(temperature)
            plan = BenchmarkPlan(model, dataset, sampling, 10, (1, 10), 1, sweep_id=sweep_id)
            pen.run(plan, skill - 0.1 * temperature, 50 - 3 * place - step)
    return sweep_id


def _prove(pen: _Pen, fine_tune: FineTuneRow, elsewhere: Dataset) -> tuple[str, str]:
    """Runs of base and new model on both datasets, which the fine-tune then names.

    Returns those on the shop, where the new model is better.
    """
    with pen.database.reading() as connection:
        adapter = find_adapter(connection, fine_tune.name)
    assert adapter is not None
    spec = f"nano+artifact:{adapter.artifact}"
    new = replace(TOY, spec=spec, name=adapter.name, digest="1" * 64)
    parts = []
    for role, dataset, gain in ((Role.PRIVATE, shop(), 0.4), (Role.ELSEWHERE, elsewhere, 0.0)):
        plan = BenchmarkPlan(TOY, dataset, SAMPLING, 8, (1,), 0, sweep_id=pen.sweep_id(9.5))
        shared = ("starter/sum_all",) if role is Role.ELSEWHERE else ()
        count = len(dataset.challenges)
        made = Registered(adapter.name, fine_tune.id, fine_tune.corpus, dataset.name, count, shared)
        base_run = pen.run(plan, 0.3, 9.5)
        new_run = pen.run(replace(plan, model=new), 0.3 + gain, 9.4, made=made)
        artifact = pen.artifacts.put(encode(dataset))
        parts.append(Part(role, dataset.name, artifact, shared, base_run, new_run))
    proof = Proof(8, tuple(parts))
    with pen.database.writing() as connection:
        update_fine_tune(connection, fine_tune.id, proof=msgspec.to_builtins(proof))
    assert parts[0].base_run is not None
    assert parts[0].new_run is not None
    return parts[0].base_run, parts[0].new_run
