"""Watches a sweep from beside the database, by a way that no fault cuts off."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import redis

from cluster import Cluster
from host_stores import PASSWORD

#: seconds between looks; what is measured is seconds long
_LOOK_EVERY = 0.1

_COUNTS = """
    SELECT (SELECT count(*) FROM completions WHERE run_id = ANY(%(runs)s)),
           (SELECT count(*) FROM verdicts WHERE run_id = ANY(%(runs)s)),
           ARRAY(SELECT id FROM runs WHERE id = ANY(%(runs)s) AND state IN ('planned', 'running'))
"""


@dataclass(frozen=True, slots=True)
class Look:
    """What the database said, and when that was new."""

    at: float
    completions: int
    verdicts: int
    open_runs: tuple[str, ...]

    @property
    def said(self) -> tuple[object, ...]:
        return self.completions, self.verdicts, self.open_runs


class SweepWatch:
    """Looks at a sweep until it is told to stop, and remembers every change."""

    def __init__(self, cluster: Cluster, run_ids: Sequence[str]) -> None:
        self.run_ids = tuple(run_ids)
        self._cluster = cluster
        self._looks = [Look(time.monotonic(), 0, 0, self.run_ids)]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def latest(self) -> Look:
        return self._looks[-1]

    def wait_for_completions(self, patience_seconds: float, wanted: int = 1) -> None:
        """Until so many are stored, or the sweep has ended."""
        deadline = time.monotonic() + patience_seconds
        while (
            self.latest.completions < wanted
            and self.latest.open_runs
            and time.monotonic() < deadline
        ):
            time.sleep(_LOOK_EVERY)

    def wait_for_end(self, patience_seconds: float) -> bool:
        """Until every run has ended; False when nothing changes for so long."""
        began = time.monotonic()
        while self.latest.open_runs:
            if time.monotonic() - max(began, self.latest.at) > patience_seconds:
                return False
            time.sleep(_LOOK_EVERY)
        return True

    def news_after(self, moment: float) -> float:
        """Seconds from this moment to the next new verdict; NaN when there was none."""
        before = max((look.verdicts for look in self._looks if look.at <= moment), default=0)
        news = (look.at for look in self._looks if look.at > moment and look.verdicts > before)
        return next(news, math.nan) - moment

    def standing(self) -> str:
        """Where a sweep that does not move stands, and what the broker holds."""
        with redis.Redis(unix_socket_path=str(self._cluster.redis.socket), password=PASSWORD) as it:
            queues = {name: it.llen(name) for name in ("generation", "evaluation", "controller")}
            held = sum(it.hlen(key) for key in _holdings(it))
        now = self.latest
        return (
            f"{now.completions} completions, {now.verdicts} verdicts, "
            f"{len(now.open_runs)} open runs; waiting {queues}, held by workers {held}"
        )

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                with psycopg.connect(self._cluster.postgres.local_url, autocommit=True) as one:
                    self._look(one)
            except psycopg.Error:
                # it is being restarted
                self._stopping.wait(_LOOK_EVERY)

    def _look(self, connection: psycopg.Connection) -> None:
        while not self._stopping.wait(_LOOK_EVERY):
            row = connection.execute(_COUNTS, {"runs": list(self.run_ids)}).fetchone()
            assert row is not None
            look = Look(time.monotonic(), row[0], row[1], tuple(row[2]))
            if look.said != self.latest.said:
                self._looks.append(look)

    def _stop(self) -> None:
        self._stopping.set()
        self._thread.join()


@contextmanager
def watching(cluster: Cluster, run_ids: Sequence[str]) -> Iterator[SweepWatch]:
    """A watch over these runs."""
    watch = SweepWatch(cluster, run_ids)
    watch._thread.start()
    try:
        yield watch
    finally:
        watch._stop()


def _holdings(client: redis.Redis) -> list[str]:
    found = (key.decode() for key in client.scan_iter("crucible.held.*"))
    return [key for key in found if not key.endswith((".since", ".mutex"))]
