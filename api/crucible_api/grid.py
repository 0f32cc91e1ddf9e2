"""The grid: every completion of a run as one letter, a challenge a row.

It is read in one query and kept as one string a row, so that 32,800 cells are 33 kB and take no
more objects than there are challenges.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from crucible_api import standing
from crucible_api.reports import RunInfo
from crucible_api.runs import Runs
from crucible_infra.database.attempts import given_up_stages
from crucible_infra.database.runs import challenges_of, find_run
from crucible_infra.database.verdicts import outcomes_by_place
from crucible_infra.errors import RunNotFound
from crucible_infra.stage import Stage
from crucible_tasks.verdict import Outcome

#: what stands for an outcome where there is room for one character
LETTERS = {
    Outcome.PASSED: "P",
    Outcome.FAILED: "F",
    Outcome.ERROR: "E",
    Outcome.SYNTAX_ERROR: "S",
    Outcome.NO_CODE: "N",
    Outcome.TIMED_OUT: "T",
    Outcome.OUT_OF_MEMORY: "M",
    Outcome.OUTPUT_LIMIT: "O",
    Outcome.FORBIDDEN: "X",
    Outcome.INFRA_ERROR: "!",
    Outcome.MISSING: "-",
}

_MISSING = LETTERS[Outcome.MISSING]
_PASSED = LETTERS[Outcome.PASSED]


@dataclass(frozen=True, slots=True)
class GridRow:
    """The completions of one challenge."""

    task_id: str
    #: the outcome of each, by its index
    letters: str
    judged: int
    passed: int

    @property
    def rate(self) -> float | None:
        """Share of the judged that passed; None without a verdict."""
        return self.passed / self.judged if self.judged else None


@dataclass(frozen=True, slots=True)
class Grid:
    """Every completion of a run."""

    run: RunInfo
    #: in the dataset's order
    rows: tuple[GridRow, ...]

    @property
    def width(self) -> int:
        """The most completions of any challenge."""
        return max((len(row.letters) for row in self.rows), default=0)

    def count(self, outcome: Outcome) -> int:
        """How many completions ended this way."""
        return sum(row.letters.count(LETTERS[outcome]) for row in self.rows)

    def sorted_by_rate(self) -> Grid:
        """The same, the challenges with the fewest passes first, those without a verdict last."""
        rows = sorted(self.rows, key=lambda row: 2.0 if row.rate is None else row.rate)
        return replace(self, rows=tuple(rows))

    def with_outcome(self, outcome: Outcome) -> Grid:
        """Only the challenges with such a completion."""
        kept = (row for row in self.rows if LETTERS[outcome] in row.letters)
        return replace(self, rows=tuple(kept))


def grid(runs: Runs, run_id: str) -> Grid:
    """Every completion of a run, finished or not. Raises RunNotFound."""
    with runs.database.reading() as connection:
        run = find_run(connection, run_id)
        if run is None:
            raise RunNotFound(f"no run is called {run_id}", hint="crucible runs list")
        challenges = challenges_of(connection, run_id)
        given_up = given_up_stages(connection, run_id)
        letters: dict[str, list[str]] = {}
        for one in challenges:
            is_lost = (one.task_id, Stage.EVALUATION) in given_up
            letter = LETTERS[Outcome.INFRA_ERROR] if is_lost else _MISSING
            letters[one.task_id] = [letter] * one.planned
        letter_of = {str(outcome): letter for outcome, letter in LETTERS.items()}
        for task_id, index, outcome in outcomes_by_place(connection, run):
            letters[task_id][index] = letter_of[outcome]
        info = standing.run_info(run, len(challenges))
    return Grid(info, tuple(_row(one.task_id, "".join(letters[one.task_id])) for one in challenges))


def _row(task_id: str, letters: str) -> GridRow:
    judged = len(letters) - letters.count(_MISSING) - letters.count(LETTERS[Outcome.INFRA_ERROR])
    return GridRow(task_id, letters, judged, letters.count(_PASSED))
