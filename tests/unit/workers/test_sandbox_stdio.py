"""Outputs of whole programs are compared as LiveCodeBench compares them."""

from __future__ import annotations

import pytest

from crucible_workers.sandbox.stdio import outputs_agree


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("1\n2\n", "1\n2"),
        ("  1  \n2\t\n\n", "1\n2"),
        ("1.0 2", "1 2.00"),
        ("1\r\n2\r\n", "1\n2"),
        ("1e3", "1000"),
        ("", ""),
        ("\n\n", ""),
        ("yes", "yes"),
        ("100000000000000000000000000000", "1e29"),
    ],
)
def test_outputs_that_agree(answer: str, expected: str) -> None:
    assert outputs_agree(answer, expected)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("1 2", "1\n2"),
        ("1\n\n2", "1\n2"),
        ("0.30000000000000004", "0.3"),
        ("Yes", "yes"),
        ("1 2", "12"),
        ("a b", "a  b"),
        ("1 2 3", "1 2"),
        ("", "1"),
        ("1 x", "1.0 x"),
        ("nan", "1"),
        ("9007199254740993", "9007199254740992"),
    ],
)
def test_outputs_that_differ(answer: str, expected: str) -> None:
    assert not outputs_agree(answer, expected)
