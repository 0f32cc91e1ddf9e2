"""The same tasks over a real Redis: real `celery worker` and sender processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import services
from commandline import PROGRAM

TESTS = Path(__file__).resolve().parents[1]

#: when a person should know that the broker is dead, in seconds
PROMPT_SECONDS = 5.0

#: a new interpreter and Celery's import on a busy machine, in seconds
START_SECONDS = 2.5


def _environment(redis_url: str, home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "CRUCIBLE_BROKER_URL": redis_url,
        "CRUCIBLE_HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
    }


def _ask(redis_url: str, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TESTS / "probe.py"), *words],
        env=_environment(redis_url, home),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@contextmanager
def _worker(redis_url: str, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = ["celery", "--quiet", "-A", "probe", "worker", "-c", "1", "-Q"]
    with (home / "worker.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", *command, "generation,evaluation"],
            env=_environment(redis_url, home),
            cwd=home,
            stdout=log,
            stderr=log,
        )
        try:
            yield child
        finally:
            child.send_signal(signal.SIGQUIT)
            child.wait(60)


def test_a_question_makes_the_round_trip_over_redis(redis_url: str, crucible_home: Path) -> None:
    with _worker(redis_url, crucible_home):
        answer = _ask(redis_url, crucible_home, "41")
        failure = _ask(redis_url, crucible_home, "-1")

    assert (answer.stdout, answer.stderr) == ("42\n", "")
    assert failure.returncode == 1
    assert "no negative numbers" in failure.stderr
    log = (crucible_home / "worker.log").read_text()
    assert "task_failed" in log
    assert "Traceback" not in log


def test_a_worker_outlives_a_restart_of_redis(
    redis_of_my_own: services.RedisServer, crucible_home: Path
) -> None:
    url = redis_of_my_own.url
    with _worker(url, crucible_home):
        assert _ask(url, crucible_home, "1").stdout == "2\n"
        redis_of_my_own.kill()
        redis_of_my_own.start()
        answer = _ask(url, crucible_home, "2")

    assert answer.stdout == "3\n", answer.stderr


def test_a_question_nobody_serves_says_how_to_start_a_worker(
    redis_of_my_own: services.RedisServer, crucible_home: Path
) -> None:
    done = _ask(redis_of_my_own.url, crucible_home, "1", "0.5")

    assert done.returncode == 1
    assert "no worker serves the queue generation" in done.stderr
    assert "crucible worker" in done.stderr


def test_a_doctor_waits_for_a_busy_worker_and_not_for_one_nobody_started(
    redis_of_my_own: services.RedisServer, crucible_home: Path
) -> None:
    said = subprocess.run(
        [*PROGRAM, "doctor", "--sandbox"],
        env=_environment(redis_of_my_own.url, crucible_home),
        capture_output=True,
        text=True,
        # answers are waited for twice as long
        timeout=60,
        check=False,
    )

    assert said.returncode == 1
    assert "no worker serves the queue evaluation" in said.stderr
    assert "crucible worker --queues evaluation" in said.stderr


def test_a_dead_broker_is_one_line_within_seconds(crucible_home: Path) -> None:
    url = f"redis://:hunter2secret@127.0.0.1:{services.free_port()}/0"
    started = time.monotonic()
    done = _ask(url, crucible_home, "1")

    assert time.monotonic() - started < PROMPT_SECONDS + START_SECONDS
    assert done.returncode == 1
    assert done.stderr.startswith("BrokerUnavailable: the broker redis://")
    assert done.stderr.count("\n") == 1
    assert "hunter2secret" not in done.stderr


def test_a_silent_broker_is_one_line_within_seconds(crucible_home: Path) -> None:
    # accepts connections and never answers, as a half-open connection does
    with socket.create_server(("127.0.0.1", 0), backlog=16) as silent:
        started = time.monotonic()
        done = _ask(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", crucible_home, "1")

    assert time.monotonic() - started < PROMPT_SECONDS + START_SECONDS
    assert done.stderr.startswith("BrokerUnavailable: the broker redis://")


def test_sending_over_a_dead_broker_never_loads_a_worker(crucible_home: Path) -> None:
    script = "import sys, crucible_tasks.sending; print('crucible_workers' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=_environment("redis://127.0.0.1:1/0", crucible_home),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout == "False\n"
