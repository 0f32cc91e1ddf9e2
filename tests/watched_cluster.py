"""A cluster with passwords everywhere, a Flower and a scrape, and what all of them showed."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from commandline import Crucible, at_home
from crucible_tasks.challenges import open_dataset, select
from model_server import ModelServer, OpenAi, Reply, competent
from services import RedisServer, free_port

#: challenges asked; the request for one of them is refused by the model's server
ASKED = 4

#: with what JSON writes in another way
BROKER_PASSWORD = 'red1s"secret'
DATABASE_PASSWORD = "p0stgres\\secret"
API_KEY = "sk-model-secret"

#: a slow machine under load, in seconds
_PATIENCE = 40.0

#: the processes of `crucible worker`
QUEUES = ("controller", "evaluation", "generation")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a page answered."""

    status: int
    text: str


@dataclass(slots=True)
class Told:
    """A process and the lines it writes to stderr, read as they come so that it never waits."""

    child: subprocess.Popen[bytes]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    _reader: threading.Thread = field(init=False)

    def end(self) -> int:
        """Ask it to stop; its exit code."""
        self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(_PATIENCE)
        self._reader.join()
        assert self.child.stdout is not None
        assert self.child.stderr is not None
        self.child.stdout.close()
        self.child.stderr.close()
        return code

    def _read(self) -> None:
        assert self.child.stderr is not None
        for line in self.child.stderr:
            self.lines.append(line.decode().rstrip("\n"))


@dataclass(slots=True)
class FlowerProcess:
    """A running `crucible flower` and how to ask it."""

    told: Told
    home: Path
    port: int

    def get(self, path: str, login: str | None = None) -> Answer:
        """Ask with this NAME:PASSWORD, by default the generated one; "" asks without any."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        login = self.login if login is None else login
        if login:
            word = base64.b64encode(login.encode()).decode()
            request.add_header("Authorization", f"Basic {word}")
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as reply:
                return Answer(reply.status, reply.read().decode())
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, refused.read().decode())

    @property
    def login(self) -> str:
        return (self.home / "flower" / "basic-auth").read_text().strip()

    def tasks(self) -> dict[str, dict[str, Any]]:
        """Every task it knows, by its id."""
        found: dict[str, dict[str, Any]] = json.loads(self.get("/api/tasks?limit=1000").text)
        return found

    def pages(self) -> dict[str, str]:
        """What a person looks at."""
        worker = next(iter(self.tasks().values()))["worker"]
        paths = ["/", "/tasks", "/broker", f"/worker/{urllib.parse.quote(worker)}"]
        return {path: self.get(path).text for path in paths}


@dataclass(slots=True)
class Seen:
    """Everything that was to be seen of one benchmark."""

    run_id: str = ""
    #: Flower's, before and after it was started again
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks_kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    #: where other programs of the host could read a password of Flower's
    public: str = ""
    login: str = ""
    scraped: tuple[Metric, ...] = ()
    flower_lines: list[str] = field(default_factory=list)
    worker_lines: list[str] = field(default_factory=list)


def watch(directory: Path, server: RedisServer, database_url: str) -> Seen:
    """Run a benchmark on workers of one host, with Flower and a scrape looking on."""
    seen = Seen()
    # there before the workers, which look every ten seconds
    with _model_server() as model_server:
        _run(_home(directory, server, database_url, model_server), seen)
    return seen


def _home(
    directory: Path, server: RedisServer, database_url: str, model_server: ModelServer
) -> Crucible:
    with redis.Redis.from_url(server.url) as client:
        client.config_set("requirepass", BROKER_PASSWORD)
    crucible = at_home(
        directory,
        CRUCIBLE_BROKER_URL=server.url.replace("//", f"//:{_quoted(BROKER_PASSWORD)}@"),
        CRUCIBLE_DATABASE_URL=database_url,
        CRUCIBLE_METRICS_PORT=str(free_port()),
        CRUCIBLE_LOG_FORMAT="json",
        CRUCIBLE_DEBUG="1",
        OPENAI_API_KEY=API_KEY,
        OPENAI_BASE_URL=f"{model_server.url}/v1",
    )
    upgraded = crucible("db", "upgrade")
    assert upgraded.code == 0, upgraded.err
    return crucible


def _run(crucible: Crucible, seen: Seen) -> None:
    worker = Told(crucible.start("worker", "--concurrency", "1"))
    try:
        with _flower(crucible, seen) as flower:
            until(lambda: flower.get("/metrics").text.count("flower_worker_online{") == len(QUEUES))
            _benchmark(crucible, seen)
            _look(flower, seen)
        port = int(crucible.environment["CRUCIBLE_METRICS_PORT"])
        seen.scraped = tuple(_scrape(port))
        with _flower(crucible, seen) as again:
            seen.tasks_kept = again.tasks()
    finally:
        worker.end()
    seen.worker_lines = worker.lines


def until(is_so: Callable[[], bool]) -> None:
    """Wait for it, for a while."""
    deadline = time.monotonic() + _PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@contextmanager
def _flower(crucible: Crucible, seen: Seen) -> Iterator[FlowerProcess]:
    told = Told(crucible.start("flower", "--port", "0", "--address", "0.0.0.0"))
    try:
        until(lambda: any(" on http://" in line for line in told.lines))
        (place,) = [line for line in told.lines if " on http://" in line]
        yield FlowerProcess(told, crucible.home, int(place.rpartition(":")[2].strip("/")))
    finally:
        code = told.end()
        seen.flower_lines += told.lines
    assert code == 0


@contextmanager
def _model_server() -> Iterator[ModelServer]:
    challenges = select(open_dataset("humaneval"), limit=ASKED).challenges
    answers = {one.prompt.strip(): f"```python\n{one.reference}\n```" for one in challenges}
    refusal = Reply({"error": {"message": "no", "code": 400}}, 400)
    behaviour = OpenAi(competent(answers), ("coder",), faults=deque([refusal]))
    with ModelServer(behaviour) as server:
        yield server


def _benchmark(crucible: Crucible, seen: Seen) -> None:
    model = f"openai:{crucible.environment['OPENAI_BASE_URL']}#coder"
    said = crucible("benchmark", "-m", model, "--limit", str(ASKED), "--json")
    # incomplete, for the refused one
    assert said.code == 4, said.err
    seen.run_id = json.loads(said.out)["run"]


def _look(flower: FlowerProcess, seen: Seen) -> None:
    wanted = {"crucible.generate": ASKED, "crucible.evaluate": ASKED - 1}

    def has_all() -> bool:
        ended = [one["name"] for one in flower.tasks().values() if one["state"] == "SUCCESS"]
        return all(ended.count(name) >= count for name, count in wanted.items())

    until(has_all)
    seen.tasks = flower.tasks()
    seen.pages = flower.pages()
    seen.login = flower.login
    for path in ("/", "/tasks", "/api/tasks", "/broker"):
        for login in ("", "crucible:guessed"):
            seen.refused[f"{path} as {login!r}"] = flower.get(path, login).status
    place = Path(f"/proc/{flower.told.child.pid}")
    seen.public = (place / "cmdline").read_text() + (place / "environ").read_text()


def _scrape(first_port: int) -> Iterator[Metric]:
    """What all workers of the host serve: their ports follow one another but for taken ones."""
    found = 0
    for port in range(first_port, first_port + 8):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
                text = reply.read().decode()
        except OSError:
            continue
        if "crucible_worker_info" in text:
            found += 1
            yield from text_string_to_metric_families(text)
    assert found == len(QUEUES)


def _quoted(password: str) -> str:
    return urllib.parse.quote(password, safe="")
