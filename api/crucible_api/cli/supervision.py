"""Supervision: one process per kind of work, started again when a task takes it down.

A controller must not wait behind a model's minute-long answer, and what kills one process (out of
memory, a crash below Python) must not end the others. A process that is started again keeps its
name, by which it hands back at once what its predecessor had begun.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

from crucible_api.cli import interruption
from crucible_api.cli.output import Voice
from crucible_api.cli.worker_process import CANNOT_SERVE
from crucible_infra.errors import CrucibleError
from crucible_infra.settings import for_child

if TYPE_CHECKING:
    from crucible_api.cli.worker import Duty

#: seconds between looks at the processes
_LOOK_EVERY = 0.2

#: seconds before a process is started again: doubled each time, so that a task that kills it is
#: parked within seconds and a host that is broken is not kept busy by it
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0

#: a process that lived this long, in seconds, was not ended by what ended the one before
_LONG_LIFE = 60.0

#: quick deaths in a row before whoever started us must help; ten tasks that kill fit in
_MOST_DEATHS = 30

#: how a process ends that was told to, or that a signal met before it knew better
_WANTED = (
    0,
    CANNOT_SERVE,
    *(-number for number in interruption.SIGNALS),
    *(128 + number for number in interruption.SIGNALS),
)


def supervise(duties: Sequence[Duty], voice: Voice) -> None:
    """Do all these kinds of work, until a signal.

    Raises CrucibleError when a process fails for good, or when this host can do none of it.
    """
    supervisor = _Supervisor([_Place(duty, voice) for duty in duties])
    for number in interruption.SIGNALS:
        signal.signal(number, supervisor.forward)
    supervisor.run()


class _Place:
    """One kind of work, and the process that does it now."""

    def __init__(self, duty: Duty, voice: Voice) -> None:
        self.duty = duty
        self._voice = voice
        # unique among all hosts and all times, or one worker would hand back another's tasks
        place = duty.queue if duty.gpu is None else f"{duty.queue}-{duty.gpu}"
        self._member = f"{socket.gethostname()}-{os.getpid()}-{int(time.time())}-{place}"
        self._deaths = 0
        self._due = 0.0
        #: whether nothing will be started here any more
        self.is_over = False
        self.failure: str | None = None
        self._child = self._start()

    @property
    def is_alive(self) -> bool:
        return self._child.poll() is None

    def tend(self, *, is_stopping: bool) -> None:
        """Find out whether the process has ended, and start it again when its time has come."""
        if is_stopping and not self._is_told:
            # started in the very moment of the signal
            self.send_signal(signal.SIGTERM)
        if self.is_over or self.is_alive:
            return
        code = self._child.returncode
        if is_stopping or code == CANNOT_SERVE:
            self.is_over = True
            if code not in _WANTED:
                self.failure = f"{self.duty.queue} ({code})"
        elif not self._due:
            self._died(code)
        elif time.monotonic() >= self._due:
            self._child = self._start()

    def send_signal(self, number: int) -> None:
        """Pass a signal on."""
        self._is_told = True
        if self.is_alive:
            self._child.send_signal(number)

    def _died(self, code: int) -> None:
        lived = time.monotonic() - self._started
        self._deaths = 1 if lived > _LONG_LIFE else self._deaths + 1
        if self._deaths > _MOST_DEATHS:
            self.is_over, self.failure = True, f"{self.duty.queue} ({code}, {self._deaths} times)"
            return
        pause = min(_FIRST_PAUSE * 2 ** (self._deaths - 1), _LONGEST_PAUSE)
        self._due = time.monotonic() + pause
        how = f"by signal {-code}" if code < 0 else f"with {code}"
        self._voice.warn(f"the {self.duty.queue} worker ended {how}; starting it again")

    def _start(self) -> subprocess.Popen[bytes]:
        self._started, self._due = time.monotonic(), 0.0
        self._is_told = False
        words = ["--queues", self.duty.queue, "--concurrency", str(self.duty.threads)]
        words += ["--member", self._member]
        words += [] if self.duty.is_demanded else ["--optional"]
        words += ["--quiet"] if self._voice.is_quiet else []
        pinned = {} if self.duty.gpu is None else {"CUDA_VISIBLE_DEVICES": self.duty.gpu}
        return subprocess.Popen(  # noqa: S603 -- our own program and arguments
            [sys.executable, "-m", "crucible_api", "worker", *words],
            stdin=subprocess.DEVNULL,
            env=for_child(**pinned),
            # a terminal's Ctrl-C would reach them beside the forwarded one, and twice means "now"
            start_new_session=True,
        )


class _Supervisor:
    """Passes signals on, and ends everything when one kind of work fails for good."""

    def __init__(self, places: Sequence[_Place]) -> None:
        self._places = places
        self._is_stopping = False

    def run(self) -> None:
        """Until all have ended. Raises CrucibleError when one failed."""
        while not all(place.is_over for place in self._places):
            for place in self._places:
                place.tend(is_stopping=self._is_stopping)
                if place.failure and not self._is_stopping:
                    self.forward(signal.SIGTERM, None)
            time.sleep(_LOOK_EVERY)
        failed = [place.failure for place in self._places if place.failure]
        if failed:
            raise CrucibleError(f"these workers failed: {', '.join(failed)}")
        if not self._is_stopping:
            raise CrucibleError("this host can serve none of the queues")

    def forward(self, number: int, frame: FrameType | None) -> None:
        """Tell all of them."""
        del frame
        self._is_stopping = True
        for place in self._places:
            place.send_signal(number)
