"""Runs Flower in this process: its options, its store of tasks, its end.

In this process, so that passwords are handed over in memory: not in arguments or the environment,
which other programs can read, nor in one more file.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput, StorageError
from crucible_infra.settings import current

if TYPE_CHECKING:
    from flower.app import Flower

#: tasks that are kept: a run of HumanEval has about 660, and saving so many takes half a second,
#: during which no page is served
MOST_TASKS = 20_000

#: milliseconds between saves; what happened since the last one is lost to a kill -9 or power cut
SAVE_EVERY = 60_000

_COLUMNS = "name,args,state,received,runtime,worker,uuid"


@dataclass(frozen=True, slots=True)
class Page:
    """Where Flower is served, and to whom."""

    address: str
    port: int
    #: NAME:PASSWORD each; nobody is asked where there is none
    logins: tuple[str, ...]
    #: path it is served below
    url_prefix: str
    is_read_only: bool


def serve(page: Page, voice: Voice) -> None:
    """Show tasks until this process is asked to stop, and save them.

    Raises InvalidInput when the port is taken or the address is not this host's, StorageError when
    the store cannot be written.
    """
    from crucible_infra import log

    log.configure()
    flower = _flower(page)
    port = _listen(flower, page)
    place = f"[{page.address}]" if ":" in page.address else page.address
    path = f"{page.url_prefix.strip('/')}/" if page.url_prefix else ""
    watched = log.redact(current().broker_url)
    voice.talk(f"Flower shows {watched} on http://{place}:{port}/{path}")
    try:
        flower.start()
    except KeyboardInterrupt:
        # being asked to stop is how a server ends
        voice.talk("saving what was seen")
    finally:
        flower.stop()


def _flower(page: Page) -> Flower:
    with warnings.catch_warnings():
        # of libraries it brings, about themselves
        warnings.simplefilter("ignore")
        from flower.app import Flower
        from flower.command import extract_settings
        from flower.options import options
        from flower.urls import settings

    from crucible_tasks.celery_app import app

    for name, value in _options(page).items():
        setattr(options, name, value)
    extract_settings()
    return Flower(capp=app, options=options, **settings)


def _options(page: Page) -> dict[str, Any]:
    directory = current().data_directory / "flower"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"{directory}: {error.strerror}") from error
    return {
        "address": page.address,
        "port": page.port,
        "basic_auth": list(page.logins),
        "url_prefix": page.url_prefix,
        "read_only": page.is_read_only,
        "persistent": True,
        "db": str(directory / "tasks"),
        "state_save_interval": SAVE_EVERY,
        "max_tasks": MOST_TASKS,
        "tasks_columns": _COLUMNS,
    }


def _listen(flower: Flower, page: Page) -> int:
    try:
        port: int = flower.start_http_server()
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or 0)
        raise InvalidInput(
            f"Flower cannot listen on {page.address}:{page.port}: {reason}",
            hint="choose another --port, or an --address of this host",
        ) from error
    return port
