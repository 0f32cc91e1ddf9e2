"""Tickets: the number of an attempt, sealed by whoever asks, which an answer must bring back.

Redis tells nobody who has sent a message, so whoever reaches its controller's queue could answer
for any challenge of any run. A seal (HMAC-SHA256, RFC 2104, cut to 128 bits) over everything that
was asked bounds that: only what was handed out can be answered, by those it was handed to or whose
queue it waited in. An answer may be repeated, which changes nothing, and it may be a lie.

A ticket is one number, in place of the attempt's own: a worker hands back what it was given there,
also one of a version that knows no tickets.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass, field

#: of 32: guessing needs one message per try, and nobody sends 2^127
_SEAL_BYTES = 16

#: below the seal; attempts are given up after a handful
_ATTEMPT_BITS = 16


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, and by what nobody else can take the answer."""

    #: "generation", "evaluation" or "training", whose run is a fine-tune
    stage: str
    run_id: str
    #: of the grading: an answer of an earlier round is no answer of this one
    grade_round: int
    task_id: str
    #: how often these were asked for before
    attempt: int
    #: in the order of the request
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Seal:
    """Makes tickets, and knows its own."""

    #: whoever has it can answer for everybody
    key: bytes = field(repr=False)

    def ticket(self, question: Question) -> int:
        """What a request carries."""
        content = (
            question.stage,
            question.run_id,
            question.grade_round,
            question.task_id,
            question.attempt,
            question.indices,
        )
        # escapes every character that UTF-8 cannot carry
        digest = hmac.digest(self.key, json.dumps(content).encode(), "sha256")
        return int.from_bytes(digest[:_SEAL_BYTES]) << _ATTEMPT_BITS | question.attempt

    def is_right(self, ticket: int | None, question: Question) -> bool:
        """Whether an answer brings the ticket of this very question."""
        right = self.ticket(question)
        return ticket is not None and hmac.compare_digest(f"{ticket:x}", f"{right:x}")


def attempt_of(ticket: int) -> int:
    """The number under the seal, whether that is right or not."""
    return ticket & ((1 << _ATTEMPT_BITS) - 1)
