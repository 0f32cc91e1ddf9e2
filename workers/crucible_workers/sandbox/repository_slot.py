"""A slot for challenges from repositories: two prisons that hold one repository at a time."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence

from crucible_infra.errors import SandboxBroken, UnusableTests
from crucible_tasks.challenge import Challenge, Language, Limits, RepositoryTests
from crucible_workers.sandbox.deaths import Finding
from crucible_workers.sandbox.guard import WallGuard
from crucible_workers.sandbox.javascript.repository_slot import PlacedSlot
from crucible_workers.sandbox.prison.frames import receive_message, send_message
from crucible_workers.sandbox.prisons import Cell, Prison
from crucible_workers.sandbox.repositories import Repository, find_repository
from crucible_workers.sandbox.runtime import Runtime
from crucible_workers.sandbox.slot import Slot

#: of a slot's prisons, above those that judge Python and JavaScript
_FIRST_PLACE = 5
#: wall-clock seconds that importing all tests may take; most take a second
COLLECTION_SECONDS = 180.0


class RepositorySlot:
    """Opens a slot for a repository when a challenge of it comes, and keeps it until the next."""

    def __init__(
        self, number: int, backend: str, runtime: Runtime, guard: WallGuard | None = None
    ) -> None:
        self._opening = (number, backend, runtime, guard)
        self._held: tuple[str, tuple[str, ...], Language] | None = None
        self._slot: Slot | PlacedSlot | None = None

    def close(self) -> None:
        """End the prisons."""
        if isinstance(self._slot, PlacedSlot):
            self._slot.dispose()
        elif self._slot is not None:
            self._slot.close()
        self._slot = self._held = None

    def judge(self, challenge: Challenge, programs: Sequence[str], limits: Limits) -> list[Finding]:
        """Judge as `Slot.judge` does, and raise what that raises."""
        tests = challenge.tests
        if isinstance(tests, RepositoryTests):
            wanted = (tests.snapshot, tests.packages, challenge.language)
            if self._held != wanted:
                self.close()
                repository = find_repository(tests.snapshot, tests.packages)
                is_javascript = challenge.language is Language.JAVASCRIPT
                kind = PlacedSlot if is_javascript else _SuiteSlot
                self._slot = kind(self._opening, repository)
                self._held = wanted
        if self._slot is None:
            raise SandboxBroken("a slot for repositories judges nothing else")
        return self._slot.judge(challenge, programs, limits)


class _SuiteSlot(Slot):
    """A slot whose driver holds a repository and its collected tests."""

    def __init__(
        self, opening: tuple[int, str, Runtime, WallGuard | None], repository: Repository
    ) -> None:
        super().__init__(*opening)
        self._repository = repository

    def _prison(self, role: str, line: Sequence[socket.socket]) -> Prison:
        number, backend, runtime = self._opening
        if role == "driver":
            cell = Cell(number, _FIRST_PLACE + 1)
            return open_suite(self._repository, backend, cell, line, runtime)[0]
        inside = self._repository.for_candidates(runtime)
        return Prison(role, Cell(number, _FIRST_PLACE), backend, line, inside)


def open_suite(
    repository: Repository,
    backend: str,
    cell: Cell,
    line: Sequence[socket.socket],
    runtime: Runtime,
) -> tuple[Prison, list[str], list[str]]:
    """A prison that has collected a repository's tests; their names, and what is wrong with others.

    Raises UnusableTests when there is none, and SandboxUnavailable when there can be no prison.
    """
    prison = Prison("suite", cell, backend, line, repository.for_tests(runtime))
    try:
        send_message(prison.control, repository.suite(backend))
        wait_for(prison.control, time.monotonic() + COLLECTION_SECONDS)
        reply, _ = receive_message(prison.control)
    except BaseException:
        prison.close()
        raise
    if not reply["tests"]:
        prison.close()
        raise UnusableTests("; ".join(reply["problems"]) or "the repository has no tests")
    return prison, reply["tests"], reply["problems"]


def wait_for(control: socket.socket, deadline: float) -> None:
    """Wait for a word, or the end, on a channel. Raises UnusableTests at the deadline."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise UnusableTests("the repository's tests hang")
