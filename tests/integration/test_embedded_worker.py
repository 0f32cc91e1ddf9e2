"""The embedded worker: real Celery consumers in this process, over the in-memory transport."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import probe
from crucible_infra.errors import CrucibleError
from crucible_tasks.embedded import embedded_worker
from crucible_tasks.sending import send, send_and_wait

pytestmark = pytest.mark.usefixtures("crucible_home")

#: what a user who presses Ctrl-C waits at most, in seconds
PROMPT_SECONDS = 1.0


def _wait_for_lines(path: Path, count: int) -> list[str]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= count:
            return lines
        time.sleep(0.01)
    raise AssertionError(f"{path} never had {count} lines")


def _our_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("crucible-")}


def test_a_question_makes_the_round_trip() -> None:
    with embedded_worker(generation_threads=1, evaluation_slots=1):
        answer = send_and_wait(probe.PROBE, probe.Number(41), 10)

    assert answer == probe.Number(42)


def test_a_round_trip_waits_for_no_poll() -> None:
    with embedded_worker(generation_threads=1, evaluation_slots=1):
        started = time.monotonic()
        for number in range(50):
            send_and_wait(probe.PROBE, probe.Number(number), 10)

    # some 3 ms each; Celery's loop looks by itself every 2 s
    assert time.monotonic() - started < 10


def test_every_task_runs_exactly_once(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    with embedded_worker(generation_threads=2, evaluation_slots=3):
        for number in range(300):
            send(probe.MARK.signature(probe.Mark(str(marks), str(number))))
        lines = _wait_for_lines(marks, 300)

    assert sorted(int(line.split()[0]) for line in lines) == list(range(300))


def test_a_second_worker_in_the_same_process_works_and_no_thread_is_left() -> None:
    before = _our_threads()
    for _ in range(2):
        with embedded_worker(generation_threads=2, evaluation_slots=2):
            assert send_and_wait(probe.PROBE, probe.Number(1), 10) == probe.Number(2)

    assert _our_threads() == before


def test_two_workers_at_once_are_refused() -> None:
    with (
        embedded_worker(generation_threads=1, evaluation_slots=1),
        pytest.raises(CrucibleError, match="already"),
        embedded_worker(generation_threads=1, evaluation_slots=1),
    ):
        pytest.fail("two controllers would write the database")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError])
def test_an_exception_passes_and_stops_the_worker_promptly(
    kind: type[BaseException], tmp_path: Path
) -> None:
    raised_at: list[float] = []

    def be_interrupted() -> None:
        with embedded_worker(generation_threads=2, evaluation_slots=2):
            for text in ("running", "running too", "waiting"):
                send(probe.MARK.signature(probe.Mark(str(tmp_path / "marks"), text, seconds=3)))
            time.sleep(0.2)
            raised_at.append(time.monotonic())
            raise kind

    with pytest.raises(kind):
        be_interrupted()

    assert time.monotonic() - raised_at[0] < PROMPT_SECONDS


def test_what_was_waiting_does_not_reach_the_next_worker(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    slow = probe.Mark(str(tmp_path / "slow"), "slow", seconds=1)
    with embedded_worker(generation_threads=1, evaluation_slots=1):
        send(probe.MARK.signature(slow))
        for _ in range(5):
            send(probe.MARK.signature(probe.Mark(str(marks), "old")))
    with embedded_worker(generation_threads=1, evaluation_slots=1):
        send(probe.MARK.signature(probe.Mark(str(marks), "new")))
        lines = _wait_for_lines(marks, 1)

    assert [line.split()[0] for line in lines] == ["new"]


def test_a_failing_task_is_one_line_in_our_log_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marks = tmp_path / "marks"
    with embedded_worker(generation_threads=1, evaluation_slots=1):
        send(probe.MARK.signature(probe.Mark(str(marks), "", fails=True)))
        send(probe.MARK.signature(probe.Mark(str(marks), "after")))
        _wait_for_lines(marks, 1)

    assert [record.getMessage() for record in caplog.records] == ["task_failed"]
    assert vars(caplog.records[0])["fields"]["work"] == probe.MARK.name


def test_a_failed_question_raises_what_the_worker_raised() -> None:
    with (
        embedded_worker(generation_threads=1, evaluation_slots=1),
        pytest.raises(CrucibleError, match="no negative numbers"),
    ):
        send_and_wait(probe.PROBE, probe.Number(-1), 10)


def test_an_idle_worker_costs_no_processor_time() -> None:
    with embedded_worker(generation_threads=4, evaluation_slots=4):
        before = time.process_time()
        time.sleep(1)
        spent = time.process_time() - before

    # Kombu's own transport, polling every millisecond, spends a tenth of a core
    assert spent < 0.02


def test_the_embedded_worker_is_imported_without_the_workers() -> None:
    script = "import sys, crucible_tasks.embedded; print('crucible_workers' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout == "False\n"
