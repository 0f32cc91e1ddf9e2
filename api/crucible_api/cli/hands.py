"""Whoever does the work a command asks for: this process, or the workers of a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from crucible_api.cli.output import Voice
from crucible_infra.errors import SandboxUnavailable
from crucible_infra.settings import current

#: requests to model servers under way at once; llama.cpp's server has 4 slots by default, vLLM
#: batches whatever comes, and Ollama queues what it does not serve
GENERATION_THREADS = 4

#: opening a prison takes 0.2 s; this is for a host that is very busy
_SANDBOX_SECONDS = 60.0


@contextmanager
def hands(voice: Voice, *, trains: bool = False) -> Iterator[None]:
    """Have workers for the length of a block; a cluster has its own."""
    if not current().is_embedded:
        from crucible_infra.log import redact

        voice.talk(f"the work is done by the workers of {redact(current().broker_url)}")
        yield
        return
    from crucible_infra import log
    from crucible_tasks.embedded import embedded_worker

    # what goes wrong is in the database, and the command says it in its own words
    log.configure(level="ERROR")
    with embedded_worker(
        generation_threads=GENERATION_THREADS, evaluation_slots=cores(), trains=trains
    ):
        yield


@contextmanager
def judging_hands(voice: Voice, *, trains: bool = False) -> Iterator[None]:
    """The same, for commands that judge: this host's sandbox is tried before anything is planned.

    Raises SandboxUnavailable when the work would be done here and cannot be.
    """
    with hands(voice, trains=trains):
        if current().is_embedded:
            _try_sandbox(voice)
        yield


@contextmanager
def run_hands(voice: Voice, *, trains: bool = False) -> Iterator[None]:
    """The same, for the work of runs and fine-tunes, which a configured server does instead."""
    server = current().server
    if server is None:
        with judging_hands(voice, trains=trains):
            yield
        return
    voice.talk(f"the work is done by {server}")
    yield


def _try_sandbox(voice: Voice) -> None:
    from crucible_tasks.evaluation import HOST, HostRequest
    from crucible_tasks.sending import send_and_wait

    report = send_and_wait(HOST, HostRequest(is_quick=True), _SANDBOX_SECONDS)
    if report.problem is not None:
        raise SandboxUnavailable(report.problem, hint=report.hint)
    for check in report.checks:
        if not check.is_ok:
            voice.warn(f"{check.name}: {check.detail}")


def cores() -> int:
    """CPUs this process may use; fewer than the host has under taskset or in a container."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
