"""A cluster of real workers over Redis and Postgres; whoever tests it adds those that judge."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commandline import PATIENCE_SECONDS, Crucible, at_home

TESTS = Path(__file__).resolve().parent

#: the program, where nothing is wrong with it
WELL = (sys.executable, "-m", "crucible_api")


@dataclass(frozen=True)
class Cluster:
    """A Redis, a Postgres, and workers of one queue each."""

    crucible: Crucible

    @contextmanager
    def worker(self, name: str, program: Sequence[str], queue: str, **extra: str) -> Iterator[Path]:
        """A worker that ends cleanly when asked to; gives the path of its log."""
        log = self.crucible.home / f"{name}.log"
        with log.open("wb") as file:
            child = subprocess.Popen(
                # the process itself rather than its supervisor, which would start a healthy one
                [*program, "worker", "--queues", queue, "--member", name],
                env={**with_tests(self.crucible), **extra},
                cwd=self.crucible.home,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
            try:
                yield log
                child.send_signal(signal.SIGTERM)
                assert child.wait(PATIENCE_SECONDS) == 0, log.read_text()
            finally:
                child.kill()
                child.wait()
        assert "Traceback" not in log.read_text()


@contextmanager
def open_cluster(home: Path, redis_url: str, database_url: str) -> Iterator[Cluster]:
    """A cluster that samples and stores, but does not judge."""
    crucible = new_home(home, CRUCIBLE_BROKER_URL=redis_url, CRUCIBLE_DATABASE_URL=database_url)
    upgraded = crucible("db", "upgrade")
    assert upgraded.code == 0, upgraded.err
    found = Cluster(crucible)
    with (
        found.worker("controller", WELL, "controller"),
        found.worker("generation", WELL, "generation"),
    ):
        yield found


def new_home(home: Path, **extra: str) -> Crucible:
    """The program with an empty directory of its own."""
    home.mkdir()
    return at_home(home, **extra)


def with_tests(crucible: Crucible) -> dict[str, str]:
    paths = [str(TESTS), os.environ.get("PYTHONPATH", "")]
    return {**crucible.environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def sick_program(kind: str, healthy: int) -> list[str]:
    return [sys.executable, str(TESTS / "sick_crucible.py"), kind, str(healthy)]


def verdicts_of(crucible: Crucible) -> list[Any]:
    """Every verdict of the latest run, without what depends on host and time."""
    said = crucible("runs", "show", "latest", "--verdicts", "--json")
    assert said.code == 0, said.err
    rows: list[Any] = json.loads(said.out)["verdicts"]
    for row in rows:
        del row["cpu_seconds"], row["wall_seconds"]
    return rows
