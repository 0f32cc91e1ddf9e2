"""Who answered in a router's run, at what cost, and what each member alone and a bound say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from crucible_api.cli.output import Column, Voice, percent
from crucible_api.cli.registered_names import with_names

if TYPE_CHECKING:
    from crucible_api.reports import Alone, Cost, MemberPart, Routing


def show(routing: Routing, voice: Voice) -> None:
    """Write a table of the members and what it comes to, to stdout."""
    from crucible_api.cli.report import score_text

    ks = sorted({score.k for one in routing.members if one.alone for score in one.alone.scores})
    columns = [
        Column("member", style="bold", is_whole=True),
        Column("model"),
        Column("answered", is_number=True),
        Column("draws", is_number=True),
        Column("tokens", is_number=True),
        Column("model time", is_number=True),
        *(Column(f"alone: pass@{k}  [95 % interval]", is_number=True) for k in ks),
        Column("alone: per answer", is_number=True),
    ]
    has_energy = any(one.cost.joules is not None for one in routing.members)
    if has_energy:
        columns.insert(6, Column("energy", is_number=True))
    rows = []
    for one in routing.members:
        scores = {score.k: score_text(score) for score in one.alone.scores} if one.alone else {}
        rows.append(
            [
                one.role,
                with_names(one.model),
                _share(one.answered, routing.completions),
                str(one.draws),
                _tokens(one.cost.completion_tokens),
                _seconds(one.cost.seconds),
                *([_joules(one.cost.joules)] if has_energy else []),
                *(scores.get(k, "") for k in ks),
                per_answer(one.alone.cost, one.alone.completions) if one.alone else "",
            ]
        )
    voice.table(columns, rows)
    for line in _sentences(routing):
        voice.answer(line)


def per_answer(cost: Cost, answers: int) -> str:
    """What one answer cost: `182 tokens, 1.30 s, 45.2 J`."""
    if not answers:
        return ""
    parts = []
    if cost.completion_tokens is not None:
        parts.append(f"{cost.completion_tokens / answers:.0f} tokens")
    if cost.seconds is not None:
        parts.append(f"{cost.seconds / answers:.2f} s")
    if cost.joules is not None:
        parts.append(f"{cost.joules / answers:.1f} J")
    return ", ".join(parts)


def plain(routing: Routing) -> dict[str, Any]:
    """The same as one object; what a server did not tell is null."""
    from crucible_api.cli.report import score_object

    return {
        "label": routing.label,
        "policy": routing.policy,
        "escalate_on": list(routing.escalate_on),
        "allow_fallback": routing.falls_back,
        "draws": routing.draws,
        **_cost(routing.cost),
        "members": [_member(one, routing.completions) for one in routing.members],
        "oracle_bound": {f"pass@{score.k}": score_object(score) for score in routing.bound} or None,
    }


def _sentences(routing: Routing) -> Iterator[str]:
    from crucible_api.cli.report import score_text

    if routing.completions:
        cost = per_answer(routing.cost, routing.completions)
        draws = f"{routing.draws / routing.completions:.2f} draws"
        yield f"{routing.label} took {', '.join(filter(None, (draws, cost)))} per answer"
    taken = [one.alone for one in routing.members if one.alone and one.alone.taken]
    for alone in taken:
        yield f"run {alone.run_id} took {alone.taken} of its answers from these draws"
    for score in routing.bound:
        if score.reason:
            yield f"oracle bound: pass@{score.k} is not known: {score.reason}"
            continue
        yield (
            f"oracle bound: pass@{score.k} {score_text(score)}, an upper bound: whoever knew the "
            "hidden tests could choose among the members' answers so well; nothing here did"
        )


def _member(one: MemberPart, completions: int) -> dict[str, Any]:
    return {
        "role": one.role,
        "model": one.model,
        "answered": one.answered,
        "share": one.answered / completions if completions else None,
        "draws": one.draws,
        **_cost(one.cost),
        "alone": None if one.alone is None else _alone(one.alone),
    }


def _alone(alone: Alone) -> dict[str, Any]:
    from crucible_api.cli.report import score_object

    return {
        "run": alone.run_id,
        **{f"pass@{score.k}": score_object(score) for score in alone.scores},
        "completions": alone.completions,
        "taken": alone.taken,
        **_cost(alone.cost),
    }


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "completion_tokens": cost.completion_tokens,
        "model_seconds": cost.seconds,
        "gpu_joules": cost.joules,
    }


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else ""


def _tokens(count: int | None) -> str:
    return "not told" if count is None else f"{count:,}"


def _seconds(seconds: float | None) -> str:
    return "not told" if seconds is None else f"{seconds:.1f} s"


def _joules(joules: float | None) -> str:
    return "not told" if joules is None else f"{joules:,.1f} J"
