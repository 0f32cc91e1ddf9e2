"""`crucible worker`: do the work of a cluster on this host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from types import FrameType

import click

from crucible_api.cli import hands, interruption, options
from crucible_api.cli.broker_wait import wait_for_broker
from crucible_api.cli.measuring import measured
from crucible_api.cli.output import Voice, plural
from crucible_infra.errors import BrokerUnavailable, CrucibleError, InvalidInput
from crucible_infra.settings import current

#: every queue there is, with the threads it gets unless told otherwise; 0 means one per CPU
DEFAULT_THREADS = {"generation": hands.GENERATION_THREADS, "evaluation": 0, "controller": 1}

#: seconds between looks at the child processes
_LOOK_EVERY = 0.5

EPILOG = """\b
Examples:
  CRUCIBLE_BROKER_URL=redis://queue/0 crucible worker --queues evaluation
  crucible worker --queues generation --concurrency 8
  crucible worker                                       every queue, on one host

Only the controller needs CRUCIBLE_DATABASE_URL. Ctrl-C or SIGTERM ends it after the tasks at
hand; what is not done goes to another worker.
"""


@click.command(epilog=EPILOG)
@click.option(
    "--queues",
    metavar="Q[,Q]…",
    default=",".join(DEFAULT_THREADS),
    show_default=True,
    help="Which work to take.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="N",
    help="Tasks at once per queue; the controller always has 1.  "
    f"[default: generation {hands.GENERATION_THREADS}, evaluation one per CPU]",
)
@measured
@options.speaking
def command(voice: Voice, *, queues: str, concurrency: int | None) -> None:
    """Take tasks from the broker and do them on this host, until stopped."""
    from crucible_infra.database import open_database

    names = _read_queues(queues)
    if current().is_embedded:
        raise BrokerUnavailable(
            "a worker needs CRUCIBLE_BROKER_URL; without one every command does its own work",
            hint="CRUCIBLE_BROKER_URL=redis://HOST/0 crucible worker",
        )
    if "controller" in names:
        # refused here in one line, rather than in a traceback for every task
        open_database(current().database_url).close()
    wait_for_broker(voice)
    if len(names) > 1:
        # one process each: a controller must not wait behind a model's minute-long answer
        _supervise(names, concurrency, voice)
    else:
        _serve(names[0], _threads(names[0], concurrency), voice)


def _read_queues(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in DEFAULT_THREADS:
            raise InvalidInput(
                f"no queue is called {name!r}", hint=f"there are {', '.join(DEFAULT_THREADS)}"
            )
    return names


def _threads(queue: str, concurrency: int | None) -> int:
    if queue == "controller":
        return 1
    return concurrency or DEFAULT_THREADS[queue] or hands.cores()


def _serve(queue: str, threads: int, voice: Voice) -> None:
    from celery.exceptions import SecurityWarning

    from crucible_tasks.celery_app import app

    # Celery warns root because a pickled message could run code; ours are JSON and nothing else
    warnings.simplefilter("ignore", SecurityWarning)
    # a worker has no answer, and Celery's last words would go to stdout
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    voice.talk(f"serving the {queue} queue, {plural(threads, 'task')} at once")
    worker = app.Worker(
        hostname=f"{queue}@%h",
        queues=[queue],
        # the work is waiting for a model or a prison, both of which release the interpreter
        pool_cls="threads",
        concurrency=threads,
        # its banner would go to stdout
        quiet=True,
    )
    worker.start()
    if worker.exitcode:
        raise CrucibleError(f"the {queue} worker ended with {worker.exitcode}")


def _supervise(names: list[str], concurrency: int | None, voice: Voice) -> None:
    options_given = ["--concurrency", str(concurrency)] if concurrency else []
    options_given += ["--quiet"] if voice.is_quiet else []
    program = [sys.executable, "-m", "crucible_api", "worker"]
    children = {
        name: subprocess.Popen(  # noqa: S603 -- our own program and arguments
            [*program, "--queues", name, *options_given],
            stdin=subprocess.DEVNULL,
            # a terminal's Ctrl-C would reach them beside the forwarded one, and twice means "now"
            start_new_session=True,
        )
        for name in names
    }

    _Supervisor(children).run()


class _Supervisor:
    """Passes signals on, and ends all workers when one ends by itself, so a restart is clean."""

    def __init__(self, children: dict[str, subprocess.Popen[bytes]]) -> None:
        self._children = children
        self._is_stopping = False

    def run(self) -> None:
        """Wait for all of them. Raises CrucibleError when one failed."""
        for number in interruption.SIGNALS:
            signal.signal(number, self._forward)
        while alive := self._alive():
            if len(alive) < len(self._children) and not self._is_stopping:
                self._forward(signal.SIGTERM, None)
            time.sleep(_LOOK_EVERY)
        failed = [
            f"{name} ({child.wait()})" for name, child in self._children.items() if child.wait()
        ]
        if failed:
            raise CrucibleError(f"these workers failed: {', '.join(failed)}")

    def _alive(self) -> list[subprocess.Popen[bytes]]:
        return [child for child in self._children.values() if child.poll() is None]

    def _forward(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._is_stopping = True
        for child in self._alive():
            child.send_signal(number)
