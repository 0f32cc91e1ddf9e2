"""The validity line: what besides the model's skill may have moved a score."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quality:
    """Counts of completions; `line` says them to people.

    All but `infra_errors` and `missing` are the model's own doing and are part of its score.
    """

    #: text without a program in it
    extraction_failures: int
    #: cut off by the token limit
    truncations: int
    empty_answers: int
    #: the same text as an earlier completion of its challenge
    duplicates: int
    #: programs that ran out of CPU time
    timeouts: int
    #: not judged because a host failed; will be sent again
    infra_errors: int
    #: planned, but no answer yet
    missing: int
    planned: int
    judged: int
    #: challenges of the dataset that a samples file does not answer; they are in no score
    unanswered: int = 0
    #: why hosts failed; the most frequent reason
    infra_reason: str | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            count = getattr(self, name)
            if isinstance(count, int) and count < 0:
                raise ValueError(f"{name} cannot be negative")
        if self.judged > self.planned:
            raise ValueError(f"{self.judged} completions judged, but only {self.planned} planned")

    @property
    def coverage(self) -> float:
        """Share of what should have a verdict and has; 1 when nothing was planned.

        A challenge without an answer counts as one completion without a verdict.
        """
        wanted = self.planned + self.unanswered
        return self.judged / wanted if wanted else 1.0

    @property
    def is_complete(self) -> bool:
        """Whether every planned completion has a verdict."""
        return self.judged == self.planned

    @property
    def line(self) -> str:
        """One line for people: coverage, then whatever is not zero."""
        parts = [text for count, one, many in self._parts() if (text := _counted(count, one, many))]
        judged = f"{self.judged} of {self.planned} completions judged ({_percent(self)})"
        why = [self.infra_reason] if self.infra_errors and self.infra_reason else []
        return "; ".join([judged, ", ".join(parts), *why] if parts else [judged])

    def _parts(self) -> tuple[tuple[int, str, str], ...]:
        return (
            (self.unanswered, "challenge without an answer", "challenges without an answer"),
            (self.missing, "missing", "missing"),
            (self.infra_errors, "host failure", "host failures"),
            (self.extraction_failures, "without code", "without code"),
            (self.truncations, "truncated", "truncated"),
            (self.empty_answers, "empty", "empty"),
            (self.duplicates, "duplicate", "duplicates"),
            (self.timeouts, "timed out", "timed out"),
        )


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}" if count else ""


def _percent(quality: Quality) -> str:
    """Round down: 100 % must mean all of them."""
    share = quality.judged / quality.planned if quality.planned else 1.0
    return f"{int(share * 1000) / 10:g} %"
