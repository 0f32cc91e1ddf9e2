"""`crucible worker`: do the work of a cluster on this host."""

from __future__ import annotations

from dataclasses import dataclass

import click

from crucible_api.cli import hands, options
from crucible_api.cli.broker_wait import wait_for_broker
from crucible_api.cli.measuring import measured
from crucible_api.cli.output import Voice
from crucible_infra.errors import BrokerUnavailable, InvalidInput
from crucible_infra.gpus import visible_gpus
from crucible_infra.settings import current

#: every kind of work, with the threads it gets unless told otherwise; 0 means one per CPU
DEFAULT_THREADS = {
    "generation": hands.GENERATION_THREADS,
    "evaluation": 0,
    "controller": 1,
    "fine_tune": 1,
}

EPILOG = """\b
Examples:
  CRUCIBLE_BROKER_URL=redis://queue/0 crucible worker   whatever this host can do
  crucible worker --queues evaluation
  crucible worker --queues generation --concurrency 8
  crucible worker --queues fine_tune                    also without a GPU, slowly

Without --queues: generation, of every model server that answers on this host and of those with an
address; evaluation, where the sandbox works; controller, where CRUCIBLE_DATABASE_URL is set;
fine_tune, where there are GPUs: one process for each, which trains one model at a time.

Ctrl-C or SIGTERM ends it after the tasks at hand, or 15 seconds; what is not done goes to another
worker. A second one ends it now.
"""


@dataclass(frozen=True, slots=True)
class Duty:
    """One kind of work, done by a process of its own."""

    queue: str
    threads: int
    #: whether the user named it, so that it is an error when this host cannot do it
    is_demanded: bool
    #: the only GPU this process sees; None leaves all as they are
    gpu: str | None = None


@click.command(epilog=EPILOG)
@click.option("--queues", metavar="Q[,Q]…", help="Which work to take.  [default: what works here]")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="N",
    help="Tasks at once per queue; the controller and a GPU always have 1.  "
    f"[default: generation {hands.GENERATION_THREADS}, evaluation one per CPU]",
)
@click.option("--member", hidden=True, help="The name on the roster; this process does the work.")
@click.option("--optional", "is_optional", is_flag=True, hidden=True, help="Not asked for by name.")
@measured
@options.speaking
@options.on_this_host
def command(
    voice: Voice,
    *,
    queues: str | None,
    concurrency: int | None,
    member: str | None,
    is_optional: bool,
) -> None:
    """Take tasks from the broker and do them on this host, until stopped."""
    chosen = None if queues is None else _read_queues(queues)
    if current().is_embedded:
        raise BrokerUnavailable(
            "a worker needs CRUCIBLE_BROKER_URL; without one every command does its own work",
            hint="CRUCIBLE_BROKER_URL=redis://HOST/0 crucible worker",
        )
    names = _possible() if chosen is None else chosen
    is_demanded = queues is not None and not is_optional
    duties = [
        duty for name in names for duty in _duties(name, concurrency, is_demanded=is_demanded)
    ]
    if member is not None:
        from crucible_api.cli.worker_process import serve

        serve(duties[0], member, voice)
        return
    if "controller" in names:
        _try_database()
    wait_for_broker(voice)
    if queues is None and "controller" not in names:
        voice.talk("not serving the controller queue: CRUCIBLE_DATABASE_URL is not set")
    from crucible_api.cli.supervision import supervise

    supervise(duties, voice)


def _read_queues(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name.startswith("generation."):
            raise InvalidInput(
                f"the queue {name} belongs to one model and is not chosen by hand",
                hint="--queues generation serves every model that answers on this host",
            )
        if name not in DEFAULT_THREADS:
            raise InvalidInput(
                f"no queue is called {name!r}", hint=f"there are {', '.join(DEFAULT_THREADS)}"
            )
    return names


def _possible() -> list[str]:
    """What this host may be able to do; each process says itself when it finds that it is not."""
    needs = {"controller": current().has_database_url, "fine_tune": bool(visible_gpus())}
    return [name for name in DEFAULT_THREADS if needs.get(name, True)]


def _duties(queue: str, concurrency: int | None, *, is_demanded: bool) -> list[Duty]:
    threads = _threads(queue, concurrency)
    # one process for each GPU: what two share, both are slow on; without one, the CPU trains
    gpus = visible_gpus() if queue == "fine_tune" else ()
    return [Duty(queue, threads, is_demanded, gpu) for gpu in gpus or (None,)]


def _threads(queue: str, concurrency: int | None) -> int:
    if queue in ("controller", "fine_tune"):
        return 1
    return concurrency or DEFAULT_THREADS[queue] or hands.cores()


def _try_database() -> None:
    """Refuse here in one line, rather than in a traceback for every task."""
    from crucible_infra.database import open_database

    open_database(current().database_url).close()
