"""The change of perplexity of held-out files, with an interval over files."""

from __future__ import annotations

import math
import random

import pytest

from crucible_tasks.fine_tuning import HeldOutFile
from crucible_tasks.perplexity import LEAST_FILES, perplexity_change


def _file(change: float, tokens: int = 100) -> HeldOutFile:
    return HeldOutFile("a.py", tokens, 3.0 * tokens, (3.0 + change) * tokens)


def test_a_file_counts_once_however_long_it_is() -> None:
    found = perplexity_change([_file(-1.0, tokens=10), _file(0.0, tokens=100_000)])

    assert found is not None
    assert found.change == pytest.approx(math.exp(-0.5) - 1)


def test_few_files_give_no_interval() -> None:
    found = perplexity_change([_file(-1.0 - number / 10) for number in range(LEAST_FILES - 1)])

    assert found is not None
    assert (found.low, found.high) == (None, None)
    assert "4 files are too few" in found.sentence


def test_files_that_agree_give_a_narrow_interval() -> None:
    dice = random.Random(1)
    files = [_file(-0.5 + dice.gauss(0, 0.05)) for _ in range(30)]
    found = perplexity_change(files)

    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < math.exp(-0.5) - 1 < found.high < -0.3
    assert found.high - found.low < 0.05


def test_files_that_disagree_leave_it_open() -> None:
    found = perplexity_change([_file(change) for change in (-1, 1, -0.9, 1.1, -0.8, 0.9)])

    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high


def test_nothing_held_out_is_no_change() -> None:
    assert perplexity_change([]) is None
