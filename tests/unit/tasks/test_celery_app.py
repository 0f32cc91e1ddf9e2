"""The Celery app's settings, embedded and in a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from crucible_tasks import celery_app, control

_SHOW = """
import json
from crucible_tasks.celery_app import app
names = {names!r}
print(json.dumps({{name: app.conf[name] for name in names}}, default=str))
"""


def _options_with(names: list[str], **variables: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _SHOW.format(names=names)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def test_only_json_is_spoken() -> None:
    assert celery_app.app.conf.accept_content == ["json"]
    assert celery_app.app.conf.task_serializer == "json"
    assert celery_app.app.conf.result_serializer == "json"


def test_lost_work_returns_and_nobody_hoards_it() -> None:
    conf = celery_app.app.conf

    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1


def test_every_contract_has_its_queue_and_route() -> None:
    conf = celery_app.app.conf

    assert {queue.name for queue in conf.task_queues} == set(celery_app.QUEUES)
    for contract in celery_app.CONTRACTS:
        assert conf.task_routes[contract.name] == {"queue": contract.queue}


def test_the_embedded_app_needs_no_server() -> None:
    options = _options_with(["broker_url", "result_backend", "task_time_limit"])

    assert options["broker_url"] == "memory://"
    assert options["result_backend"] == "cache+memory://"
    assert options["task_time_limit"] is None


def test_a_cluster_notices_dead_connections_and_runs_no_task_twice() -> None:
    url = "redis://localhost:6379/3"
    options = _options_with(
        ["broker_url", "result_backend", "broker_transport_options", "task_time_limit"],
        CRUCIBLE_BROKER_URL=url,
    )
    transport = options["broker_transport_options"]

    assert options["broker_url"] == options["result_backend"] == url
    assert transport["socket_timeout"] == celery_app.SOCKET_SECONDS
    assert transport["health_check_interval"] > 0
    assert options["task_time_limit"] < transport["visibility_timeout"]


def test_a_reconcile_nobody_hears_expires_before_the_next() -> None:
    with celery_app.app.connection_for_write() as connection:
        queue = celery_app.app.amqp.queues[control.QUEUE](connection.default_channel)
        queue.declare()
        queue.purge()
        celery_app.send_reconcile()
        message = queue.get()
        message.ack()

    assert message.headers["task"] == control.RECONCILE.name
    assert message.headers["expires"] is not None
    assert message.headers["ignore_result"] is True


def test_unknown_queues_are_errors() -> None:
    with pytest.raises(Exception, match="nowhere"):
        celery_app.app.send_task("crucible.generate", queue="nowhere")
