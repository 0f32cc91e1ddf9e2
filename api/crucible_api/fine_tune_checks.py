"""What can be refused of a fine-tune before anything of it takes long."""

from __future__ import annotations

import re
from importlib.util import find_spec

from crucible_infra.errors import InvalidInput, NoWorker
from crucible_infra.settings import current

#: typed in shells and written into URLs and paths
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")

#: words that mean something else where a model is named
_RESERVED = ("nano", "reference", "latest", "hybrid")

#: what the trainer needs, as it is imported
_TRAINER = ("torch", "transformers", "peft", "trl")


def demand_name(name: str) -> None:
    """Raise InvalidInput for a name by which nobody could ask for the model."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"a model cannot be called {name!r}",
            hint="letters, digits, dots, dashes and underscores, like my-project-codellama",
        )
    if name in _RESERVED or name in current().models:
        of = "your configuration" if name in current().models else "crucible's own"
        raise InvalidInput(
            f"a model cannot be called {name}: that is a name of {of}",
            hint="choose another --new-model-name",
        )


def demand_cluster(hosts: int) -> None:
    """Raise InvalidInput where several hosts are to train and there is one process."""
    if hosts > 1 and current().runs_here:
        raise InvalidInput(
            f"--hosts {hosts} needs a cluster: without CRUCIBLE_BROKER_URL one process trains",
            hint="on every host: CRUCIBLE_BROKER_URL=redis://HOST/0 crucible worker",
        )


def demand_shares(batch: int, hosts: int) -> None:
    """Raise InvalidInput for a batch that its hosts cannot share."""
    if batch % hosts:
        raise InvalidInput(
            f"a batch of {batch} rows cannot be shared by {hosts} hosts",
            hint="batch in the --recipe is of all hosts together: a multiple of --hosts",
        )


def demand_workers(base: str, hosts: int, *, proves: bool) -> None:
    """Raise NoWorker where nobody would train, or answer and judge what is to be proved."""
    # a process that does its own work asks nobody
    from crucible_tasks import evaluation  # noqa: PLC0415
    from crucible_tasks.capability import IN_PROCESS  # noqa: PLC0415
    from crucible_tasks.fine_tuning import NANO, QUEUE  # noqa: PLC0415
    from crucible_tasks.generation import QUEUE as ANSWERING  # noqa: PLC0415
    from crucible_tasks.served import demand_worker  # noqa: PLC0415

    demand_worker(QUEUE, hosts)
    if not proves:
        return
    try:
        demand_worker(evaluation.QUEUE)
        demand_worker(ANSWERING if base == NANO else IN_PROCESS)
    except NoWorker as error:
        raise NoWorker(
            f"nobody would prove it: {error.message}",
            hint="start workers for generation, with codecrucible[train], and for evaluation, or "
            "leave the proof out with --no-proof",
        ) from error


def missing_trainer() -> tuple[str, ...]:
    """What this Python lacks to train; nothing where it can."""
    return tuple(name for name in _TRAINER if find_spec(name) is None)


def require_trainer() -> None:
    """Raise InvalidInput where this Python cannot train."""
    missing = missing_trainer()
    if missing:
        raise InvalidInput(
            f"training needs {', '.join(missing)}, not installed",
            hint="pip install 'codecrucible[train]'",
        )
