"""A task that kills its worker is begun three times, then parked where a person can see it."""

from __future__ import annotations

import json

from commandline import Crucible
from services import RedisServer
from worker_hosts import working

#: a worker's Python, when one challenge is deadly to sample and another one to judge
DEADLY = """
import os, time
from crucible_workers import evaluate, generate

def deadly(real, challenge):
    def work(request, *rest):
        if request.task_id.endswith(challenge):
            # what Redis has given out and nobody has received yet would be missed much later
            time.sleep(1)
            os._exit(9)
        return real(request, *rest)
    return work

generate.sample = deadly(generate.sample, "/1")
evaluate._evaluate = deadly(evaluate._evaluate, "/2")
"""


def test_what_kills_its_worker_is_parked_with_its_reason(
    crucible: Crucible, redis_of_my_own: RedisServer, postgres_database_url: str
) -> None:
    crucible.environment["CRUCIBLE_BROKER_URL"] = redis_of_my_own.url
    crucible.environment["CRUCIBLE_DATABASE_URL"] = postgres_database_url
    assert crucible("db", "upgrade").code == 0
    with working(crucible, loading=DEADLY) as worker:
        said = crucible("benchmark", "-m", "reference", "--limit", "4", "--json")
    shown = crucible("runs", "show", "latest")

    # well before the lease of a lost message ends, and with nothing lost beside it
    assert said.code == 4, said.err
    assert json.loads(said.out)["coverage"] == 0.5
    assert "its worker died 3 times" in said.err
    assert "its worker died 3 times" in shown.out + shown.err
    for queue in ("generation", "evaluation"):
        line = f"the {queue} worker ended with 9; starting it again"
        assert sum(line in one for one in worker.lines) == 3, worker.lines
