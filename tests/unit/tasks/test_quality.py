from __future__ import annotations

from dataclasses import replace

import pytest

from crucible_tasks.quality import Quality

CLEAN = Quality(
    extraction_failures=0,
    truncations=0,
    empty_answers=0,
    duplicates=0,
    timeouts=0,
    infra_errors=0,
    missing=0,
    planned=1640,
    judged=1640,
)


def test_a_clean_run_says_its_coverage_and_nothing_else() -> None:
    assert CLEAN.line == "1640 of 1640 completions judged (100 %)"
    assert CLEAN.coverage == 1.0
    assert CLEAN.is_complete


def test_only_what_happened_is_said() -> None:
    found = replace(CLEAN, judged=1637, missing=2, infra_errors=1, truncations=4, duplicates=1)
    assert found.line == (
        "1637 of 1640 completions judged (99.8 %); "
        "2 missing, 1 host failure, 4 truncated, 1 duplicate"
    )


def test_every_part_has_its_words() -> None:
    found = Quality(1, 2, 3, 4, 5, 6, 7, 100, 87)
    assert found.line == (
        "87 of 100 completions judged (87 %); 7 missing, 6 host failures, "
        "1 without code, 2 truncated, 3 empty, 4 duplicates, 5 timed out"
    )


def test_why_hosts_failed_is_said_when_they_did() -> None:
    found = replace(CLEAN, judged=1638, infra_errors=2, infra_reason="2 challenges: ill")
    assert found.line == (
        "1638 of 1640 completions judged (99.8 %); 2 host failures; 2 challenges: ill"
    )
    assert replace(CLEAN, infra_reason="1 challenge: was ill").line == CLEAN.line


def test_one_missing_of_many_is_never_rounded_up_to_100_percent() -> None:
    found = replace(CLEAN, planned=32_800, judged=32_799, missing=1)
    assert "(99.9 %)" in found.line
    assert not found.is_complete


def test_an_empty_plan_is_covered() -> None:
    assert replace(CLEAN, planned=0, judged=0).coverage == 1.0


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="missing"):
        replace(CLEAN, missing=-1)
    with pytest.raises(ValueError, match="planned"):
        replace(CLEAN, judged=1641)
