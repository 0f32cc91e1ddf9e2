"""The time left rests on the last five minutes, and is unknown while nobody can tell."""

from __future__ import annotations

import pytest

from crucible_api.pace import MIN_JUDGED, MIN_SECONDS, WINDOW_SECONDS, Pace


def _fed(*looks: tuple[float, int]) -> Pace:
    pace = Pace()
    for now, judged in looks:
        pace.note(now, judged)
    return pace


def test_nothing_is_known_before_something_was_seen_for_a_while() -> None:
    assert Pace().seconds_for(10, 0.0) is None
    assert _fed((0, 0), (60, 0)).seconds_for(10, 60) is None
    # the first arrival opens the window
    assert _fed((0, 0), (60, 8)).seconds_for(10, 60) is None
    assert _fed((0, 0), (1, 1), (1 + MIN_SECONDS - 0.1, 50)).seconds_for(10, 5.9) is None
    assert _fed((0, 0), (1, 1), (9, MIN_JUDGED)).seconds_for(10, 9) is None


def test_what_was_judged_before_anybody_looked_is_no_pace() -> None:
    pace = _fed((0, 900), (10, 901), (20, 911))
    assert pace.seconds_for(50, 20) == pytest.approx(50)


def test_the_load_of_a_model_is_not_its_pace() -> None:
    pace = _fed((0, 0), (120, 0), (121, 8), (131, 18))
    assert pace.seconds_for(10, 131) == pytest.approx(10)


def test_a_rate_of_long_ago_is_forgotten() -> None:
    looks = [(float(t), 10 * t) for t in range(100)]
    looks += [(float(t), 990 + (t - 100)) for t in range(100, 800)]
    assert _fed(*looks).seconds_for(60, 799) == pytest.approx(60, rel=0.02)


def test_a_stall_makes_the_estimate_grow_and_then_vanish() -> None:
    pace = _fed(*((float(t), t) for t in range(60)))
    estimates = []
    for now in (60.0, 120.0, 240.0):
        pace.note(now, 59)
        estimates.append(pace.seconds_for(100, now))
    first, second, third = estimates
    assert first is not None
    assert second is not None
    assert third is not None
    assert first < second < third
    for now in range(241, 241 + int(WINDOW_SECONDS)):
        pace.note(float(now), 59)
    assert pace.seconds_for(100, 241 + WINDOW_SECONDS) is None
