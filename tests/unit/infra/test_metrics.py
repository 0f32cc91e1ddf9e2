"""Metrics: nothing while not asked for, bounded labels, a port for each process."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

from crucible_infra import metrics
from crucible_infra.errors import InvalidInput
from crucible_infra.metrics import Figure, Sampled

pytestmark = pytest.mark.usefixtures("crucible_home")

HERE = "127.0.0.1"


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    metrics.stop()


def _scrape(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{HERE}:{port}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def test_counting_costs_no_import_while_nobody_asks() -> None:
    script = (
        "import sys; from crucible_infra import metrics; metrics.task_ended('a', 'b', 1.0);"
        "metrics.programs_judged({'passed': 1}); metrics.host_drained();"
        "print('prometheus_client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    assert done.stdout == b"False\n"


def test_what_is_counted_is_served() -> None:
    port = metrics.serve(0, HERE)
    metrics.tasks_expected(["crucible.x"], ["succeeded", "failed"])
    metrics.task_ended("crucible.x", "succeeded", 0.2)
    metrics.programs_judged({"passed": 3})
    metrics.sandbox_refused("sick")
    metrics.host_drained()
    metrics.queue_served("evaluation")
    found = _scrape(port)

    assert found['crucible_tasks_total{contract="crucible.x",outcome="succeeded"}'] == 1
    assert found['crucible_tasks_total{contract="crucible.x",outcome="failed"}'] == 0
    assert found['crucible_task_duration_seconds_bucket{contract="crucible.x",le="0.1"}'] == 0
    assert found['crucible_task_duration_seconds_bucket{contract="crucible.x",le="0.3"}'] == 1
    assert found['crucible_judged_programs_total{outcome="passed"}'] == 3
    assert found['crucible_sandbox_refusals_total{reason="sick"}'] == 1
    assert found["crucible_host_drained"] == 1
    assert found['crucible_worker_info{queue="evaluation"}'] == 1


def test_models_beyond_the_bound_are_counted_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_MODELS", 3)
    port = metrics.serve(0, HERE)
    for number in range(5):
        metrics.model_sampled(f"adapter-{number}", Sampled(1, 10, 7))
    found = _scrape(port)

    assert found['crucible_completion_tokens_total{model="adapter-2"}'] == 7
    assert found['crucible_prompt_tokens_total{model="other"}'] == 20
    assert len([name for name in found if name.startswith("crucible_sampled_")]) == 4


def test_a_models_label_holds_no_password() -> None:
    port = metrics.serve(0, HERE)
    metrics.model_sampled("openai:http://me:hunter2secret@host/v1#m", Sampled(1, 1, 1))

    assert not [name for name in _scrape(port) if "hunter2secret" in name]


def test_the_next_process_of_a_host_takes_the_next_port() -> None:
    with socket.create_server((HERE, 0)) as taken:
        first = taken.getsockname()[1]
        assert first < metrics.serve(first, HERE) < first + metrics.SLOTS


def test_a_process_serves_once() -> None:
    assert metrics.serve(0, HERE) == metrics.serve(0, HERE)


def test_no_free_port_is_one_line_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "SLOTS", 1)
    with (
        socket.create_server((HERE, 0)) as taken,
        pytest.raises(InvalidInput, match="is taken") as caught,
    ):
        metrics.serve(taken.getsockname()[1], HERE)
    assert "CRUCIBLE_METRICS_PORT" in (caught.value.hint or "")


def test_a_foreign_address_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"203\.0\.113\.1"):
        metrics.serve(0, "203.0.113.1")


def test_a_missing_client_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(InvalidInput, match="not installed") as caught:
        metrics.check()
    assert "codecrucible[cluster]" in (caught.value.hint or "")


def test_a_source_that_fails_hides_no_other() -> None:
    def broken() -> Iterator[Figure]:
        yield Figure("crucible_half", "Never seen.", 1)
        raise OSError("gone")

    port = metrics.serve(0, HERE)
    metrics.look_up(broken)
    metrics.look_up(lambda: [Figure("crucible_there", "Seen.", 2, {"queue": "a"})])
    metrics.look_up(lambda: [Figure("crucible_joules_total", "Seen.", 3)])
    found = _scrape(port)

    assert found['crucible_there{queue="a"}'] == 2
    assert found["crucible_joules_total"] == 3
    assert "crucible_half" not in found
