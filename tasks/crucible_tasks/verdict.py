"""A verdict: what the sandbox found about one program."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a program ended. All but the last two are the model's and enter n."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SYNTAX_ERROR = "syntax_error"
    NO_CODE = "no_code"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"
    FORBIDDEN = "forbidden"
    INFRA_ERROR = "infra_error"
    MISSING = "missing"

    @property
    def is_ours(self) -> bool:
        """Whether the fault is ours, so that it is retried and never enters n."""
        return self in (Outcome.INFRA_ERROR, Outcome.MISSING)

    def words(self, detail: str = "") -> str:
        """As people say it, with the line that goes with it."""
        return f"{self.value.replace('_', ' ')}: {detail}".removesuffix(": ")


class Mode(StrEnum):
    """Where the verdict was made."""

    #: in another process than the candidate; it cannot be forged
    SPLIT = "split"
    #: beside the candidate, because the test cannot be driven from outside
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the sandbox found."""

    outcome: Outcome
    #: one line for people: the failing assertion, the exception, the limit
    detail: str = ""
    #: CPU time of the candidate, user and system, its waited-for children included
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    mode: Mode = Mode.SPLIT
