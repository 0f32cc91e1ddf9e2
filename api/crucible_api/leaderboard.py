"""The leaderboard: which models did best on a dataset at one k, as far as anybody can tell.

- A line is a model in one setting: its weights' digest, sampling, wording and limits. Of several
  runs of it one stands for it: complete before incomplete, more answers per challenge before fewer,
  then the newest. What they scored has no say, so that nobody gets on by trying often.
- Only settled runs are on it: their scores are stored, so hundreds of them are read at once.
- Ranks are those of `ranking`: who cannot be told from the first of a rank shares it. Comparisons
  are made for the lines that are shown, and remembered: what they compare no longer changes.
- Apart, without a rank: models with a caution (toys), the dataset's own solutions, and files that
  leave challenges out, which may be those that would have failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import msgspec
from sqlalchemy import Connection

from crucible_api import standing
from crucible_api.manifest import caution_of
from crucible_api.reports import RunInfo
from crucible_api.runs import Runs
from crucible_infra.database.counts import judged_count, run_count
from crucible_infra.database.runs import RunRow
from crucible_infra.database.scores import ScoredRun, ScoredSet, scored_runs, scored_sets
from crucible_infra.errors import InvalidInput
from crucible_tasks.planning import RunState
from crucible_tasks.ranking import is_worse, ranks
from crucible_tasks.sampling import Sampling
from crucible_tasks.scores import Score

#: lines with a rank; each may take a comparison the first time it is asked for
SHOWN = 50

#: comparisons remembered; one is 200 bytes
_REMEMBERED = 10_000

_KNOWN: dict[tuple[object, ...], bool] = {}

#: beginning of a digest, where two sets have one name
_DIGEST = 8


@dataclass(frozen=True, slots=True)
class Board:
    """A set of challenges with scores."""

    #: what names it in a link: the dataset, with its digest's beginning where that is not enough
    name: str
    dataset: str
    digest: str
    challenges: int
    #: that some run has a score at
    ks: tuple[int, ...]
    newest_at: float


@dataclass(frozen=True, slots=True)
class Line:
    """One model in one setting."""

    run: RunInfo
    score: Score
    #: share of the completions with a verdict
    coverage: float
    #: the setting in words: "T 0.2", "prompt terse@1f0c9a2b"
    setting: tuple[str, ...]
    #: None for who is not ranked
    rank: int | None = None
    #: whether the rank is shared
    is_tied: bool = False
    #: why there is no rank
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The lines of one board at one k; empty where nothing has a score yet."""

    boards: tuple[Board, ...]
    board: Board | None
    k: int
    #: the best first
    lines: tuple[Line, ...] = ()
    #: without a rank; the best first
    apart: tuple[Line, ...] = ()
    #: lines with a lower score than those shown
    more: int = 0


def leaderboard(runs: Runs, name: str | None = None, k: int | None = None) -> Leaderboard:
    """The board of this name at this k; by default the one with the newest run, and its smallest.

    Raises InvalidInput for a board or k without a score.
    """
    with runs.database.reading() as connection:
        boards = _boards(scored_sets(connection))
        if not boards and name is None and k is None:
            return Leaderboard((), None, 1)
        board = _chosen(boards, name)
        chosen_k = board.ks[0] if k is None else k
        if chosen_k not in board.ks:
            known = ", ".join(str(one) for one in board.ks)
            raise InvalidInput(f"no run on {board.name} has a pass@{chosen_k}", hint=f"k: {known}")
        found = sorted(
            _of_settings(scored_runs(connection, board.digest, chosen_k)),
            key=lambda one: -(one.score.value or 0),
        )
        apart = [one for one in found if _reason(one) is not None]
        ranked = [one for one in found if one not in apart]
        shown = ranked[:SHOWN]
        return Leaderboard(
            boards,
            board,
            chosen_k,
            _ranked(connection, shown, chosen_k),
            tuple(replace(_line(connection, one), reason=_reason(one)) for one in apart),
            len(ranked) - len(shown),
        )


def _boards(sets: Sequence[ScoredSet]) -> tuple[Board, ...]:
    """Newest first."""
    by_digest: dict[str, list[ScoredSet]] = {}
    for one in sets:
        by_digest.setdefault(one.dataset_digest, []).append(one)
    datasets = [mine[0].dataset for mine in by_digest.values()]
    boards = [
        Board(
            name=mine[0].dataset
            if datasets.count(mine[0].dataset) == 1
            else f"{mine[0].dataset}@{digest[:_DIGEST]}",
            dataset=mine[0].dataset,
            digest=digest,
            challenges=max(one.challenges for one in mine),
            ks=tuple(one.k for one in mine),
            newest_at=max(one.newest_at for one in mine),
        )
        for digest, mine in by_digest.items()
    ]
    return tuple(sorted(boards, key=lambda board: -board.newest_at))


def _chosen(boards: Sequence[Board], name: str | None) -> Board:
    """The board a link means: its name, or the dataset's for the largest set of it."""
    wanted = [one for one in boards if name in (None, one.name, one.dataset)]
    if not wanted:
        known = ", ".join(one.name for one in boards) or "none yet"
        raise InvalidInput(f"no run on {name} has a score", hint=f"datasets with scores: {known}")
    return wanted[0] if name is None else max(wanted, key=lambda one: one.challenges)


def _of_settings(found: Sequence[ScoredRun]) -> list[ScoredRun]:
    """One run of each model and setting."""
    chosen: dict[bytes, ScoredRun] = {}
    for one in found:
        key = _setting_key(one.run)
        known = chosen.get(key)
        if known is None or _standing(one) > _standing(known):
            chosen[key] = one
    return list(chosen.values())


def _standing(one: ScoredRun) -> tuple[bool, int, float]:
    """What decides which of a setting's runs stands for it; the greatest does."""
    return _is_complete(one), one.run.n, one.run.created_at


def _setting_key(run: RunRow) -> bytes:
    model = run.manifest.get("model", {})
    asked = (model.get("digest"), model.get("style"), run.manifest.get("prompt"))
    setting = (run.kind, run.source, asked, run.sampling, run.limits)
    return msgspec.json.encode(setting, order="sorted")


def _is_complete(one: ScoredRun) -> bool:
    return one.run.state == RunState.FINISHED and not _left_out(one)


def _left_out(one: ScoredRun) -> int:
    """Challenges that a samples file does not answer."""
    in_dataset: int = one.run.manifest["dataset"]["challenges"]
    return in_dataset - one.score.challenges


def _reason(one: ScoredRun) -> str | None:
    """Why a run competes with no other; None for most."""
    caution = caution_of(one.run.manifest)
    if caution is not None:
        return caution
    if one.run.source == "reference":
        return "the dataset's own solutions"
    left_out = _left_out(one)
    if left_out:
        return f"answers {one.score.challenges} of {one.score.challenges + left_out} challenges"
    return None


def _ranked(connection: Connection, found: Sequence[ScoredRun], k: int) -> tuple[Line, ...]:
    places = ranks(found, partial(_is_worse, connection, k))
    return tuple(
        replace(_line(connection, one), rank=rank, is_tied=places.count(rank) > 1)
        for one, rank in zip(found, places, strict=True)
    )


def _is_worse(connection: Connection, k: int, first: ScoredRun, other: ScoredRun) -> bool:
    if first.score.value == other.score.value:
        return False
    key = (*_state_key(first.run), *_state_key(other.run), k)
    if key not in _KNOWN:
        if len(_KNOWN) >= _REMEMBERED:
            _KNOWN.clear()
        before, after = (standing.counts(connection, one.run) for one in (first, other))
        _KNOWN[key] = is_worse(before, after, k)
    return _KNOWN[key]


def _state_key(run: RunRow) -> tuple[object, ...]:
    """Names what a run has found: another one as soon as anything of it is judged again."""
    return (run.id, run.grader, run.grade_round, run.finished_at)


def _line(connection: Connection, one: ScoredRun) -> Line:
    stored = one.score
    return Line(
        run=standing.run_info(one.run, stored.challenges),
        score=standing.stored_score(stored),
        coverage=_coverage(connection, one),
        setting=tuple(_setting(one.run)),
    )


def _coverage(connection: Connection, one: ScoredRun) -> float:
    if _is_complete(one):
        return 1.0
    planned = run_count(connection, one.run.id).planned
    # a challenge without an answer counts as one completion without a verdict
    return judged_count(connection, one.run) / (planned + _left_out(one))


def _setting(run: RunRow) -> list[str]:
    """What a run was sampled with, the usual left out but for the temperature."""
    if run.sampling is None:
        return ["samples file"]
    info = standing.run_info(run, 0)
    usual = msgspec.to_builtins(Sampling())
    words = [f"T {run.sampling['temperature']:g}"]
    words += [
        f"{name.replace('_', ' ')} {value:g}"
        for name, value in run.sampling.items()
        if name != "temperature" and value != usual.get(name)
    ]
    return words + ([f"prompt {info.prompt}"] if info.prompt not in (None, "default") else [])
