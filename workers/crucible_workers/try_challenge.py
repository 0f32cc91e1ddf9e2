"""Implements the trial: judges the original, an empty body and mutants in a function's place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from crucible_infra.errors import CrucibleError
from crucible_tasks.challenge import Challenge, Limits, RepositoryTests
from crucible_tasks.trial import TRIAL, Flaw, Trial, TrialRequest
from crucible_tasks.verdict import Mode, Outcome, Verdict
from crucible_workers.datasets import load_dataset
from crucible_workers.evaluate import shared_sandbox

#: the original must pass each time: so often after the first
_REPEATS = 2
#: tests that are tried one by one, and the share of a program's CPU time they may use together
_MOST_TRIED = 10
_SHARE = 0.5
#: CPU seconds of one test after which those that are left are not looked at either
_SLOW_SECONDS = 1.0
#: CPU seconds of a program that may be endless, as times of the original's, and at least
_PATIENCE, _LEAST_SECONDS = 10.0, 1.0


@TRIAL.implement
def try_challenge(request: TrialRequest) -> Trial:
    """Find the first flaw, or none."""
    challenge = load_dataset(request.dataset).by_id(request.task_id)
    try:
        return _try(challenge, request)
    except CrucibleError as error:
        return Trial(request.task_id, Flaw.BROKEN, error.message)


def _try(challenge: Challenge, request: TrialRequest) -> Trial:
    assert challenge.reference is not None
    original = challenge.reference
    first = _judge(challenge, original)
    seconds = first.cpu_seconds
    if not _passes(first):
        challenge, seconds = _drivable(challenge, original), 0.0
        if not _names(challenge):
            is_slow = first.outcome is Outcome.TIMED_OUT
            return Trial(request.task_id, Flaw.SLOW if is_slow else Flaw.UNDRIVABLE, first.detail)
    for _ in range(_REPEATS):
        verdict = _judge(challenge, original)
        seconds = max(seconds, verdict.cpu_seconds)
        if not _passes(verdict):
            names = _names(challenge)
            return Trial(request.task_id, Flaw.FLAKY, verdict.detail, names, cpu_seconds=seconds)
    found = Trial(request.task_id, None, tests=_names(challenge), cpu_seconds=seconds)
    patience = max(_LEAST_SECONDS, _PATIENCE * seconds)
    limits = replace(challenge.limits, cpu_seconds=min(challenge.limits.cpu_seconds, patience))
    if _passes(_judge(challenge, request.empty, limits)):
        return replace(found, flaw=Flaw.EMPTY_PASSES)
    return _bitten(challenge, found, request, limits)


def _bitten(challenge: Challenge, found: Trial, request: TrialRequest, limits: Limits) -> Trial:
    """Judge mutants until enough have failed."""
    wanted = min(request.least_mutants, len(request.mutants))
    killed = tried = 0
    for mutant in request.mutants:
        if killed >= wanted:
            break
        verdict = _judge(challenge, mutant, limits)
        if verdict.outcome is Outcome.SYNTAX_ERROR:
            # a scanner made it, which is no parser
            continue
        tried += 1
        killed += not _passes(verdict)
    flaw = Flaw.TOOTHLESS if killed < max(1, wanted) else None
    return replace(found, flaw=flaw, killed=killed, tried=tried)


def _drivable(challenge: Challenge, original: str) -> Challenge:
    """The challenge with those tests that the original passes one by one, and in time together."""
    kept: list[str] = []
    left = _SHARE * challenge.limits.cpu_seconds
    for name in _names(challenge)[:_MOST_TRIED]:
        verdict = _judge(_only(challenge, [name]), original)
        if verdict.cpu_seconds > min(left, _SLOW_SECONDS):
            break
        if _passes(verdict):
            kept.append(name)
            left -= verdict.cpu_seconds
    return _only(challenge, kept)


def _only(challenge: Challenge, names: Iterable[str]) -> Challenge:
    assert isinstance(challenge.tests, RepositoryTests)
    return replace(challenge, tests=msgspec.structs.replace(challenge.tests, tests=tuple(names)))


def _names(challenge: Challenge) -> tuple[str, ...]:
    assert isinstance(challenge.tests, RepositoryTests)
    return challenge.tests.tests


def _judge(challenge: Challenge, program: str, limits: Limits | None = None) -> Verdict:
    (verdict,) = shared_sandbox().judge(challenge, [program], limits)
    return verdict


def _passes(verdict: Verdict) -> bool:
    return verdict.outcome is Outcome.PASSED and verdict.mode is Mode.SPLIT
