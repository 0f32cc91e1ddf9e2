"""A cluster on hosts that are really separate: stores, workers that are restarted, a door."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import process_table
from clock_shift import Clock
from commandline import PROGRAM, Said
from host_stores import PostgresOnHost, RedisOnHost
from hosts import Host, Network, network
from memory_squeeze import MemoryGroup, memory_group
from services import ServiceMissing

#: a worker that is asked to end has so long, in seconds
_END_SECONDS = 30.0

#: between a worker's death and its next life, as a service manager waits
_RESTART_SECONDS = 1.0

STORE = "store"
DESK = "desk"


@dataclass(slots=True)
class Worker:
    """`crucible worker` on a host, started again whenever it has died."""

    host: Host
    queue: str
    environment: Mapping[str, str]
    log: Path
    threads: int = 1
    child: subprocess.Popen[bytes] | None = None
    _ending: threading.Event = field(default_factory=threading.Event)
    _keeper: threading.Thread | None = None
    #: None where there are no cgroups
    memory: MemoryGroup | None = None
    #: None where there is no C compiler
    clock: Clock | None = None
    #: how often it was started
    lives: int = 0

    @property
    def name(self) -> str:
        return f"{self.host.name}'s {self.queue}"

    def start(self) -> None:
        """Start it, and see to it that it lives."""
        self._begin()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def dismiss(self) -> None:
        """Ask it to end, and start it no more."""
        self._ending.set()
        if self._keeper is not None:
            self._keeper.join()
        self.ask_to_end()

    def wait(self) -> int:
        """Its exit code, that of a kill where it did not end in time; nothing of it is left."""
        assert self.child is not None
        below = process_table.below(self.child.pid)
        try:
            self.child.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            for process in below:
                process_table.kill_if(process.number, process)
        code = self.child.wait()
        if self.memory is not None:
            self.memory.remove()
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal: to its own processes for its death, to all below it for a freeze."""
        own = number is signal.SIGKILL
        for process in self._own() if own else self._everything():
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def ask_to_end(self) -> None:
        """What a service manager sends first; its keeper then starts it again."""
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)

    def _everything(self) -> list[int]:
        if self.child is None or self.child.poll() is not None:
            return []
        below = process_table.below(self.child.pid)
        return [self.child.pid, *(process.number for process in below)]

    def _own(self) -> list[int]:
        """The processes that are this program, and not the prisons it has opened."""
        return [number for number in self._everything() if _runs_crucible(number)]

    def exhaust_memory(self, patience_seconds: float) -> bool:
        """Let the kernel kill it for want of memory; returns whether it did."""
        deadline = time.monotonic() + patience_seconds
        if self.memory is None:
            return False
        victims = self._own()
        try:
            while time.monotonic() < deadline:
                self.memory.squeeze()
                if not all(_runs_crucible(number) for number in victims):
                    return True
                time.sleep(0.02)
            return False
        finally:
            self.memory.relax()

    def _begin(self) -> None:
        words = ["worker", "--queues", self.queue, "--concurrency", str(self.threads)]
        self.lives += 1
        shift = self.clock.environment if self.clock else {}
        with self.log.open("ab") as log:
            self.child = self.host.start(
                [*PROGRAM, *words],
                env={**self.environment, **shift},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if self.memory is not None:
            self.memory.add(self.child.pid)

    def _keep(self) -> None:
        while not self._ending.wait(0.1):
            assert self.child is not None
            if self.child.poll() is not None and not self._ending.wait(_RESTART_SECONDS):
                self._begin()


def _runs_crucible(number: int) -> bool:
    with suppress(OSError):
        # a zombie's is empty
        return b"crucible_api" in Path(f"/proc/{number}/cmdline").read_bytes()
    return False


@dataclass(slots=True)
class Cluster:
    """Everything that runs, and where."""

    directory: Path
    network: Network
    redis: RedisOnHost
    postgres: PostgresOnHost
    workers: list[Worker] = field(default_factory=list)

    def environment(self, name: str) -> dict[str, str]:
        """What every program on this host is told; only the desk gets the database."""
        home = self.directory / name
        home.mkdir(exist_ok=True)
        kept = {word: os.environ[word] for word in ("PATH", "PYTHONPATH") if word in os.environ}
        told = {
            **kept,
            "HOME": str(home),
            "CRUCIBLE_HOME": str(home),
            "CRUCIBLE_BROKER_URL": self.redis.url,
            "CRUCIBLE_ARTIFACTS_URL": str(self.directory / "artifacts"),
        }
        return told | ({"CRUCIBLE_DATABASE_URL": self.postgres.url} if name == DESK else {})

    def door(self, *words: str, patience_seconds: float = 60.0) -> Said:
        """Run a command on the desk to its end."""
        child = self.network.hosts[DESK].start(
            [*PROGRAM, *words],
            env=self.environment(DESK),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            out, err = child.communicate(timeout=patience_seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
        finally:
            # after Ctrl-C
            child.kill()
        return Said(child.returncode, out.decode(), err.decode())

    def add_worker(
        self, host: str, queue: str, threads: int = 1, tree: Path | None = None, **extra: str
    ) -> Worker:
        """Start a worker of this queue on this host, of another checkout where one is named.

        `extra` is what it finds in its environment besides.
        """
        environment = self.environment(host) | extra
        if tree is not None:
            rooms = ("infra", "tasks", "workers", "api")
            environment["PYTHONPATH"] = os.pathsep.join(str(tree / room) for room in rooms)
        worker = Worker(
            self.network.hosts[host],
            queue,
            environment,
            self.directory / f"{host}-{queue}.log",
            threads,
        )
        with suppress(ServiceMissing):
            worker.memory = memory_group()
        with suppress(ServiceMissing):
            worker.clock = Clock.make(self.directory, f"{host}-{queue}")
        worker.start()
        self.workers.append(worker)
        return worker

    def stop_workers(self) -> list[int]:
        """Ask all of them to end, and wait for that; their exit codes."""
        for worker in self.workers:
            worker.dismiss()
        return [worker.wait() for worker in self.workers]


@contextmanager
def cluster(directory: Path, *names: str) -> Iterator[Cluster]:
    """A store and a desk, with hosts of these names beside them, and no worker yet.

    All of it is removed at the end. Raises ServiceMissing.
    """
    # whoever Postgres runs as must be able to get in
    directory.chmod(0o755)
    with ExitStack() as stack:
        made = stack.enter_context(network(STORE, DESK, *names))
        store = made.hosts[STORE]
        redis, postgres = RedisOnHost(store, directory), PostgresOnHost(store, directory)
        stack.callback(postgres.remove)
        postgres.make()
        for server in (redis, postgres):
            stack.callback(server.end)
            server.start()
        found = Cluster(directory, made, redis, postgres)
        stack.callback(found.stop_workers)
        stack.callback(made.heal)
        upgraded = found.door("db", "upgrade")
        assert upgraded.code == 0, upgraded.err
        yield found
