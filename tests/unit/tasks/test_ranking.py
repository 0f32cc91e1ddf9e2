from __future__ import annotations

import random

import pytest

from crucible_tasks import ranking
from crucible_tasks.comparison import Finding, compare
from crucible_tasks.ranking import is_worse, ranks
from crucible_tasks.scores import Counts


def _counts(rng: random.Random, challenges: int, n: int, skill: float) -> list[Counts]:
    rates = [min(1.0, skill * 2 * rng.random()) for _ in range(challenges)]
    passed = [sum(rng.random() < rate for _ in range(n)) for rate in rates]
    return [Counts(f"t/{place}", n, count) for place, count in enumerate(passed)]


def test_who_cannot_be_told_from_the_first_of_a_rank_shares_it() -> None:
    told = {("a", "c"), ("c", "e")}
    # d is told from a, but is compared with c, the first of its rank
    assert ranks("abcde", lambda first, other: (first, other) in told) == [1, 1, 3, 3, 5]


def test_nobody_is_ranked_where_there_is_nobody() -> None:
    assert ranks("", lambda _first, _other: True) == []


@pytest.mark.parametrize("n", [1, 4])
def test_a_glance_says_what_the_comparison_says(n: int) -> None:
    rng = random.Random(3)
    for skill in (0.5, 0.42, 0.3, 0.1):
        a, b = (_counts(rng, 60, n, one) for one in (0.5, skill))
        assert is_worse(a, b, 1) is (compare(a, b, 1).verdict is Finding.WORSE)


def test_what_is_plain_to_see_takes_no_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(3)
    good, bad = (_counts(rng, 164, 10, skill) for skill in (0.6, 0.2))
    monkeypatch.delattr(ranking, "compare")
    assert is_worse(good, bad, 1)
    assert not is_worse(good, good, 1)


def test_runs_of_other_challenges_are_left_to_the_comparison() -> None:
    a = [Counts("t/1", 2, 2), Counts("t/2", 2, 2)]
    assert not is_worse(a, [Counts("t/3", 2, 0)], 1)
    assert not is_worse(a, a, 5)
