"""Waiting for a server that is away: as often as said, for the problems said, and logged."""

from __future__ import annotations

import pytest

from crucible_infra.errors import CrucibleError, DatabaseUnavailable, DiskFull
from crucible_infra.patience import patiently


class Failing:
    """Fails so often, and then does not."""

    def __init__(self, problem: type[CrucibleError], times: int) -> None:
        self.problem = problem
        self.left = times

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise self.problem
        return "done"


def test_a_short_absence_is_waited_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    action = Failing(DatabaseUnavailable, 2)

    assert patiently(action, (0.0, 0.0, 0.0), (DatabaseUnavailable,), "database_away") == "done"
    assert [record.message for record in caplog.records] == ["database_away"] * 2


def test_the_problem_is_raised_when_the_waits_are_over() -> None:
    action = Failing(DatabaseUnavailable, 3)

    with pytest.raises(DatabaseUnavailable):
        patiently(action, (0.0, 0.0), (DatabaseUnavailable,), "database_away")


def test_another_problem_is_not_waited_for() -> None:
    action = Failing(DiskFull, 1)

    with pytest.raises(DiskFull):
        patiently(action, (0.0, 0.0), (DatabaseUnavailable,), "database_away")
    assert action.left == 0
