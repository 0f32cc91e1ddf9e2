"""A router's run and its members' runs: what one has drawn for the other, and how they compare.

A benchmark of a router is a sweep: the router's run, and a run of each member alone on the same
challenges with the same seeds. What the router's run has drawn from a member is what the member's
own run would draw, so that run takes it and samples only what is missing: together they cost no
more than the members' runs. It takes nothing where anything differs: dataset, seed, sampling,
prompt, or the digest of the weights.

The bound: whoever knew the hidden tests could choose, for each completion, the member whose answer
passes. No router over these members can do better with one answer of each. It is computed from the
verdicts on the members' own runs, and steers nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from crucible_api import standing
from crucible_api.reports import Alone, Cost, MemberPart, Routing
from crucible_infra.database.completions import (
    CostCount,
    cost_count,
    insert_completions,
)
from crucible_infra.database.draws import MemberCount, drawn_by, member_counts
from crucible_infra.database.runs import RunRow, update_run
from crucible_infra.database.sweeps import runs_of_sweep
from crucible_infra.database.verdicts import passed_by_place
from crucible_tasks.planning import RunKind
from crucible_tasks.router import Router, router_in
from crucible_tasks.scores import Counts, Score, score

#: where a manifest notes what was taken
_TAKEN = "taken"


def take_draws(connection: Connection, run: RunRow) -> None:
    """Let a run begin with what a router of its sweep has drawn from its model."""
    if run.kind != RunKind.BENCHMARK or run.sweep_id is None or _TAKEN in run.manifest:
        return
    for other in runs_of_sweep(connection, run.sweep_id):
        router = router_in(other.source)
        place = None if router is None else _place(router, run)
        if place is None or not _asks_the_same(run, other):
            continue
        rows = [replace(row, run_id=run.id) for row in drawn_by(connection, other.id, place)]
        if rows:
            insert_completions(connection, rows)
            taken = {"run": other.id, "completions": len(rows)}
            update_run(connection, run.id, manifest=run.manifest | {_TAKEN: taken})
            return


def routing(connection: Connection, run: RunRow) -> Routing | None:
    """How a router's run came about; None for a run of a model."""
    router = router_in(run.source) if run.kind == RunKind.BENCHMARK else None
    if router is None:
        return None
    counts = {one.member: one for one in member_counts(connection, run.id)}
    siblings = runs_of_sweep(connection, run.sweep_id) if run.sweep_id else ()
    alone = [_run_alone(run, router, place, siblings) for place in range(len(router.members))]
    total = cost_count(connection, run.id)
    return Routing(
        label=router.label,
        policy=str(router.policy),
        escalate_on=tuple(map(str, router.escalate_on)),
        falls_back=router.falls_back,
        completions=total.completions,
        members=tuple(
            MemberPart(
                role=member.role,
                model=member.spec,
                draws=count.draws,
                answered=count.kept,
                cost=_cost(count, count.draws),
                alone=None if sibling is None else _alone(connection, sibling),
            )
            for place, (member, sibling) in enumerate(zip(router.members, alone, strict=True))
            for count in [counts.get(place, MemberCount(place, 0, 0, 0, 0, 0, 0, 0.0, 0.0))]
        ),
        cost=_cost(total, total.completions),
        bound=_bound(connection, run, [one for one in alone if one is not None], len(alone)),
    )


def cost_of(connection: Connection, run: RunRow) -> Cost:
    """What a run's completions cost so far."""
    count = cost_count(connection, run.id)
    return _cost(count, count.completions)


def find_alone(connection: Connection, run: RunRow, text: str) -> RunRow | None:
    """The run in which the member that a user means answers everything; None without one."""
    router = router_in(run.source)
    member = None if router is None else router.member(text)
    if router is None or member is None or run.sweep_id is None:
        return None
    siblings = runs_of_sweep(connection, run.sweep_id)
    return _run_alone(run, router, router.members.index(member), siblings)


def _run_alone(
    run: RunRow, router: Router, place: int, siblings: Sequence[RunRow]
) -> RunRow | None:
    return next(
        (one for one in siblings if _place(router, one) == place and _asks_the_same(one, run)),
        None,
    )


def _place(router: Router, run: RunRow) -> int | None:
    """Which member's run it is, by its spec and the digest of what answered."""
    digest = run.manifest.get("model", {}).get("digest")
    for place, member in enumerate(router.members):
        if member.spec == run.source and member.digest == digest:
            return place
    return None


def _asks_the_same(run: RunRow, other: RunRow) -> bool:
    """Whether the same weights would give both runs the same completions."""
    return _question(run) == _question(other)


def _question(run: RunRow) -> tuple[object, ...]:
    manifest = run.manifest
    style = manifest.get("model", {}).get("style")
    words = (style, manifest.get("prompt"), manifest.get("wording"))
    return (run.dataset_digest, run.dataset, run.n, run.seed, run.sampling, *words)


def _alone(connection: Connection, run: RunRow) -> Alone:
    count = cost_count(connection, run.id)
    return Alone(
        run_id=run.id,
        scores=standing.scores(connection, run),
        completions=count.completions,
        cost=_cost(count, count.completions),
        taken=int(run.manifest.get(_TAKEN, {}).get("completions", 0)),
    )


def _cost(count: CostCount | MemberCount, answers: int) -> Cost:
    return Cost(
        count.completion_tokens if count.counted == answers else None,
        round(count.seconds, 3) if count.timed == answers else None,
        round(count.joules, 3) if 0 < count.metered == answers else None,
    )


def _bound(
    connection: Connection, run: RunRow, alone: Sequence[RunRow], members: int
) -> tuple[Score, ...]:
    """By the verdicts on every member's answer, and on the router's, which is one of theirs."""
    if len(alone) < members:
        return ()
    judged = [passed_by_place(connection, one) for one in (*alone, run)]
    shared = set.intersection(*(set(one) for one in judged))
    passes = {place: any(one[place] for one in judged) for place in shared}
    counts = [
        Counts(task_id, len(mine), sum(passes[place] for place in mine))
        for task_id, mine in _by_challenge(connection, run, shared).items()
    ]
    return tuple(score(counts, k) for k in run.ks)


def _by_challenge(
    connection: Connection, run: RunRow, places: Iterable[tuple[str, int]]
) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {
        one.task_id: [] for one in standing.counts(connection, run)
    }
    for place in places:
        found[place[0]].append(place)
    return found
