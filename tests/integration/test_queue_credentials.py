"""A worker's own credentials for Redis let it do its own work, and nothing beyond it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from redis.exceptions import NoPermissionError

import services
from commandline import Crucible, at_home
from source_tree import ROOT
from worker_hosts import TESTS, Marks, python_path, until, working

#: a worker's Python, when a silent worker is missed after a second instead of half a minute
IMPATIENT = """
import probe
from crucible_tasks import membership, roster
roster.GONE_SECONDS = 1
membership.BEAT_SECONDS = 0.2
"""

KINDS = ("evaluation", "generation")

#: which kind each one tries to be
OTHERS = {"evaluation": "generation", "generation": "evaluation", "fine_tune": "evaluation"}


@dataclass(frozen=True, slots=True)
class Guarded:
    """A Redis with the users of make-secrets.sh, and one home for all who use it."""

    crucible: Crucible
    secrets: Path
    port: int

    def url(self, kind: str | None = None) -> str:
        """With all rights, or with those of one kind of worker."""
        name = "broker_url" if kind is None else f"broker_url_{kind}"
        text = (self.secrets / name).read_text().strip()
        return text.replace("redis:6379", f"127.0.0.1:{self.port}")

    def client(self, kind: str | None = None) -> redis.Redis:
        """The same, as a client."""
        return redis.Redis.from_url(self.url(kind))

    def only(self, kind: str) -> dict[str, str]:
        """The settings of a worker of one kind: that, and no database."""
        return {"CRUCIBLE_BROKER_URL": self.url(kind), "CRUCIBLE_DATABASE_URL": ""}

    def run(self, script: str, kind: str | None = None) -> str:
        """What a Python with these rights says."""
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={
                **self.crucible.environment,
                "CRUCIBLE_BROKER_URL": self.url(kind),
                "PYTHONPATH": python_path(),
            },
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip() + done.stderr.strip()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    secrets = tmp_path / "secrets"
    script = ROOT / "infra/docker/make-secrets.sh"
    subprocess.run(["sh", script, secrets], check=True, capture_output=True)
    try:
        with services.redis_server(tmp_path, secrets / "redis_users") as server:
            crucible = at_home(tmp_path)
            found = Guarded(crucible, secrets, server.port)
            crucible.environment["CRUCIBLE_BROKER_URL"] = found.url()
            crucible.environment["CRUCIBLE_DATABASE_URL"] = f"sqlite:///{tmp_path / 'runs.db'}"
            yield found
    except services.ServiceMissing as error:
        pytest.skip(str(error))


_FORGE = """
from crucible_tasks.completion import Completion, Form
from crucible_tasks.control import STORE_COMPLETIONS, STORE_VERDICTS
from crucible_tasks.evaluation import Evaluation, Judgement
from crucible_tasks.generation import Generation
from crucible_tasks.planning import grader_label
from crucible_tasks.sending import send
from crucible_tasks.verdict import Outcome, Verdict

run, task = {run!r}, "HumanEval/0"
completion = Completion(0, Form.SOLUTION, "forged")
send(STORE_COMPLETIONS.signature(Generation(run, task, (completion,), indices=(0,), attempt=0)))
verdict = Judgement(0, Verdict(Outcome.FAILED, "forged"), "whole", None)
found = Evaluation(run, task, grader_label(), (verdict,), indices=(0,), attempt=0)
send(STORE_VERDICTS.signature(found))
"""


def test_a_benchmark_runs_on_workers_that_may_do_no_more_and_forgeries_change_nothing(
    guarded: Guarded,
) -> None:
    crucible = guarded.crucible
    # before any controller has declared a queue
    with (
        working(crucible, "--queues", "evaluation", **guarded.only("evaluation")) as judging,
        working(crucible, "--queues", "generation", **guarded.only("generation")) as sampling,
        working(crucible, "--queues", "controller") as controller,
    ):
        said = crucible("benchmark", "-m", "reference", "--limit", "3", "--json")
        assert said.code == 0, said.err
        assert guarded.run("import probe; probe.main('41')") == "42"
        before = crucible("runs", "show", "latest", "--json").out
        run_id = json.loads(before)["run"]
        for kind in KINDS:
            guarded.run(_FORGE.format(run=run_id), kind)
        refused = "answer_refused"
        assert until(lambda: sum(refused in line for line in controller.lines) == 4)
        assert crucible("runs", "show", "latest", "--json").out == before
        assert [worker.end() for worker in (judging, sampling, controller)] == [0, 0, 0]
    for worker in (judging, sampling):
        assert not any("permission" in line.lower() for line in worker.lines), worker.lines
    with guarded.client() as client:
        assert client.keys("crucible.*") == []
        # what they tried and Redis refused: to bind queues, which whoever sends to them does
        tried = {entry["object"] for entry in client.acl_log()}
    assert all(name.startswith("_kombu.binding") for name in tried)


FORBIDDEN = {
    "read answers": "LRANGE controller 0 -1",
    "take answers": "RPOP controller",
    "wait for answers": "BRPOP controller 1",
    "drop answers": "DEL controller",
    "read answers in a script": "EVAL redis.call('LRANGE',KEYS[1],0,-1) 1 controller",
    "read another queue": "LRANGE {other} 0 -1",
    "take from another queue": "BRPOP {other} 1",
    "send to another queue": "LPUSH {other} x",
    "send to another queue in a script": "EVAL redis.call('LPUSH','{other}','x') 0",
    "turn its queue into another": "RENAME {own} {other}",
    "read what others hold": "HGETALL crucible.held.{other}.member",
    "change what others hold": "HSET crucible.held.{other}.member tag x",
    "strike others off the roster": "SREM crucible.workers.{other} member",
    "bind queues": "SADD _kombu.binding.controller {own}",
    "tell workers to end": "PUBLISH /0.celery.pidbox x",
    "listen to everything": "PSUBSCRIBE *",
    "watch everything": "MONITOR",
    "list keys": "KEYS *",
    "walk through keys": "SCAN 0",
    "configure": "CONFIG GET requirepass",
    "forget everything": "FLUSHALL",
    "end the server": "SHUTDOWN",
    "see users": "ACL LIST",
    "copy the server": "REPLICAOF 127.0.0.1 1",
}


@pytest.mark.parametrize("own", OTHERS)
def test_nothing_of_anybody_else_can_be_read_or_written(guarded: Guarded, own: str) -> None:
    other = OTHERS[own]
    allowed = []
    with guarded.client(own) as client:
        for name, words in FORBIDDEN.items():
            command = words.format(own=own, other=other).split(" ")
            try:
                client.execute_command(*command)
            except NoPermissionError:
                continue
            except redis.ResponseError as error:
                # a script tells whose error it was in its own words
                if "permission" in str(error):
                    continue
            allowed.append(name)
        assert allowed == []
        assert client.lpush("controller", "an answer") == 1
        client.lpush(own, "handed back")
        assert client.brpop(own, 1) == (own.encode(), b"handed back")


#: a worker's Python, where trainings are scripted
SCRIPTED = f"""
import sys
from crucible_workers import fine_tune
fine_tune.TRAINER = (sys.executable, {str(TESTS / "scripted_trainer.py")!r}, "0", "well")
"""


def test_a_model_is_trained_by_a_worker_that_may_do_no_more(
    guarded: Guarded, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("length", "width"):
        (tree / f"{name}.py").write_text(f"def {name}(one):\n    return one['{name}'] * 2\n" * 9)
    words = ("--model", "nano", "--directory", str(tree), "--new-model-name", "mine", "--no-proof")
    own = guarded.only("fine_tune")
    with (
        working(guarded.crucible, "--queues", "fine_tune", loading=SCRIPTED, **own) as training,
        working(guarded.crucible, "--queues", "controller"),
    ):
        said = guarded.crucible("fine-tune", *words)
        assert said.code == 0, said.err + "\n".join(training.lines)
        assert training.end() == 0
    assert not any("permission" in line.lower() for line in training.lines), training.lines


def test_only_those_who_judge_know_the_shared_verdicts(guarded: Guarded) -> None:
    with guarded.client("evaluation") as client:
        assert client.hgetall("crucible:verdicts:young") == {}
    with guarded.client("generation") as client, pytest.raises(NoPermissionError):
        client.hset("crucible:verdicts:young", "key", "a lie")


def test_the_tasks_of_a_dead_worker_come_back_by_the_rights_of_its_kind(
    guarded: Guarded, tmp_path: Path
) -> None:
    marks = Marks(guarded.crucible, tmp_path / "marks")
    words = ("--queues", "evaluation")
    own = guarded.only("evaluation")
    with working(guarded.crucible, *words, loading=IMPATIENT, **own) as lost:
        marks.send("first")
        assert until(marks.left)
        process = int(marks.left()[0].split()[1])
        marks.send("second=2")
        with guarded.client() as client:
            assert until(lambda: client.keys("crucible.starts.*"))
            client.sadd("crucible.workers.generation", "generation.gone")
        # all of it at once, as a power cut does
        lost.child.kill()
        os.kill(process, signal.SIGKILL)
        with working(guarded.crucible, *words, loading=IMPATIENT, **own) as other:
            assert until(lambda: marks.texts() == ["first", "second"], 30), other.lines
            assert sum("worker_gone" in line for line in other.lines) == 1
            assert not any("permission" in line.lower() for line in other.lines)


def test_a_worker_of_another_kind_is_told_whose_user_it_has(guarded: Guarded) -> None:
    words = ("worker", "--queues", "generation", "--member", "alone")
    said = guarded.crucible(*words, **guarded.only("evaluation"))
    assert said.code == 1
    assert "redis://evaluation:***@127.0.0.1" in said.err
    assert "does not let this user serve generation" in said.err
    assert "infra/deployment.md" in said.err
    assert "Traceback" not in said.err


_HAND_BACK = """
from crucible_infra import log
from crucible_tasks import holdings
log.configure()
print(holdings.hand_back("evaluation.gone"))
"""


def test_nothing_is_smuggled_into_another_queue_by_way_of_what_a_worker_held(
    guarded: Guarded,
) -> None:
    for exchange, queue in (("", "generation"), ("", "evaluation"), ("", "generation.of-a-model")):
        message = {"headers": {}, "properties": {"delivery_info": {}, "priority": 0}}
        with guarded.client("evaluation") as client:
            held = json.dumps([message, exchange, queue])
            client.hset("crucible.held.evaluation.gone", f"tag-{queue}", held)
    said = guarded.run(_HAND_BACK)
    with guarded.client() as client:
        assert client.llen("generation") == client.llen("generation.of-a-model") == 0
        assert client.llen("evaluation") == 1
        assert client.keys("crucible.held.*") == []
    assert said.count("message_refused") == 2
