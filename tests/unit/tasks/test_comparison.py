from __future__ import annotations

import math

import numpy as np
import pytest

from crucible_tasks.comparison import BOOTSTRAP, MCNEMAR, Finding, compare
from crucible_tasks.intervals import mean_interval
from crucible_tasks.mcnemar import mcnemar_p_value
from crucible_tasks.scores import Counts


def run(passes: list[int], n: int = 1) -> list[Counts]:
    return [Counts(f"t/{i}", n, c) for i, c in enumerate(passes)]


def discordant(wins: int, losses: int, ties: int) -> tuple[list[Counts], list[Counts]]:
    before = run([0] * wins + [1] * losses + [1] * ties)
    return before, run([1] * wins + [0] * losses + [1] * ties)


def test_a_clear_win_is_better_with_the_exact_p_value_and_every_win_listed() -> None:
    found = compare(*discordant(14, 4, 146))
    assert found.verdict is Finding.BETTER
    assert found.effect == pytest.approx(10 / 164)
    assert found.p_value == mcnemar_p_value(14, 4)
    assert 0 < found.low < found.effect < found.high
    assert found.method == MCNEMAR
    assert found.wins == tuple(f"t/{i}" for i in range(14))
    assert found.losses == ("t/14", "t/15", "t/16", "t/17")
    assert len(found.ties) == 146
    assert found.sentence == (
        "B is better: pass@1 of B is 6.1 points higher than of A "
        "(95 % interval +1.1 to +11.8, p = 0.031, exact McNemar test; "
        "14 better, 4 worse, 146 the same of 164)"
    )


def test_swapping_the_runs_mirrors_everything() -> None:
    a, b = discordant(14, 4, 146)
    forward, backward = compare(a, b), compare(b, a)
    assert backward.verdict is Finding.WORSE
    assert backward.effect == -forward.effect
    assert backward.low == pytest.approx(-forward.high)
    assert (backward.wins, backward.losses) == (forward.losses, forward.wins)


def test_five_wins_and_no_loss_cannot_tell_and_the_interval_reaches_zero() -> None:
    found = compare(*discordant(5, 0, 159))
    assert found.p_value == 0.0625
    assert found.verdict is Finding.CANNOT_TELL
    assert found.low == 0.0
    assert found.more_challenges is not None
    assert found.more_challenges > 50
    assert f"about {found.more_challenges} more challenges" in found.sentence


def test_the_exact_test_never_finds_what_the_interval_denies() -> None:
    for wins in range(31):
        for losses in range(wins):
            differences = [1.0] * wins + [-1.0] * losses
            if mcnemar_p_value(wins, losses) < 0.05:
                assert mean_interval(differences, lowest=-1.0).low > 0


def test_identical_runs_say_what_difference_is_ruled_out() -> None:
    for n in (1, 10):
        found = compare(run([0, n] * 82, n), run([0, n] * 82, n))
        assert found.is_identical
        assert found.verdict is Finding.CANNOT_TELL
        assert (found.effect, found.p_value, found.more_challenges) == (0.0, 1.0, None)
        assert found.low < 0 < found.high
        assert found.sentence == (
            "cannot tell: A and B did the same on all 164 challenges; "
            "a true difference of more than 2.3 points is unlikely"
        )


def test_an_effect_of_zero_promises_no_number_of_challenges() -> None:
    found = compare(*discordant(8, 8, 148))
    assert found.more_challenges is None
    assert "no number of challenges shows a difference of 0" in found.sentence
    assert "same pass@1" in found.sentence


def test_a_tiny_effect_says_more_than_anyone_would_run() -> None:
    found = compare(run([100, 50] * 400 + [51], 100), run([50, 100] * 400 + [52], 100))
    assert found.more_challenges is not None
    assert "needs more than 100,000 more challenges" in found.sentence


def test_several_completions_use_the_bootstrap_and_repeat_exactly() -> None:
    a, b = run([2, 3, 5, 0, 7, 1] * 10, 10), run([5, 4, 8, 1, 7, 3] * 10, 10)
    found = compare(a, b)
    assert found.method == BOOTSTRAP
    assert found == compare(a, b)
    assert found.verdict is Finding.BETTER
    assert found.low < found.effect < found.high
    assert len(found.ties) == 10


def test_one_more_lucky_challenge_of_one_is_no_proof() -> None:
    found = compare([Counts("t/0", 10, 2)], [Counts("t/0", 10, 9)])
    assert found.verdict is Finding.CANNOT_TELL
    assert found.low <= 0


def test_only_shared_challenges_are_compared_and_the_others_are_named() -> None:
    a = [Counts("x", 1, 1), Counts("y", 1, 0)]
    b = [Counts("z", 1, 1), Counts("y", 1, 1)]
    found = compare(a, b)
    assert (found.only_a, found.only_b, found.wins) == (("x",), ("z",), ("y",))
    assert found.challenges == 1


def test_what_cannot_be_compared_says_why() -> None:
    nothing = compare([Counts("x", 1, 1)], [Counts("y", 1, 1)])
    assert nothing.sentence == "cannot tell: the runs have no challenge in common"
    assert math.isnan(nothing.effect)
    short = compare(run([1, 1], 10), run([1, 1], 1), k=5)
    assert short.verdict is Finding.CANNOT_TELL
    assert short.reason == (
        "of the second run, 2 of 2 challenges have fewer than 5 completions: t/0, t/1"
    )


def test_a_run_that_counts_a_challenge_twice_is_refused() -> None:
    twice = [Counts("x", 1, 1), Counts("x", 1, 0)]
    with pytest.raises(ValueError, match="twice"):
        compare([Counts("x", 1, 1)], twice)


def test_the_sentence_can_name_the_runs() -> None:
    words = compare(*discordant(14, 4, 146)).describe("base", "tuned")
    assert words.startswith("tuned is better: pass@1 of tuned is 6.1 points higher than of base")


def test_equally_good_models_get_a_verdict_in_at_most_6_of_100_comparisons() -> None:
    generator = np.random.default_rng(5)
    rates = generator.beta(0.5, 0.5, (600, 100))
    before, after = (generator.binomial(1, rates).tolist() for _ in range(2))
    verdicts = [compare(run(a), run(b)).verdict for a, b in zip(before, after, strict=True)]
    assert sum(verdict is not Finding.CANNOT_TELL for verdict in verdicts) / 600 <= 0.06
