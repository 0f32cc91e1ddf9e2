"""pass@k of one challenge: how likely one of k completions passes.

Chen et al. 2021, "Evaluating Large Language Models Trained on Code" (arXiv:2107.03374), eq. 1:
of n completions c pass; a random k of them hold no passing one with probability
C(n-c, k) / C(n, k). Published as a running product of floats, because C(n, k) overflows them;
integers do not overflow, and Python divides two of them with one correct rounding, so the value
here is the float nearest to the exact one for every n, c and k.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one challenge: n judged completions whose outcome is the model's, c of them passed."""

    task_id: str
    n: int
    c: int

    def __post_init__(self) -> None:
        if not 0 <= self.c <= self.n:
            raise ValueError(f"{self.task_id}: {self.c} of {self.n} completions cannot pass")


@lru_cache(maxsize=4096)
def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased pass@k from c passes among n completions; NaN when k > n, or n is 0.

    Raises ValueError unless 0 <= c <= n and 1 <= k.
    """
    if not 0 <= c <= n:
        raise ValueError(f"{c} of {n} completions cannot pass")
    if k < 1:
        raise ValueError(f"pass@{k} has no meaning; k starts at 1")
    if k > n:
        return math.nan
    choices = math.comb(n, k)
    return (choices - math.comb(n - c, k)) / choices


def challenge_pass_at_k(counts: Sequence[Counts], k: int) -> tuple[float, ...]:
    """pass@k of each challenge, in the order given; NaN where it has fewer than k completions."""
    return tuple(pass_at_k(challenge.n, challenge.c, k) for challenge in counts)
