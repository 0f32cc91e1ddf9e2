"""A router's run and its members' runs: draws are kept, shared, and added up, on either engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import scripted_run
from crucible_api.named_runs import find_pair
from crucible_infra.database import Database, open_database, upgrade
from crucible_infra.database.draws import draws_of
from crucible_infra.errors import RunNotFound
from crucible_tasks.completion import Completion, Draw, Form
from crucible_tasks.generation import Generation, GenerationRequest, ModelIdentity
from crucible_tasks.planning import BenchmarkPlan
from crucible_tasks.router import (
    READ_SIGNALS,
    Member,
    Policy,
    Router,
    freeze,
    identity_of,
    router_in,
)
from crucible_tasks.sampling import seed_base
from scripted_run import Workshop

SMALL = ModelIdentity("ollama:http://one:1#small", "small", "ollama", "a" * 64, "base")
LARGE = ModelIdentity("ollama:http://one:1#large", "large", "ollama", "b" * 64, "base")

HYBRID = identity_of(
    freeze(
        Router(
            "hybrid",
            Policy.CASCADE,
            (Member("fast", SMALL.spec), Member("quality", LARGE.spec)),
            READ_SIGNALS,
        ),
        [SMALL, LARGE],
    )
)

#: what an answer of each takes
JOULES = {SMALL.spec: 2.0, LARGE.spec: 16.0}

CHALLENGES, N = 3, 4
SEEDS = [
    seed_base(7, "scripted", f"T/{number}") + 1 + index
    for number in range(CHALLENGES)
    for index in range(N)
]


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'crucible.db'}"
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres_database_url"))
    upgrade(url)
    opened = open_database(url)
    yield opened
    opened.close()


@pytest.fixture
def workshop(database: Database, tmp_path: Path) -> Workshop:
    return Workshop(database, tmp_path)


def small(seed: int) -> str:
    return f"    return {seed % 3}\n"


def large(seed: int) -> str:
    return f"    return {seed // 2 % 3}\n"


def is_turned_down(seed: int) -> bool:
    return seed % 2 == 0


def passes(text: str) -> bool:
    """As the scripted sandbox has it."""
    return not text.endswith("0\n")


def plan(model: ModelIdentity, **rest: object) -> BenchmarkPlan:
    plain = replace(scripted_run.plan(CHALLENGES, N), model=model, sweep_id="sweep")
    return replace(plain, **rest)  # type: ignore[arg-type]


def completion(model: str, seed: int, index: int) -> Completion:
    router = router_in(model)
    if router is None:
        text = small(seed) if model == SMALL.spec else large(seed)
        return Completion(
            *(index, Form.CONTINUATION, text, seed),
            completion_tokens=len(text),
            seconds=1.0,
            joules=JOULES[model],
        )
    texts = [small(seed), large(seed)][: 1 + is_turned_down(seed)]
    draws = [
        Draw(
            *(place, Form.CONTINUATION, text),
            completion_tokens=len(text),
            seconds=1.0,
            joules=joules,
        )
        for place, (text, joules) in enumerate(zip(texts, JOULES.values(), strict=False))
    ]
    draws[0] = replace(draws[0], signals=("truncated",) if len(draws) > 1 else ())
    draws[-1] = replace(draws[-1], text=None)
    return Completion(
        *(index, Form.CONTINUATION, texts[-1], seed),
        completion_tokens=sum(map(len, texts)),
        seconds=1.0 * len(texts),
        joules=sum([*JOULES.values()][: len(texts)]),
        draws=tuple(draws),
    )


def finish(workshop: Workshop, run_id: str) -> int:
    """Start a run and do all its work; returns how many completions were asked for."""
    workshop.runs.start(run_id)
    asked = 0
    while requests := workshop.wire.take():
        for request in requests:
            if isinstance(request, GenerationRequest):
                asked += len(request.indices)
                workshop.store(generation(request))
            else:
                workshop.deliver(request)
    return asked


def generation(request: GenerationRequest) -> Generation:
    found = [
        completion(request.model, request.seed_base + 1 + index, index) for index in request.indices
    ]
    return replace(scripted_run.generation(request), completions=tuple(found))


def test_members_run_alone_on_what_the_router_has_drawn(workshop: Workshop) -> None:
    plans = [plan(one) for one in (HYBRID, SMALL, LARGE)]
    hybrid, fast, quality = (workshop.runs.plan_benchmark(one) for one in plans)
    assert finish(workshop, hybrid) == len(SEEDS)
    assert finish(workshop, fast) == 0
    assert finish(workshop, quality) == sum(not is_turned_down(seed) for seed in SEEDS)
    for run_id, text in ((fast, small), (quality, large)):
        summary = workshop.runs.summary(run_id)
        right = sum(passes(text(seed)) for seed in SEEDS)
        assert summary.scores[0].value == pytest.approx(right / len(SEEDS))
        assert summary.cost is not None
        assert summary.cost.completion_tokens == sum(len(text(seed)) for seed in SEEDS)
        assert summary.cost.joules == len(SEEDS) * JOULES[summary.run.model]
    taken = workshop.runs.summary(quality).manifest["taken"]
    assert taken == {"run": hybrid, "completions": sum(map(is_turned_down, SEEDS))}


def test_shares_costs_and_the_bound_add_up(workshop: Workshop) -> None:
    plans = [plan(one) for one in (HYBRID, SMALL, LARGE)]
    hybrid, fast, quality = (workshop.runs.plan_benchmark(one) for one in plans)
    for run_id in (hybrid, fast):
        finish(workshop, run_id)
    before = workshop.runs.summary(hybrid).routing
    assert before is not None
    # what is judged of a member's run is not all of it
    assert all(score.reason for score in before.bound)
    finish(workshop, quality)
    routing = workshop.runs.summary(hybrid).routing
    assert routing is not None
    down = [seed for seed in SEEDS if is_turned_down(seed)]
    first, second = routing.members
    assert (first.draws, first.answered) == (len(SEEDS), len(SEEDS) - len(down))
    assert (second.draws, second.answered) == (len(down), len(down))
    assert (first.cost.completion_tokens, first.cost.seconds) == (
        sum(len(small(seed)) for seed in SEEDS),
        float(len(SEEDS)),
    )
    assert routing.cost.seconds == len(SEEDS) + len(down)
    assert (first.cost.joules, second.cost.joules) == (2 * len(SEEDS), 16 * len(down))
    assert routing.cost.joules == 2 * len(SEEDS) + 16 * len(down)
    assert routing.draws == len(SEEDS) + len(down)
    assert first.alone is not None
    assert (first.alone.run_id, first.alone.taken) == (fast, len(SEEDS))
    best = sum(passes(small(seed)) or passes(large(seed)) for seed in SEEDS)
    assert routing.bound[0].value == pytest.approx(best / len(SEEDS))
    assert routing.bound[0].value >= workshop.runs.summary(hybrid).scores[0].value


def test_every_text_is_kept_and_a_repeated_message_adds_none(
    workshop: Workshop, tmp_path: Path
) -> None:
    hybrid = workshop.runs.plan_benchmark(plan(HYBRID))
    workshop.runs.start(hybrid)
    while requests := workshop.wire.take():
        for request in requests:
            if isinstance(request, GenerationRequest):
                for _ in range(2):
                    workshop.store(generation(request))
            else:
                workshop.deliver(request)
    with workshop.database.reading() as connection:
        found = draws_of(connection, hybrid)
    assert len(found) == len(SEEDS) + sum(map(is_turned_down, SEEDS))
    texts = [row.text for row in found if row.text is not None]
    assert sorted(texts) == sorted(small(seed) for seed in SEEDS if is_turned_down(seed))
    assert {tuple(row.signals) for row in found} == {(), ("truncated",)}
    written = workshop.runs.export(hybrid, tmp_path / "exported")[-1]
    lines = [json.loads(line) for line in written.read_text().splitlines()]
    assert [line["text"] for line in lines] == [row.text for row in found]
    took = [(row.member, row.joules) for row in found]
    assert set(took) == set(enumerate(JOULES.values()))
    assert [(line["member"], line["joules"]) for line in lines] == took
    kept = (written.parent / "completions.jsonl").read_text().splitlines()
    told = [json.loads(line)["joules"] for line in kept]
    assert told == [18.0 if is_turned_down(seed) else 2.0 for seed in SEEDS]


def test_what_was_asked_otherwise_is_asked_anew(workshop: Workshop) -> None:
    finish(workshop, workshop.runs.plan_benchmark(plan(HYBRID)))
    colder = replace(scripted_run.plan().sampling, temperature=0.1)
    for other in (
        plan(SMALL, seed=8),
        plan(SMALL, n=3, ks=(1,)),
        plan(SMALL, sweep_id="another"),
        plan(replace(SMALL, digest="c" * 64)),
        plan(SMALL, sampling=colder),
    ):
        run_id = workshop.runs.plan_benchmark(other)
        assert finish(workshop, run_id) == CHALLENGES * other.n
        assert "taken" not in workshop.runs.summary(run_id).manifest


def test_runs_are_found_by_the_names_of_their_models(workshop: Workshop) -> None:
    plans = [plan(one) for one in (HYBRID, SMALL, LARGE)]
    hybrid, fast, quality = (workshop.runs.plan_benchmark(one) for one in plans)
    later = workshop.runs.plan_benchmark(plan(SMALL, sweep_id=None))
    runs = workshop.runs
    assert find_pair(runs, "hybrid", "fast") == (hybrid, fast)
    assert find_pair(runs, "large", "hybrid") == (quality, hybrid)
    assert find_pair(runs, HYBRID.name, SMALL.spec) == (hybrid, fast)
    assert find_pair(runs, hybrid, "quality") == (hybrid, quality)
    assert find_pair(runs, "small", "large") == (later, quality)
    # a newer run of the router without its members is not what is meant
    alone = workshop.runs.plan_benchmark(plan(HYBRID, sweep_id=None))
    assert find_pair(runs, "hybrid", "fast") == (hybrid, fast)
    assert find_pair(runs, "hybrid", "latest") == (alone, alone)
    with pytest.raises(RunNotFound, match="'nobody'"):
        find_pair(runs, "hybrid", "nobody")
