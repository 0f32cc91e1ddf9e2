"""Implements the survey: a repository's tests, run several times behind the sandbox's walls."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from crucible_infra import settings
from crucible_infra.artifacts import open_store
from crucible_infra.errors import CrucibleError, UnusableTests
from crucible_tasks.challenge import Language
from crucible_tasks.survey import SURVEY, CalledFunction, Survey, SurveyedTest, SurveyRequest
from crucible_workers.sandbox.prison.frames import ChannelClosed, receive_message, send_message
from crucible_workers.sandbox.prisons import Cell
from crucible_workers.sandbox.repositories import Repository, find_repository, keep_archive
from crucible_workers.sandbox.repository_slot import open_suite, wait_for
from crucible_workers.sandbox.runtime import find_runtime
from crucible_workers.survey_javascript import survey_javascript

#: of PYTHONHASHSEED: a test that passes with all of them does not depend on the order of a set;
#: the first one is that of every judging
_HASH_SEEDS = ("0", "1", "20")
#: wall-clock seconds of all tests together, each time
_MOST_SECONDS = 600.0
#: of one test that sleeps; the prison itself ends one that works for ten
_TEST_SECONDS = 60.0
_UNCOLLECTED = "was not collected"
#: the last of a slot's prisons
_PLACE = 7

#: one survey at a time has that prison
_lock = threading.Lock()


@SURVEY.implement
def survey_repository(request: SurveyRequest) -> Survey:
    """Run every test as often as there are seeds; the first time, see what it calls."""
    try:
        archive = open_store(settings.current().artifacts_url).get(request.snapshot)
        keep_archive(archive, request.snapshot)
        with _lock:
            repository = find_repository(request.snapshot, request.packages)
            if request.language is Language.JAVASCRIPT:
                return survey_javascript(repository)
            return _survey(repository)
    except CrucibleError as error:
        return Survey(failure=error.message, hint=error.hint)


def _survey(repository: Repository) -> Survey:
    first, problems = _run(repository, _HASH_SEEDS[0], is_traced=True)
    others = [
        # some suites have ten thousands of tests
        {found["id"]: found["problem"] for found in _run(repository, seed, is_traced=False)[0]}
        for seed in _HASH_SEEDS[1:]
    ]
    places: dict[CalledFunction, int] = {}
    tests = []
    for found in first:
        calls = [
            (places.setdefault(CalledFunction(*fields), len(places)), is_direct)
            for *fields, is_direct in found["calls"]
        ]
        seen = [found["problem"], *(other.get(found["id"], _UNCOLLECTED) for other in others)]
        tests.append(
            SurveyedTest(
                found["id"],
                next(filter(None, seen), None),
                round(found["seconds"], 6),
                tuple(place for place, _ in calls),
                tuple(place for place, is_direct in calls if is_direct),
            )
        )
    return Survey(tuple(places), tuple(tests), tuple(problems))


def _run(
    repository: Repository, seed: str, *, is_traced: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Every test once, and what cannot be collected. Raises UnusableTests, SandboxUnavailable."""
    runtime = replace(find_runtime(), hash_seed=seed)
    backend = settings.current().sandbox_backend
    prison, names, problems = open_suite(repository, backend, Cell(0, _PLACE), (), runtime)
    with closing(prison):
        deadline = time.monotonic() + _MOST_SECONDS
        found: list[dict[str, Any]] = []
        while len(found) < len(names):
            found += _some(prison.control, len(found), deadline, is_traced=is_traced)
            if len(found) < len(names):
                ended = {"problem": "ended its process, or slept", "seconds": 0.0, "calls": []}
                found.append({"id": names[len(found)], **ended})
    return found, problems


def _some(
    control: socket.socket, first: int, deadline: float, *, is_traced: bool
) -> Iterator[dict[str, Any]]:
    """Tests from that one on, in one process, until it ends; a test may end it."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            message = {"survey": {"first": first, "is_traced": is_traced}}
            send_message(control, message, [theirs.fileno()])
        while True:
            now = time.monotonic()
            if now > deadline:
                raise UnusableTests(f"the repository's tests take more than {_MOST_SECONDS:g} s")
            try:
                wait_for(ours, min(deadline, now + _TEST_SECONDS))
                found, _ = receive_message(ours)
            except (ChannelClosed, UnusableTests):
                # the next process takes the place of one that hangs
                return
            if "is_done" in found:
                return
            yield found
