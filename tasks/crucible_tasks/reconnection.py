"""Reconnection: a worker that has lost Redis settles what it held before it takes more.

What was delivered on a lost connection and not begun was forgotten by Celery, while Redis knows it
as this worker's, which lives: nobody would hand it back before the visibility time-out.
"""

from __future__ import annotations

from typing import Any

from celery import Celery, bootsteps

from crucible_tasks import membership


class Settling(bootsteps.StartStopStep):  # type: ignore[misc] # Celery is untyped
    """Runs each time a worker has connected, before messages are delivered."""

    requires = ("celery.worker.consumer.connection:Connection",)

    def start(self, consumer: Any) -> None:
        """Settle; a connection that is lost again brings Celery back here."""
        del consumer
        membership.settle()


def settle_after(app: Celery) -> None:
    """Let the workers of this app settle after each connection."""
    app.steps["consumer"].add(Settling)
