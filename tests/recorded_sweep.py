"""A sweep of recorded models and temperatures, and what a database says was found in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy

from commandline import PATIENCE_SECONDS, at_home
from crucible_tasks.challenges import open_dataset, select
from recorded_answers import answers

#: what a verdict says of a program; where and how long it was judged may differ
_VERDICT = 'task_id, "index", outcome, detail, mode, program_digest'

Found = dict[tuple[str, float], "Run"]


@dataclass(frozen=True, slots=True)
class Run:
    """What a run found, without what depends on host and time."""

    state: str
    verdicts: tuple[Any, ...]
    scores: tuple[Any, ...]
    completions: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class RecordedSweep:
    """Models that are files, times temperatures, on the first challenges of HumanEval."""

    directory: Path
    models: int = 2
    temperatures: tuple[float, ...] = (0.2, 0.8)
    challenges: int = 10
    n: int = 10
    #: every answer sleeps so long when it is judged: a fault must find something under way
    nap_seconds: float = 0.0

    @property
    def size(self) -> int:
        """Completions of all its runs."""
        return self.models * len(self.temperatures) * self.challenges * self.n

    def record(self) -> None:
        """Write the models, each of which errs elsewhere."""
        chosen = select(open_dataset("humaneval"), limit=self.challenges)
        for model in range(self.models):
            with self._file(model).open("w") as file:
                for position, challenge in enumerate(chosen.challenges):
                    for text in answers(challenge, position + model, self.n):
                        late = f"import time\ntime.sleep({self.nap_seconds})\n"
                        told = f"{text}# model {model}\n{late if self.nap_seconds else ''}"
                        row = {"task_id": challenge.task_id, "completion": told}
                        file.write(f"{json.dumps(row)}\n")

    def words(self) -> list[str]:
        """What to ask `crucible` for."""
        models = [w for model in range(self.models) for w in ("-m", f"replay:{self._file(model)}")]
        degrees = [w for degree in self.temperatures for w in ("--temperature", str(degree))]
        size = f"-n {self.n} --limit {self.challenges} -k 1,2 --seed 3".split()
        return ["benchmark", *models, *degrees, *size]

    def undisturbed(self) -> Found:
        """What one process finds, with nobody else."""
        home = self.directory / "undisturbed"
        home.mkdir()
        child = at_home(home).start(*self.words())
        try:
            _, err = child.communicate(timeout=PATIENCE_SECONDS)
        finally:
            # after Ctrl-C
            child.kill()
        assert child.returncode == 0, err.decode()
        return found(f"sqlite:///{home / 'crucible.db'}")

    def _file(self, model: int) -> Path:
        return self.directory / f"model{model}.jsonl"


def found(database_url: str, run_ids: Sequence[str] | None = None) -> Found:
    """What these runs found, or all runs, by model and temperature."""
    engine = sqlalchemy.create_engine(database_url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        runs = connection.execute(sqlalchemy.text("SELECT id, state, source, sampling FROM runs"))
        return {
            (Path(source).name, _read(sampling)["temperature"]): _run(connection, run_id, state)
            for run_id, state, source, sampling in runs.fetchall()
            if run_ids is None or run_id in run_ids
        }


def doubled(database_url: str) -> dict[str, int]:
    """Rows that say what another row says, by table."""
    engine = sqlalchemy.create_engine(database_url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        return {
            table: connection.execute(
                sqlalchemy.text(
                    f"SELECT (SELECT count(*) FROM {table}) - (SELECT count(*) FROM "
                    f'(SELECT DISTINCT run_id, task_id, "index" FROM {table}) AS once)'
                )
            ).scalar_one()
            for table in ("completions", "verdicts")
        }


def _run(connection: sqlalchemy.Connection, run_id: str, state: str) -> Run:
    def rows(query: str) -> tuple[Any, ...]:
        rows = connection.execute(sqlalchemy.text(query), {"run": run_id}).fetchall()
        return tuple(sorted(tuple(row) for row in rows))

    scores = "SELECT k, value, low, high, challenges FROM scores WHERE run_id = :run"
    completions = 'SELECT task_id, "index", text, seed FROM completions WHERE run_id = :run'
    verdicts = f"SELECT {_VERDICT} FROM verdicts WHERE run_id = :run"
    return Run(state, rows(verdicts), rows(scores), rows(completions))


def _read(sampling: Any) -> dict[str, Any]:
    # SQLite keeps JSON as text
    return json.loads(sampling) if isinstance(sampling, str) else dict(sampling)
