"""A task that kills its worker is begun three times, then parked where a person can see it."""

from __future__ import annotations

import json
import time

import pytest

from commandline import Crucible
from services import RedisServer
from worker_hosts import working

#: a worker's Python, when one challenge is deadly
DEADLY = """
import os
from crucible_workers import {module}
real = {module}.{function}
def deadly(request, *rest):
    if request.task_id.endswith("/1"):
        os._exit(9)
    return real(request, *rest)
{module}.{function} = deadly
"""


@pytest.mark.parametrize(
    ("module", "function"), [("generate", "sample"), ("evaluate", "_evaluate")]
)
def test_what_kills_its_worker_is_parked_with_its_reason(
    crucible: Crucible,
    redis_of_my_own: RedisServer,
    postgres_database_url: str,
    module: str,
    function: str,
) -> None:
    crucible.environment["CRUCIBLE_BROKER_URL"] = redis_of_my_own.url
    crucible.environment["CRUCIBLE_DATABASE_URL"] = postgres_database_url
    assert crucible("db", "upgrade").code == 0
    deadly = DEADLY.format(module=module, function=function)
    with working(crucible, loading=deadly) as worker:
        started = time.monotonic()
        said = crucible("benchmark", "-m", "reference", "--limit", "4", "--json")
        seconds = time.monotonic() - started
    shown = crucible("runs", "show", "latest")

    assert said.code == 4, said.err
    assert json.loads(said.out)["coverage"] == 0.75
    assert "its worker died 3 times" in said.err
    assert "its worker died 3 times" in shown.out + shown.err
    assert sum("ended with 9; starting it again" in line for line in worker.lines) == 3
    assert seconds < 60
