"""Whoever does the work a command asks for: this process, or the workers of a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from crucible_api.cli.output import Voice
from crucible_infra.settings import current

#: requests to model servers under way at once; llama.cpp's server has 4 slots by default, vLLM
#: batches whatever comes, and Ollama queues what it does not serve
GENERATION_THREADS = 4


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
    from crucible_api.judging_host import try_sandbox

    with hands(voice, trains=trains):
        if current().is_embedded:
            try_sandbox(voice.warn)
        yield


@contextmanager
def run_hands(voice: Voice, *, trains: bool = False, is_judging: bool = True) -> Iterator[None]:
    """The same, for the work of runs and fine-tunes, which a configured server does instead."""
    server = current().server
    if server is None:
        chosen = judging_hands if is_judging else hands
        with chosen(voice, trains=trains):
            yield
        return
    voice.talk(f"the work is done by {server}")
    yield


def raise_if_full() -> None:
    """Raise DiskFull where this process does the work and cannot store it any more."""
    if current().runs_here:
        from crucible_tasks import embedded

        embedded.raise_if_full()


def cores() -> int:
    """CPUs this process may use; fewer than the host has under taskset or in a container."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
