"""What this host itself says about the reliability of results: database, disk, clock, load."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from crucible_api.cli.hands import cores
from crucible_infra.errors import CrucibleError
from crucible_infra.settings import Settings, current
from crucible_tasks.evaluation import HostCheck

#: a run of 32,800 completions and its artifacts take about a tenth of it
_ENOUGH_DISK_BYTES = 2**30

#: CPU time is a limit; a clock that counts in 1/64 s (some virtual machines) is too coarse
_COARSEST_CLOCK_SECONDS = 0.001

#: where waiting programs start to run into the generous wall-clock guard
_MOST_LOAD_PER_CORE = 4.0

#: before this program existed; a host whose battery is empty starts in 1970
_EARLIEST_NOW = 1_760_000_000.0

#: a compiler tells its machine at once
_GLANCE_SECONDS = 10.0

#: how far the clock may be behind the newest run
_CLOCK_SLACK_SECONDS = 5.0


def local_checks() -> Iterator[HostCheck]:
    """Every check that needs no worker, in the order people read them."""
    settings = current()
    yield HostCheck("python", is_ok=True, detail=f"{platform.python_version()} {_system()}")
    yield from _services(settings)
    yield _disk(settings)
    yield _clock()
    yield _cpu()
    yield HostCheck("cc", is_ok=True, detail=_compiler(settings.search_path))


def _services(settings: Settings) -> Iterator[HostCheck]:
    if settings.server is not None:
        yield _checked("server", lambda: _server(settings))
        return
    yield _checked("database", lambda: _database(settings))
    if settings.is_embedded:
        yield HostCheck("broker", is_ok=True, detail="none: every command does its own work")
    else:
        yield _checked("broker", _broker)


def _server(settings: Settings) -> str:
    from crucible_api import __version__
    from crucible_api.http.forms import Version
    from crucible_api.remote.connection import connect

    found = connect(settings).get("/version", Version)
    work = "does the work itself" if found.is_embedded else "has the work done by a cluster"
    if found.version != __version__:
        raise CrucibleError(
            f"{settings.server} is codecrucible {found.version}, and this is {__version__}",
            hint="install the same version on both hosts",
        )
    return f"{settings.server} is codecrucible {found.version}, and {work}"


def _compiler(search_path: str) -> str:
    """What `cc` is for programs; a function of the user's shell is not seen from here."""
    from crucible_api.cli.compiler_calls import is_shim

    there = [Path(one or ".") / "cc" for one in search_path.split(":")]
    found = [file for file in there if file.is_file() and os.access(file, os.X_OK)]
    if not found:
        return "none on the PATH; crucible shell-init gives your shell one for prompts"
    compilers = [file for file in found if not is_shim(file)]
    if not compilers:
        return f"{found[0]}, our shim, and no compiler behind it: builds that need one fail"
    told = f"{compilers[0]}, {_kind(compilers[0])}"
    return told if found[0] is compilers[0] else f"{found[0]}, our shim, and behind it {told}"


def _kind(program: Path) -> str:
    """Whether it answers as compilers do."""
    try:
        done = subprocess.run(  # noqa: S603 -- whatever the user would call
            [program, "-dumpmachine"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GLANCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "which does not answer as a compiler"
    said = done.stdout.decode("utf-8", "replace").strip()
    is_compiler = done.returncode == 0 and said.count("-") >= 2 and said.isprintable()
    return f"a compiler for {said}" if is_compiler else "which does not answer as a compiler"


def _checked(name: str, check: Callable[[], str]) -> HostCheck:
    try:
        return HostCheck(name, is_ok=True, detail=check())
    except CrucibleError as error:
        detail = f"{error.message} ({error.hint})" if error.hint else error.message
        return HostCheck(name, is_ok=False, detail=detail)


def _system() -> str:
    return f"on {platform.system()} {platform.release()} {platform.machine()}"


def _database(settings: Settings) -> str:
    from crucible_infra.database import open_database
    from crucible_infra.log import redact

    database = open_database(settings.database_url)
    try:
        with database.reading() as connection:
            connection.exec_driver_sql("SELECT 1")
        if database.engine.dialect.name == "sqlite":
            _refuse_future_runs(settings)
    finally:
        database.close()
    return redact(settings.database_url)


def _refuse_future_runs(settings: Settings) -> None:
    from crucible_api.runs import open_runs

    newest = open_runs(settings).list_runs(1)
    if newest and newest[0].created_at > time.time() + _CLOCK_SLACK_SECONDS:
        raise CrucibleError(
            f"run {newest[0].id} starts in the future", hint="set this host's clock"
        )


def _broker() -> str:
    from crucible_infra.errors import BrokerUnavailable
    from crucible_infra.log import redact
    from crucible_tasks.broker_refusal import refusal_hint
    from crucible_tasks.celery_app import app

    place = redact(current().broker_url)
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=5)
    except Exception as error:
        # every transport of Celery raises its own
        hint = refusal_hint(error) or "is Redis running there?"
        raise BrokerUnavailable(f"{place}: {error}", hint=hint) from error
    return place


def _disk(settings: Settings) -> HostCheck:
    place = _existing(settings.data_directory)
    free = shutil.disk_usage(place).free
    is_ok = free >= _ENOUGH_DISK_BYTES and os.access(place, os.W_OK)
    detail = f"{free / 2**30:.1f} GiB free in {settings.data_directory}"
    if not os.access(place, os.W_OK):
        detail += ", which is not writable (set CRUCIBLE_HOME)"
    return HostCheck("disk", is_ok=is_ok, detail=detail)


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.resolve().parents) if parent.exists())


def _clock() -> HostCheck:
    resolution = time.get_clock_info("process_time").resolution
    now = time.time()
    detail = f"{time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(now))}, "
    detail += f"CPU time counted in steps of {resolution:g} s"
    is_ok = resolution <= _COARSEST_CLOCK_SECONDS and now >= _EARLIEST_NOW
    return HostCheck("clock", is_ok=is_ok, detail=detail)


def _cpu() -> HostCheck:
    load = os.getloadavg()[0]
    per_core = load / cores()
    detail = f"{cores()} usable, load {load:.1f}"
    if per_core > _MOST_LOAD_PER_CORE:
        detail += "; CPU-time limits hold, but verdicts come late and some are judged twice"
    return HostCheck("cpu", is_ok=per_core <= _MOST_LOAD_PER_CORE, detail=detail)
