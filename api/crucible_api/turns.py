"""Turns: what this process was asked to do, begun one after the other.

A laptop serves one model at a time, so runs wait for each other, whoever asked for them; what has
the highest priority goes first. A run whose turn has not come is planned, and as it belongs to this
process, it is interrupted when that ends. What is stopped before its turn is left out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from crucible_api import proof_runs
from crucible_api.fine_tunes import FineTunes
from crucible_api.runs import Runs
from crucible_infra import log
from crucible_infra.errors import CrucibleError, StorageError
from crucible_tasks.fine_tuning import FineTuneState
from crucible_tasks.planning import RunState

#: seconds between looks at whatever has its turn; a look takes a millisecond
_LOOK_EVERY = 0.2

#: seconds until a database that was away is asked again
_AWAY = 2.0


@dataclass(frozen=True, slots=True)
class Turn:
    """A run, or a fine-tune with its proof."""

    id: str
    is_fine_tune: bool = False
    #: a run that was begun before
    is_resumed: bool = False


class Turns:
    """The turns of one process, on a thread that begins with the first."""

    def __init__(self, runs: Runs, fine_tunes: FineTunes) -> None:
        self._runs = runs
        self._fine_tunes = fine_tunes
        self._waiting: list[Turn] = []
        self._changed = threading.Condition()
        self._has_ended = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, turns: Sequence[Turn]) -> None:
        """Let these have their turns, behind those that wait with the same priority."""
        with self._changed:
            self._waiting.extend(turns)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="crucible-turns", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def drop(self, ids: Collection[str]) -> None:
        """Let these have no turn; what has its turn now goes on."""
        with self._changed:
            self._waiting = [turn for turn in self._waiting if turn.id not in ids]

    def close(self) -> None:
        """Begin nothing more."""
        self._has_ended.set()
        with self._changed:
            self._changed.notify()

    def _work(self) -> None:
        while (turn := self._next()) is not None:
            try:
                self._do(turn)
            except StorageError as error:
                # it is in the database, which will be back
                log.warning("the database is away", problem=error.message)
                self._has_ended.wait(_AWAY)
                with self._changed:
                    self._waiting.insert(0, turn)
            except CrucibleError as error:
                log.error("could not be begun", id=turn.id, problem=error.message)

    def _next(self) -> Turn | None:
        while (waiting := self._await_any()) is not None:
            chosen = self._first(waiting)
            with self._changed:
                # it may have been dropped meanwhile
                if chosen in self._waiting:
                    self._waiting.remove(chosen)
                    return None if self._has_ended.is_set() else chosen
        return None

    def _await_any(self) -> Sequence[Turn] | None:
        """Those that wait, as soon as there are any; None when nothing more is begun."""
        with self._changed:
            while not self._waiting:
                if self._has_ended.is_set():
                    return None
                self._changed.wait()
            return tuple(self._waiting)

    def _first(self, waiting: Sequence[Turn]) -> Turn:
        """Of the highest priority; the first of those."""
        try:
            priorities = self._runs.priorities([turn.id for turn in waiting])
        except StorageError:
            return waiting[0]
        return max(waiting, key=lambda turn: priorities.get(turn.id, 0))

    def _do(self, turn: Turn) -> None:
        if turn.is_fine_tune:
            self._train(turn.id)
            return
        begin = self._runs.resume if turn.is_resumed else self._runs.start
        begin(turn.id)
        self._await_run(turn.id)

    def _train(self, fine_tune_id: str) -> None:
        if self._fine_tunes.info(fine_tune_id).state is FineTuneState.PLANNED:
            self._fine_tunes.start(fine_tune_id)
        self._await(lambda: self._fine_tunes.info(fine_tune_id).is_over)
        info = self._fine_tunes.info(fine_tune_id)
        proof = proof_runs.proof_of(info)
        if info.state is not FineTuneState.FINISHED or proof is None:
            return
        for run_id in proof.run_ids:
            if not self._has_ended.is_set():
                self._runs.resume(run_id)
                self._await_run(run_id)

    def _await_run(self, run_id: str) -> None:
        self._await(lambda: self._runs.state(run_id) is not RunState.RUNNING)

    def _await(self, is_over: Callable[[], bool]) -> None:
        while not (is_over() or self._has_ended.is_set()):
            self._has_ended.wait(_LOOK_EVERY)
