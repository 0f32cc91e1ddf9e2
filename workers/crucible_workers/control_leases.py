"""Leases: which of what was sent is lost, and must be sent again.

A lease is written when a message is sent and ends with its answer. Messages get lost: a connection
dies between Redis giving one away and a worker noting it, a power cut takes the last second of
Redis' log. A cluster's controller asks Redis once a run has been silent for a while: a message that
neither waits in a queue nor is held by a worker is lost. What is there is never lost, however long
it takes, so an hour's work is not given to a second worker, and a sweep whose hosts are away waits
for them. A laptop's broker is in the same process and can lose nothing but what a bug loses: there
silence alone counts, LEASE_SECONDS of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from crucible_infra.database.attempts import AttemptRow
from crucible_infra.database.runs import RunRow
from crucible_infra.stage import Stage
from crucible_tasks import control
from crucible_tasks.evaluation import EVALUATION
from crucible_workers.control_attempts import Problem, failed
from crucible_workers.control_lanes import place_of

#: silence after which what was sent counts as lost where nobody can be asked: longer than any one
#: message should take (8 completions of a live model, or 200 programs)
LEASE_SECONDS = 900.0

#: silence after which Redis is asked: the moment between its giving a message away and a worker's
#: noting it is long over, and the tasks of a dead worker were handed back
SILENT_SECONDS = 30.0

#: a lease from so far in the future was written by another clock, or by this one before it was set
_CLOCK_SECONDS = 60.0

#: whether a message of this run waits in one of these queues or is held by a worker
IsHeld = Callable[[str, frozenset[str]], bool]


@dataclass(frozen=True, slots=True)
class Leases:
    """The rules by which leases end without an answer."""

    #: None where silence alone counts
    is_held: IsHeld | None = None

    def lost(self, run: RunRow, rows: tuple[AttemptRow, ...], now: float) -> tuple[AttemptRow, ...]:
        """Those of the rows under way that may be lost, as they are when nobody has answered."""
        return tuple(_lost(row) for row in rows if self._is_doubtful(run, row, now))

    def holds(self, run: RunRow) -> bool:
        """Whether a message of this run is still somewhere. Takes a moment: it asks Redis."""
        if self.is_held is None:
            return False
        asked = place_of(run.source, Stage.GENERATION).queue
        return self.is_held(run.id, frozenset((asked, EVALUATION.queue, control.QUEUE)))

    def _is_doubtful(self, run: RunRow, row: AttemptRow, now: float) -> bool:
        # a busy worker has not got to it yet: only silence of the whole run tells
        silent = now - max(row.sent_at or 0.0, run.heard_at or 0.0)
        bound = LEASE_SECONDS if self.is_held is None else SILENT_SECONDS
        return silent >= bound or silent < -_CLOCK_SECONDS


def _lost(row: AttemptRow) -> AttemptRow:
    """The row without its leases; a failure, so that what gets lost each time ends."""
    row = failed(replace(row, asked=()), Problem("no answer: the message was lost"))
    return replace(row, is_waiting=not row.is_given_up)
