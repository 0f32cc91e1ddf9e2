"""`crucible worker` where Redis or the database is not there: few lines, an end, no nagging."""

from __future__ import annotations

import signal
import time

from commandline import PATIENCE_SECONDS, Crucible
from services import RedisServer, free_port


def test_without_redis_it_says_until_when_it_tries_and_then_fails(crucible: Crucible) -> None:
    place = f"redis://127.0.0.1:{free_port()}/0"
    started = time.monotonic()
    said = crucible("worker", CRUCIBLE_BROKER_URL=place, CRUCIBLE_OUTAGE_SECONDS="2")
    assert time.monotonic() - started < 20
    assert (said.code, said.out) == (1, "")
    first, second, hint = said.err.splitlines()
    assert first.startswith(f"{place} does not answer (")
    assert "; trying again until " in first
    assert second.startswith(f"error: {place} did not answer for 2 s: ")
    assert hint == "hint: start Redis there, or correct CRUCIBLE_BROKER_URL"


def test_a_controller_without_its_database_is_refused_in_one_line(
    crucible: Crucible, redis_url: str
) -> None:
    said = crucible(
        *("worker", "--queues", "controller"),
        CRUCIBLE_BROKER_URL=redis_url,
        CRUCIBLE_DATABASE_URL=f"postgresql://u:hidden@127.0.0.1:{free_port()}/x",
    )
    assert (said.code, said.out) == (1, "")
    error, hint = said.err.splitlines()
    assert error.startswith("error: postgresql")
    assert "hidden" not in said.err
    assert hint == "hint: check CRUCIBLE_DATABASE_URL, and that the server runs"


def test_a_redis_that_starts_after_its_worker_is_found_and_nobody_nags_root(
    crucible: Crucible, redis_of_my_own: RedisServer
) -> None:
    redis_of_my_own.kill()
    child = crucible.start(
        "worker", "--queues", "generation", CRUCIBLE_BROKER_URL=redis_of_my_own.url
    )
    assert child.stderr is not None
    assert b"does not answer" in child.stderr.readline()
    redis_of_my_own.start()
    assert b"serving the generation queue" in child.stderr.readline()
    # Celery says what it has to say when it starts
    time.sleep(2.0)
    child.send_signal(signal.SIGTERM)
    _, told = child.communicate(timeout=PATIENCE_SECONDS)
    assert child.returncode in (0, 143), told
    assert b"superuser" not in told
    assert b"SecurityWarning" not in told
