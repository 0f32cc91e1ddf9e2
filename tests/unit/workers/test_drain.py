"""A drained host says so to Prometheus."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest

from crucible_infra import metrics
from crucible_workers import drain
from crucible_workers.canaries import FLOCKS, Complaint, Engine

pytestmark = pytest.mark.usefixtures("crucible_home")


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(drain, "_drained", [])
    yield metrics.serve(0, "127.0.0.1")
    metrics.stop()


def _is_drained(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
        return "\ncrucible_host_drained 1.0\n" in reply.read().decode()


def test_a_drained_host_says_so(port: int) -> None:
    assert not _is_drained(port)
    drain.drain(Complaint(FLOCKS[Engine.PYTHON_CALLS].gold, "failed"))
    assert _is_drained(port)
