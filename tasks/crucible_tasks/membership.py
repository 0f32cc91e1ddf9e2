"""Membership: a worker's life on the roster, from its first beat to the return of its tasks.

Every few seconds a thread of its own says that the worker is there. The same beat notices what a
busy or a waiting worker would not: that Redis is away, that another worker died and its tasks
must be handed back, that a task hangs, that nobody would start this worker again.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from crucible_infra import log, settings
from crucible_infra.errors import BrokerUnavailable
from crucible_tasks import control, holdings, roster
from crucible_tasks.broker_refusal import refusal_hint
from crucible_tasks.capability import kind_of
from crucible_tasks.celery_app import QUEUES, TASK_SECONDS, app
from crucible_tasks.starts import Starts, count_here

#: seconds between beats; an outage of Redis is told of within one of them and a socket's time-out
BEAT_SECONDS = 5.0

#: a process that ends because its task hangs; the next one begins it again, and so often only
HUNG = 75


class Membership:
    """One worker's place on the roster."""

    def __init__(self, member: str, queues: Sequence[str]) -> None:
        self._kind = kind_of(queues[0])
        #: unique among all kinds
        self.name = f"{self._kind}.{member}"
        self._line = roster.Line(self.name, socket.gethostname(), tuple(queues))
        self._errors = roster.redis_errors()
        self._has_left = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="crucible-beat", daemon=True)
        self._parent = os.getppid()
        self.starts = Starts(roster.redis_client(), self._errors)
        #: on the monotonic clock; since when every beat was heard, since when none was
        self._heard_since = time.monotonic()
        self._lost_since: float | None = None

    def join(self) -> None:
        """Hand back what a process of this name left behind, and begin to beat."""
        app.conf.broker_transport_options = holdings.transport_options(self.name)
        count = holdings.hand_back(self.name)
        if count:
            log.warning("tasks_handed_back", worker=self.name, tasks=count)
        roster.write(self._line)
        self._thread.start()

    def leave(self) -> None:
        """Leave the roster; what still runs is begun elsewhere and did not kill anybody."""
        self._has_left.set()
        # Kombu handed messages back when it closed, except to a Redis that was away just then
        with suppress(*self._errors):
            self.starts.forgive()
            holdings.hand_back(self.name)
            roster.strike([self.name])

    def settle(self) -> None:
        """Settle what was given to this worker on connections that are lost.

        Raises what Redis' client raises.
        """
        count = holdings.settle(self.name, self.starts.running())
        if count:
            log.warning("tasks_handed_back", worker=self.name, tasks=count)

    def serve(self, queues: Sequence[str], models: Sequence[str]) -> None:
        """Say what this worker takes from now on."""
        self._line = roster.Line(self.name, self._line.host, tuple(queues), models=tuple(models))
        self.beat()

    def beat(self) -> None:
        """Say that this worker is there, and look after those that are not."""
        try:
            roster.write(self._line)
            self._heard()
            self._look_after_the_gone()
        except self._errors as error:
            self._unheard(error)

    def _beat_on(self) -> None:
        while not self._has_left.wait(BEAT_SECONDS):
            self.beat()
            self._end_if_hung()
            if self._parent != os.getppid():
                # nobody would start it again, pass a signal on to it or see it in a list
                log.warning("parent_died", worker=self.name)
                self._parent = os.getppid()
                os.kill(os.getpid(), signal.SIGTERM)

    def _heard(self) -> None:
        if self._lost_since is not None:
            now = time.monotonic()
            log.warning("broker_back", lost_seconds=round(now - self._lost_since))
            self._lost_since, self._heard_since = None, now

    def _unheard(self, error: Exception) -> None:
        if self._lost_since is None:
            self._lost_since = time.monotonic()
            place = log.redact(settings.current().broker_url)
            log.error("broker_lost", broker=place, problem=str(error))

    def _look_after_the_gone(self) -> None:
        # whoever has just reached Redis again must give the others the time to do so, too
        if time.monotonic() - self._heard_since < roster.GONE_SECONDS:
            return
        # credentials may allow no more than one's own kind
        kinds = QUEUES if self._kind == control.QUEUE else (self._kind,)
        for member in roster.gone(kinds):
            count = holdings.hand_back(member)
            roster.strike([member])
            log.warning("worker_gone", worker=member, handed_back=count)

    def _end_if_hung(self) -> None:
        seconds = self.starts.longest_seconds()
        if seconds > TASK_SECONDS:
            log.error("task_hung", worker=self.name, seconds=round(seconds))
            # threads cannot be killed
            os._exit(HUNG)


_membership: list[Membership] = []


@contextmanager
def joined(member: str, queues: Sequence[str]) -> Iterator[None]:
    """Be a member for the length of a block, which runs the worker.

    Raises BrokerUnavailable where Redis does not let this user serve these queues.
    """
    membership = Membership(member, queues)
    try:
        membership.join()
    except roster.redis_errors() as error:
        _refuse(queues, error)
        raise
    _membership[:] = [membership]
    count_here(membership.starts)
    holdings.retain_here(holdings.Retained(membership.name))
    try:
        yield
    finally:
        membership.leave()
        count_here(None)
        holdings.retain_here(None)
        _membership.clear()


def _refuse(queues: Sequence[str], error: Exception) -> None:
    if refusal_hint(error):
        place = log.redact(settings.current().broker_url)
        raise BrokerUnavailable(
            f"the broker {place} does not let this user serve {', '.join(queues)}: {error}",
            hint="in CRUCIBLE_BROKER_URL, each kind of worker has a user of its own: "
            "infra/deployment.md",
        ) from error


def own_name() -> str | None:
    """This process' name on the roster, if it is a member."""
    return next((membership.name for membership in _membership), None)


def settle() -> None:
    """Settle what lost connections left, if this process is a member."""
    for membership in _membership:
        membership.settle()


def serve(queues: Sequence[str], models: Sequence[str]) -> None:
    """Say what this process takes from now on, if it is a member."""
    for membership in _membership:
        membership.serve(queues, models)
