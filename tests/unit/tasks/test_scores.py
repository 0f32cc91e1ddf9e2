from __future__ import annotations

import math

import pytest

from crucible_tasks.scores import Counts, score


def of(*passes: int, n: int) -> list[Counts]:
    return [Counts(f"HumanEval/{i}", n, c) for i, c in enumerate(passes)]


def test_a_score_is_the_mean_over_challenges_whatever_their_number_of_completions() -> None:
    found = score([Counts("a", 1, 1), Counts("b", 200, 50)], 1)
    assert found.value == 0.625
    assert found.low < 0.625 < found.high
    assert found.challenges == 2
    assert found.reason is None


def test_too_few_completions_are_named_and_never_scored() -> None:
    counts = of(*[5] * 160, n=10) + [Counts(f"HumanEval/{i}", 9, 9) for i in range(160, 164)]
    found = score(counts, 10)
    assert math.isnan(found.value)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.reason == (
        "4 of 164 challenges have fewer than 10 completions: "
        "HumanEval/160, HumanEval/161, HumanEval/162, HumanEval/163"
    )


def test_a_long_list_of_short_challenges_ends_in_an_ellipsis() -> None:
    reason = score(of(*[1] * 8, n=1), 2).reason
    assert reason is not None
    assert reason.endswith("HumanEval/4, …")


def test_one_challenge_without_a_completion_is_said_in_the_singular() -> None:
    found = score([Counts("a", 0, 0), Counts("b", 3, 1)], 1)
    assert found.reason == "1 of 2 challenges has no completion: a"


def test_no_challenge_has_no_score() -> None:
    assert score([], 1).reason == "no challenge has been judged"


@pytest.mark.parametrize(
    ("counts", "k"),
    [
        (of(*[1] * 164, n=1), 1),
        (of(*[0] * 164, n=1), 1),
        (of(*[200] * 164, n=200), 10),
        (of(3, n=10), 1),
        (of(0, n=1), 1),
        (of(*[5] * 40, n=10), 10),
        (of(*[5] * 40, n=10), 1),
    ],
)
def test_degenerate_results_have_an_interval_with_a_width_inside_0_and_1(
    counts: list[Counts], k: int
) -> None:
    found = score(counts, k)
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0
    assert found.high - found.low > 0.005


def test_more_completions_narrow_the_interval_but_not_below_what_challenges_differ() -> None:
    one = score(of(*[1, 0] * 82, n=1), 1)
    ten = score(of(*[7, 3] * 82, n=10), 1)
    clustered = score(of(*[10, 0] * 82, n=10), 1)
    assert ten.high - ten.low < 0.6 * (one.high - one.low)
    assert clustered.high - clustered.low == pytest.approx(one.high - one.low, abs=1e-9)


def test_a_challenge_counted_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        score([Counts("a", 1, 1), Counts("a", 1, 0)], 1)
