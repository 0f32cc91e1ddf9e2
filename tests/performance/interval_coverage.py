"""Print how often the 95 % intervals hold the truth on simulated data.

Usage: python tests/performance/interval_coverage.py [REPEATS]. With 1,000 repeats (the default)
a figure's own standard error is 0.7 points; on one slow core the table takes about an hour.
"""

from __future__ import annotations

import math
import sys
from itertools import product

import numpy as np

from crucible_tasks.comparison import compare
from crucible_tasks.intervals import mean_interval
from crucible_tasks.passk import Counts, pass_at_k

DIFFICULTIES = ((0.5, 0.5), (1, 1), (0.2, 0.3), (2, 2), (2, 5), (5, 2), (0.3, 1.5), (1.5, 0.3))
FEW_SAMPLES = ((1, 1), (5, 1), (5, 5), (10, 1), (10, 5), (10, 10))
SAMPLES = (*FEW_SAMPLES, (20, 1), (20, 5), (20, 10), (200, 1), (200, 10))
CHALLENGES = (20, 40, 164, 500)

#: challenges, completions, and how much better B is on every challenge
PAIRED = tuple(product((20, 40, 164), (1, 5, 10), (0.0, 0.05, 0.1)))


def score_coverage(
    shape: tuple[float, float], challenges: int, size: tuple[int, int], repeats: int
) -> float:
    """Percent of data sets whose interval holds the population's pass@k."""
    (a, b), (n, k) = shape, size
    missed = math.lgamma(b + k) - math.lgamma(b) + math.lgamma(a + b) - math.lgamma(a + b + k)
    true = 1 - math.exp(missed)
    generator = np.random.default_rng(2021)
    passes = generator.binomial(n, generator.beta(a, b, (repeats, challenges))).tolist()
    found = [mean_interval([pass_at_k(n, c, k) for c in row]) for row in passes]
    return 100 * sum(interval.low <= true <= interval.high for interval in found) / repeats


def paired_coverage(challenges: int, n: int, shift: float, repeats: int) -> tuple[float, float]:
    """Percent of comparisons whose interval holds the true difference, and that have a verdict."""
    generator = np.random.default_rng(2021)
    rates = generator.beta(0.5, 0.5, (repeats, challenges)) * (1 - shift)
    before, after = generator.binomial(n, rates), generator.binomial(n, rates + shift)
    found = [
        compare(counted(a, n), counted(b, n))
        for a, b in zip(before.tolist(), after.tolist(), strict=True)
    ]
    held = sum(comparison.low <= shift <= comparison.high for comparison in found)
    told = sum(comparison.verdict != "cannot_tell" for comparison in found)
    return 100 * held / repeats, 100 * told / repeats


def counted(passes: list[int], n: int) -> list[Counts]:
    return [Counts(str(i), n, c) for i, c in enumerate(passes)]


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for challenges in CHALLENGES:
        table = []
        for shape, size in product(DIFFICULTIES, SAMPLES):
            covered = score_coverage(shape, challenges, size, repeats)
            table.append(covered)
            print(f"score M={challenges} Beta{shape} n={size[0]} k={size[1]}: {covered:.1f} %")
        inside = sum(93 <= covered <= 97 for covered in table)
        mean = sum(table) / len(table)
        print(
            f"score M={challenges}: lowest {min(table):.1f}, mean {mean:.1f}, "
            f"highest {max(table):.1f}, {inside} of {len(table)} settings in 93..97"
        )
    for challenges, n, shift in PAIRED:
        covered, told = paired_coverage(challenges, n, shift, repeats)
        print(
            f"comparison M={challenges} n={n} difference {shift}: "
            f"{covered:.1f} % held, {told:.1f} % with a verdict"
        )


if __name__ == "__main__":
    main()
