"""The compose file's own commands, health checks and variables, as processes without an engine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx
import pytest
import sqlalchemy

import services as servers
from commandline import PROGRAM, Crucible, Said, at_home
from compose_file import services
from source_tree import ROOT

#: of a slow machine: until a service is as healthy as its check wants it
HEALTHY_SECONDS = 100.0

WORKERS = ("controller", "worker-generation", "worker-evaluation")


@dataclass(frozen=True, slots=True)
class Stack:
    """A folder that stands for the containers' file systems, and the processes in it."""

    folder: Path
    #: what a name of the file means here; containers have addresses and roots of their own
    places: dict[str, str]
    #: the port of each service of ours, instead of the same one in each container
    ports: dict[str, str]
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def adapted(self, service: str, text: str) -> str:
        """The same, with this machine's places and ports in it."""
        if service in self.ports:
            usual = "5555" if service == "flower" else "9464"
            text = text.replace(usual, self.ports[service])
        for name, place in self.places.items():
            text = text.replace(name, place)
        return text

    def crucible(self, service: str) -> Crucible:
        """Our program with the variables of this service."""
        given = services()[service].get("environment", {})
        home = self.folder / service
        home.mkdir(exist_ok=True)
        return at_home(
            home, **{name: self.adapted(service, str(value)) for name, value in given.items()}
        )

    def start(self, service: str) -> None:
        """Start one of ours as its container would."""
        crucible = self.crucible(service)
        words = [self.adapted(service, word) for word in services()[service]["command"]]
        self._keep(service, [*PROGRAM, *words], crucible.environment, crucible.home)

    def start_redis(self) -> None:
        """Start Redis through the file's own shell lines."""
        words = [self.adapted("redis", word) for word in services()["redis"]["command"]]
        self._keep("redis", words, self._with_redis_tools(), self.folder)

    def check(self, service: str, seconds: float = 20.0) -> bool:
        """What the health check of this service says."""
        kind, *words = services()[service]["healthcheck"]["test"]
        adapted = [self.adapted(service, word) for word in words]
        command = ["sh", "-c", *adapted] if kind == "CMD-SHELL" else adapted
        try:
            asked = subprocess.run(
                command,
                env=self._with_redis_tools(),
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return asked.returncode == 0

    def wait_until_healthy(self, service: str) -> None:
        """Or fail with what it said."""
        deadline = time.monotonic() + HEALTHY_SECONDS
        while not self.check(service):
            assert self.children[service].poll() is None, self.log(service)
            assert time.monotonic() < deadline, self.log(service)
            time.sleep(0.1)

    def log(self, service: str) -> str:
        """What it has said so far."""
        return (self.folder / f"{service}.log").read_text()

    def _with_redis_tools(self) -> dict[str, str]:
        tools = self.folder / "tools"
        if not tools.is_dir():
            tools.mkdir()
            # whatever it is called here
            (tools / "redis-server").symlink_to(servers.redis_with_users_executable())
        others = Path(servers._redis_executable()).parent
        programs = Path(PROGRAM[0]).parent
        return {"PATH": f"{tools}:{others}:{programs}:{os.environ['PATH']}"}

    def _keep(
        self, service: str, words: list[str], environment: dict[str, str], home: Path
    ) -> None:
        log: IO[bytes]
        with (self.folder / f"{service}.log").open("wb") as log:
            self.children[service] = subprocess.Popen(
                words, env=environment, cwd=home, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )


@contextmanager
def _ended(stack: Stack) -> Iterator[None]:
    """Ends what still runs, whatever happened."""
    try:
        yield
    finally:
        for child in stack.children.values():
            if child.poll() is None:
                child.kill()
            child.wait()


@pytest.fixture
def stack(tmp_path: Path, postgres_database_url: str) -> Iterator[Stack]:
    """Redis and a schema, with the file's passwords; Postgres is the wheel's, on its socket."""
    secrets, redis_port = tmp_path / "secrets", servers.free_port()
    script = ROOT / "infra/docker/make-secrets.sh"
    subprocess.run(["sh", script, secrets], check=True, capture_output=True)
    for name in ("artifacts", "data"):
        (tmp_path / name).mkdir()
    for name in ("broker_url", "broker_url_evaluation", "broker_url_generation"):
        _rewrite(secrets / name, "redis:6379", f"127.0.0.1:{redis_port}")
    (secrets / "database_url").chmod(0o644)
    (secrets / "database_url").write_text(postgres_database_url + "\n")
    places = {
        "/run/secrets": str(secrets),
        "/artifacts": str(tmp_path / "artifacts"),
        "--dir /data": f"--dir {tmp_path / 'data'}",
        "--port 6379": f"--port {redis_port}",
        "redis-cli ping": f"redis-cli -p {redis_port} ping",
        "0.0.0.0": "127.0.0.1",
    }
    ports = {name: str(servers.free_port()) for name in (*WORKERS, "flower")}
    made = Stack(tmp_path, places, ports)
    with _ended(made):
        made.start_redis()
        made.wait_until_healthy("redis")
        upgraded = made.crucible("schema")(*services()["schema"]["command"])
        assert upgraded.code == 0, upgraded.err
        yield made


def _rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.chmod(0o644)
    path.write_text(text.replace(old, new))


def _benchmark(stack: Stack) -> Said:
    return stack.crucible("crucible")("benchmark", "-m", "reference", "--limit", "5")


def test_the_services_of_the_compose_file_benchmark_together(stack: Stack) -> None:
    password = (stack.folder / "secrets" / "redis_password").read_text()
    for name in WORKERS:
        assert not stack.check(name)
        stack.start(name)
    for name in WORKERS:
        stack.wait_until_healthy(name)
    said = _benchmark(stack)

    assert said.code == 0, said.err
    assert "5 of 5 completions judged" in said.err + said.out
    for name in WORKERS:
        stack.children[name].send_signal(signal.SIGTERM)
    codes = {name: stack.children[name].wait(30) for name in WORKERS}
    assert codes == dict.fromkeys(WORKERS, 0)
    assert not any(stack.check(name) for name in WORKERS)
    told = said.out + said.err + "".join(stack.log(name) for name in (*WORKERS, "redis"))
    assert password not in told


def test_flower_is_healthy_and_shows_nothing_without_its_password(stack: Stack) -> None:
    stack.start("flower")
    stack.wait_until_healthy("flower")
    page = f"http://127.0.0.1:{stack.ports['flower']}/workers"
    name, password = (stack.folder / "secrets" / "flower_users").read_text().strip().split(":")

    assert httpx.get(page).status_code == 401
    assert httpx.get(page, auth=(name, password)).status_code == 200
    stack.children["flower"].send_signal(signal.SIGTERM)
    assert stack.children["flower"].wait(30) in (0, 143)
    assert password not in stack.log("flower")


def test_redis_keeps_what_it_has_asks_for_its_password_and_never_forgets_a_task(
    stack: Stack,
) -> None:
    import redis

    url = (stack.folder / "secrets" / "broker_url").read_text().strip()
    with redis.Redis.from_url(url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("maxmemory") == {"maxmemory": str(512 * 2**20)}
        client.lpush("kept", "a task")
    arguments = Path(f"/proc/{stack.children['redis'].pid}/cmdline").read_bytes()
    assert (stack.folder / "secrets" / "redis_password").read_bytes() not in arguments
    stack.children["redis"].kill()
    stack.children["redis"].wait()
    assert not stack.check("redis")

    stack.start_redis()
    stack.wait_until_healthy("redis")
    with redis.Redis.from_url(url) as client:
        assert client.lrange("kept", 0, -1) == [b"a task"]
    stranger = redis.Redis.from_url(url.replace(f":{_password(url)}@", ""))
    with stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def _password(url: str) -> str:
    return str(sqlalchemy.make_url(url).password)
