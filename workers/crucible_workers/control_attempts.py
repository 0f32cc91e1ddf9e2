"""What asking and answers change in an attempt's row; nothing here touches the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from crucible_infra.database.attempts import Asked, AttemptRow


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an answer is not what was asked for."""

    reason: str
    #: whether asking again can help
    is_transient: bool = True
    #: of the request; None when there was no answer
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What an answer brought for one challenge and stage."""

    #: stored because of it
    found: frozenset[int]
    #: not there yet
    missing: frozenset[int]
    #: of the request
    indices: tuple[int, ...]
    problem: Problem | None = None


def answered(row: AttemptRow, news: News) -> AttemptRow:
    """The row after an answer, whole, partial, failed, late or repeated."""
    if news.found:
        row = replace(row, failures=0)
    problem = news.problem if news.missing else None
    still = tuple(_still_asked(message, news, problem) for message in row.asked)
    row = replace(row, asked=tuple(message for message in still if message.indices))
    if problem is not None:
        row = failed(row, problem)
    return replace(row, is_waiting=not row.is_given_up and not news.missing <= row.indices_asked)


def failed(row: AttemptRow, problem: Problem) -> AttemptRow:
    """The row with one more failure.

    An answer counts once, however often it is delivered, and the messages of one challenge that
    fail together count as one.
    """
    told = row.failures if problem.attempt is None else problem.attempt
    return replace(
        row,
        failures=max(row.failures, told + 1),
        reason=problem.reason,
        is_permanent=row.is_permanent or not problem.is_transient,
    )


def asked_for(
    row: AttemptRow, messages: Sequence[Asked], now: float, *, is_waiting: bool
) -> AttemptRow:
    """The row with the leases of these messages."""
    sent_at = now if messages else row.sent_at
    return replace(row, asked=(*row.asked, *messages), sent_at=sent_at, is_waiting=is_waiting)


def not_sent(row: AttemptRow, message: Asked) -> AttemptRow:
    """The row without the lease of a message that could not be sent."""
    return replace(row, asked=tuple(one for one in row.asked if one != message), is_waiting=True)


def _still_asked(message: Asked, news: News, problem: Problem | None) -> Asked:
    left = tuple(index for index in message.indices if index in news.missing)
    if problem is not None and problem.attempt == message.attempt:
        left = tuple(index for index in left if index not in news.indices)
    return replace(message, indices=left)
