"""Runs on another host under observation: their server tells how far they are.

A few runs are heard as events, one stream each; of many, and where a stream cannot be had, each is
asked in its turn. A server that goes away is waited for, told of like any other that does not
answer, and heard again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from crucible_api.reports import Progress
from crucible_infra.errors import CrucibleError, InvalidInput, ServerUnavailable
from crucible_tasks.outages import OUTAGES

if TYPE_CHECKING:
    from crucible_api.remote.connection import Server

#: streams held open at once; each is a connection and a thread
_MOST_STREAMS = 4

#: seconds between two rounds of asking
_ROUND_SECONDS = 1.0

#: seconds between looks whether a run's server has said anything yet
_FIRST_WORD_EVERY = 0.02

#: the last event of a stream
_END = "end"


@dataclass(slots=True)
class Observer:
    """How far some runs are, as their server has told; a context manager."""

    server: Server
    run_ids: Sequence[str]
    #: seconds the server may be away
    patience: float
    #: see `RunService.observed`
    meanwhile: Callable[[], object]
    _found: dict[str, Progress] = field(default_factory=dict)
    #: whose end was told: they change only when somebody changes them
    _ended: set[str] = field(default_factory=set)
    _failure: CrucibleError | None = None
    #: on the monotonic clock
    _away_since: float | None = None
    _is_left: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        if len(self.run_ids) > _MOST_STREAMS:
            shares = [tuple(self.run_ids)]
        else:
            shares = [(run_id,) for run_id in self.run_ids]
        for share in shares:
            # whoever leaves does not wait for a stream that is silent
            threading.Thread(target=self._observe, args=(share,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_left.set()

    def progress(self, run_id: str) -> Progress:
        """What was told last; the first word is waited for. Raises what has ended it all."""
        while True:
            if self._failure is not None:
                raise self._failure
            known = self._found.get(run_id)
            if known is not None:
                return known
            self.meanwhile()
            time.sleep(_FIRST_WORD_EVERY)

    def _observe(self, run_ids: Sequence[str]) -> None:
        """Hear one run, or ask several, until all have ended or nobody wants to know."""
        try:
            while not self._is_left.is_set() and not self._ended.issuperset(run_ids):
                if len(run_ids) == 1:
                    self._listen(run_ids[0])
                self._ask(run_ids)
                self._is_left.wait(_ROUND_SECONDS)
        except RuntimeError:
            # httpx's word for a client that is closed: whoever watched has left meanwhile
            if not self._is_left.is_set():
                raise
        except InvalidInput as error:
            # a token that is over ends this look at a run, and not the run
            again = f"{error.hint}; the run goes on: crucible runs follow {_called(self.run_ids)}"
            self._failure = InvalidInput(error.message, hint=again) if self._found else error
        except CrucibleError as error:
            self._failure = error

    def _listen(self, run_id: str) -> None:
        """Hear a run's events until its end, or until the stream breaks."""
        try:
            for event in self.server.events(f"/runs/{run_id}/events"):
                OUTAGES.answered(self.server.url)
                if event.data:
                    self._found[run_id] = self.server.understood(event.data, Progress)
                if event.name == _END:
                    self._ended.add(run_id)
                if self._is_left.is_set() or event.name == _END:
                    return
        except ServerUnavailable:
            # whether it is away, or only this stream, is found out by asking
            return

    def _ask(self, run_ids: Sequence[str]) -> None:
        """Ask for each. Raises ServerUnavailable when nobody has answered for too long."""
        try:
            for run_id in run_ids:
                known = self._found.get(run_id)
                # a paused one may be resumed by anybody
                if known is None or not known.is_over or known.state == "paused":
                    path = f"/runs/{run_id}/progress"
                    self._found[run_id] = self.server.get(path, Progress, patience=0.0)
                    OUTAGES.answered(self.server.url)
        except ServerUnavailable as error:
            OUTAGES.failed(self.server.url, self.patience, is_unreachable=True)
            now = time.monotonic()
            # an outage would begin anew where asking is rarer than patience lasts
            self._away_since = now if self._away_since is None else self._away_since
            if now - self._away_since >= self.patience:
                raise _given_up(error, self.patience, self.run_ids) from error
        else:
            self._away_since = None


def _given_up(
    error: ServerUnavailable, patience: float, run_ids: Sequence[str]
) -> ServerUnavailable:
    return ServerUnavailable(
        f"{error.message} (waited {patience:g} s)",
        hint=f"nothing is lost; when it is back: crucible runs follow {_called(run_ids)}",
    )


def _called(run_ids: Sequence[str]) -> str:
    return run_ids[0] if len(run_ids) == 1 else "SWEEP"
