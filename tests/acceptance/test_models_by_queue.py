"""In a cluster, a question about a host's own model reaches a host that serves it just now."""

from __future__ import annotations

import time

import pytest

from commandline import Crucible
from model_server import ModelServer, Ollama
from services import RedisServer, free_port
from worker_hosts import working

MODEL = "ollama:codellama:7b-code"

#: a worker's Python, when it looks for model servers more often
CURIOUS = """
from crucible_workers import capabilities
capabilities.LOOK_SECONDS = 0.3
"""


@pytest.fixture
def cluster(crucible: Crucible, redis_of_my_own: RedisServer) -> Crucible:
    crucible.environment["CRUCIBLE_BROKER_URL"] = redis_of_my_own.url
    return crucible


def test_a_model_is_served_while_its_server_answers_and_no_longer(cluster: Crucible) -> None:
    port = free_port()
    with (
        working(cluster, "--queues", "generation"),
        working(
            cluster,
            *("--queues", "generation"),
            loading=CURIOUS,
            OLLAMA_HOST=f"127.0.0.1:{port}",
        ) as host,
    ):
        host.until('models_of_this_host models="none')
        # started later, served later
        with ModelServer(Ollama(), port):
            host.until(f"models_of_this_host models={MODEL}")
            said = cluster("models", f"ollama:http://localhost:{port}#codellama:7b-code", "--json")
            assert said.code == 0, said.err
            missing = _missing(cluster, "ollama:nobody-has-this")
        assert f"these are served: {MODEL}" in missing
        host.lines.clear()
        host.until('models_of_this_host models="none')


def _missing(cluster: Crucible, spec: str) -> str:
    started = time.monotonic()
    said = cluster("benchmark", "-m", spec, "--limit", "1", "--detach")
    assert said.code == 1
    assert time.monotonic() - started < 30
    error, hint = said.err.splitlines()[-2:]
    assert error.startswith(f"error: no worker serves the model {spec}; ")
    assert "`crucible worker`" in hint
    return error
