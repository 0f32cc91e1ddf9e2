"""Runs on another host under observation: their server tells how far they are.

A few runs are heard as events, one stream each; of many, each is asked in its turn. A server that
goes away is waited for, told of like any other that does not answer, and heard again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Self

from crucible_api.reports import Progress
from crucible_infra.errors import CrucibleError, ServerUnavailable
from crucible_tasks.outages import OUTAGES

if TYPE_CHECKING:
    from crucible_api.remote.connection import Server

#: streams held open at once; each is a connection and a thread
_MOST_STREAMS = 4

#: seconds between two rounds of asking
_ROUND_SECONDS = 1.0

#: seconds between tries of a server that is away
_TRY_EVERY = 0.5

#: the last event of a stream
_END = "end"


@dataclass(slots=True)
class Observer:
    """How far some runs are, as their server has told; a context manager."""

    server: Server
    run_ids: Sequence[str]
    #: seconds the server may be away
    patience: float
    _found: dict[str, Progress] = field(default_factory=dict)
    #: whose end was told: they change only when somebody changes them
    _ended: set[str] = field(default_factory=set)
    _failure: CrucibleError | None = None
    _is_left: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        if len(self.run_ids) > _MOST_STREAMS:
            self._begin(self._ask_in_turn)
        else:
            for run_id in self.run_ids:
                self._begin(partial(self._listen, run_id))
        return self

    def __exit__(self, *_: object) -> None:
        self._is_left.set()

    def progress(self, run_id: str) -> Progress:
        """What was told last. Raises what has ended the observation."""
        if self._failure is not None:
            raise self._failure
        known = self._found.get(run_id)
        if known is None or run_id in self._ended:
            known = self._found[run_id] = self._progress(run_id)
        return known

    def _begin(self, work: Callable[[], None]) -> None:
        # whoever leaves does not wait for a stream that is silent
        threading.Thread(target=self._persist, args=(work,), daemon=True).start()

    def _persist(self, work: Callable[[], None]) -> None:
        """Do it again whenever the server was away, until it is done."""
        while not self._is_left.is_set():
            try:
                work()
            except ServerUnavailable as error:
                outage = OUTAGES.failed(self.server.url, self.patience, is_unreachable=True)
                if outage.is_hopeless:
                    self._failure = _given_up(error, self.patience, self.run_ids)
                    return
            except CrucibleError as error:
                self._failure = error
                return
            else:
                return
            self._is_left.wait(_TRY_EVERY)

    def _listen(self, run_id: str) -> None:
        for event in self.server.events(f"/runs/{run_id}/events"):
            OUTAGES.answered(self.server.url)
            if event.name == _END:
                self._ended.add(run_id)
                return
            if event.data:
                self._found[run_id] = self.server.understood(event.data, Progress)
            if self._is_left.is_set():
                return
        raise ServerUnavailable

    def _ask_in_turn(self) -> None:
        while not self._is_left.wait(_ROUND_SECONDS):
            for run_id in self.run_ids:
                known = self._found.get(run_id)
                # a paused one may be resumed by anybody
                if known is None or not known.is_over or known.state == "paused":
                    self._found[run_id] = self._progress(run_id)
                    OUTAGES.answered(self.server.url)

    def _progress(self, run_id: str) -> Progress:
        return self.server.get(f"/runs/{run_id}/progress", Progress)


def _given_up(
    error: ServerUnavailable, patience: float, run_ids: Sequence[str]
) -> ServerUnavailable:
    name = run_ids[0] if len(run_ids) == 1 else "SWEEP"
    return ServerUnavailable(
        f"{error.message} (waited {patience:g} s)",
        hint=f"nothing is lost; when it is back: crucible runs follow {name}",
    )
