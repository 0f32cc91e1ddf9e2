"""The Pareto line against asking of every pair whether one beats the other."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from crucible_api.page.plots.costs import SECONDS, TOKENS, cost_figures, costs
from crucible_api.quality_cost import CostPoint, pareto
from crucible_tasks.scores import Score

FEW = st.integers(min_value=0, max_value=5)


def _point(value: int, tokens: int | None, name: str = "x") -> CostPoint:
    return CostPoint(name, name, Score(1, value / 10, 0.0, 1.0, 10), tokens, None)


def _is_beaten(one: CostPoint, by: CostPoint) -> bool:
    mine, other = (one.tokens, -one.score.value), (by.tokens, -by.score.value)
    return other != mine and all(b <= a for a, b in zip(mine, other, strict=True))


@given(st.lists(st.tuples(FEW, FEW)))
def test_the_line_holds_whoever_is_beaten_by_nobody(pairs: list[tuple[int, int]]) -> None:
    points = [_point(value, tokens, str(at)) for at, (value, tokens) in enumerate(pairs)]
    unbeaten = {one.run_id for one in points if not any(_is_beaten(one, by) for by in points)}
    found = pareto(points, TOKENS.cost)
    assert {one.run_id for one in found} == unbeaten
    assert len(found) == len(unbeaten)


def test_a_run_whose_cost_nobody_told_is_left_out_and_said_so() -> None:
    points = [_point(3, 100), _point(5, None)]
    figure = costs(points, TOKENS)
    assert figure is not None
    assert figure.note == "1 run is left out: no server told its tokens"
    assert figure.table.rows == (("x", "30.0 % [0.0, 100.0]", "100", "yes"),)
    assert costs(points, SECONDS) is None


def test_energy_has_a_line_of_its_own_where_it_is_known() -> None:
    points = [
        replace(_point(value, 100, name), joules=joules)
        for name, value, joules in (
            ("a", 3, 40.0),
            ("b", 5, 250.0),
            ("c", 4, 300.0),
            ("d", 6, None),
        )
    ]
    *_, figure = cost_figures(points, "costs", "starter")
    assert (figure.name, figure.note) == (
        "costs-energy",
        "1 run is left out: no GPU told its energy",
    )
    assert [row[2:] for row in figure.table.rows] == [("40", "yes"), ("250", "yes"), ("300", "no")]
    names = [one.name for one in cost_figures([points[0], points[3]], "costs", "starter")]
    assert names == ["costs-tokens"]
