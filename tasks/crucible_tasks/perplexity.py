"""How much better held-out files are predicted after a training, and how sure that is.

A file's tokens are no independent witnesses, so the interval is over files: of each, the change of
its mean loss, in a paired bootstrap. What is told is the change of perplexity, the loss' exponent,
of a file as it comes; the perplexity of all tokens together is the trainer's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from crucible_tasks.bootstrap import paired_bootstrap
from crucible_tasks.fine_tuning import HeldOutFile

#: files; of fewer, resamples are too often all the same one
LEAST_FILES = 5


@dataclass(frozen=True, slots=True)
class PerplexityChange:
    """Of a held-out file's perplexity, as a share of what it was: -0.25 is a quarter less."""

    change: float
    #: 95 % interval over files; None where there are too few of them
    low: float | None
    high: float | None
    files: int

    @property
    def sentence(self) -> str:
        """The change in plain words."""
        told = f"a file's perplexity changes by {100 * self.change:+.0f} %"
        if self.low is None or self.high is None:
            count = "one file is" if self.files == 1 else f"{self.files} files are"
            return f"{told}; {count} too few to say how sure that is"
        interval = f"95 % interval {100 * self.low:+.0f} to {100 * self.high:+.0f} %"
        return f"{told} ({interval}, {self.files} files)"


def perplexity_change(files: Sequence[HeldOutFile]) -> PerplexityChange | None:
    """What a training did to held-out files; None without any."""
    differences = [(one.loss - one.loss_before) / one.tokens for one in files if one.tokens]
    if not differences:
        return None
    mean = math.fsum(differences) / len(differences)
    reach = math.inf
    if len(differences) >= LEAST_FILES:
        reach = paired_bootstrap(differences).half_width
    if not math.isfinite(reach):
        return PerplexityChange(math.expm1(mean), None, None, len(differences))
    return PerplexityChange(
        math.expm1(mean), math.expm1(mean - reach), math.expm1(mean + reach), len(differences)
    )
