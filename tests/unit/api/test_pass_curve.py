"""pass@k curves against every choice of k completions, counted one by one."""

from __future__ import annotations

from itertools import combinations
from statistics import mean

import pytest

from crucible_api.page.plots.pass_curves import pass_curves
from crucible_api.pass_curve import pass_curve
from crucible_tasks.scores import Counts

COUNTS = (Counts("a", 6, 0), Counts("b", 6, 1), Counts("c", 6, 4), Counts("d", 7, 7))


def _share_with_a_pass(n: int, c: int, k: int) -> float:
    completions = [True] * c + [False] * (n - c)
    return mean(any(chosen) for chosen in combinations(completions, k))


def test_a_curve_is_what_counting_every_choice_gives() -> None:
    curve = pass_curve("x", COUNTS)
    assert [one.k for one in curve.scores] == [1, 2, 3, 4, 5, 6]
    for one in curve.scores:
        counted = mean(_share_with_a_pass(each.n, each.c, one.k) for each in COUNTS)
        assert one.value == pytest.approx(counted)
        assert one.low <= one.value <= one.high


def test_a_challenge_without_a_verdict_leaves_no_curve_and_a_reason() -> None:
    curve = pass_curve("x", (*COUNTS, Counts("e", 0, 0)))
    assert curve.scores == ()
    assert curve.reason == "1 of 5 challenges has no completion: e"
    assert pass_curves([curve]) is None


def test_the_figure_and_its_table_say_the_same_numbers() -> None:
    figure = pass_curves([pass_curve("x", COUNTS), pass_curve("y", COUNTS[1:])])
    assert figure is not None
    lines = [trace for trace in figure.data if "name" in trace]
    assert [trace["name"] for trace in lines] == ["x", "y"]
    assert figure.table.columns == ("k", "x", "y")
    for place, trace in enumerate(lines, start=1):
        assert [row[place] for row in figure.table.rows] == trace["customdata"]
        assert trace["customdata"][0].startswith(f"{trace['y'][0]:.1f} %")
    assert lines[0]["line"]["dash"] != lines[1]["line"]["dash"]
