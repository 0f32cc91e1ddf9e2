"""The controller's tickets: what it asks carries one, and an answer without it changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from sqlalchemy import Connection

from crucible_infra import log
from crucible_infra.database.attempts import AttemptRow
from crucible_infra.database.keys import ticket_key
from crucible_infra.database.runs import RunRow
from crucible_infra.stage import Stage
from crucible_tasks.evaluation import Evaluation
from crucible_tasks.generation import Generation
from crucible_tasks.tickets import Question, Seal, attempt_of

Answer = TypeVar("Answer", Generation, Evaluation)


class Tickets:
    """The tickets of one process, which reads the key once."""

    def __init__(self) -> None:
        self._seal: Seal | None = None

    def issue(
        self, connection: Connection, run: RunRow, row: AttemptRow, indices: tuple[int, ...]
    ) -> int:
        """The ticket of a request for these completions, or the verdicts on them."""
        question = _question(run, Stage(row.stage), row.task_id, row.failures, indices)
        return self._read(connection).ticket(question)

    def admitted(self, connection: Connection, run: RunRow, answer: Answer) -> Answer | None:
        """An answer to what was asked, with the plain number of its attempt; else None.

        One that was never asked for, or brings more than was, is said in one line.
        """
        if isinstance(answer, Generation):
            stage, brought = Stage.GENERATION, {one.index for one in answer.completions}
        else:
            stage, brought = Stage.EVALUATION, {one.index for one in answer.judgements}
        attempt = attempt_of(answer.attempt or 0)
        question = _question(run, stage, answer.task_id, attempt, answer.indices)
        is_right = self._read(connection).is_right(answer.attempt, question)
        if is_right and brought <= set(answer.indices):
            return replace(answer, attempt=attempt)
        log.warning("answer_refused", run=run.id, task=answer.task_id, stage=str(stage))
        return None

    def for_training(
        self, connection: Connection, fine_tune_id: str, attempt: int, member: int | None = None
    ) -> int:
        """The ticket of one attempt at a fine-tune, or of a gang's member in it."""
        return self._read(connection).ticket(_training(fine_tune_id, attempt, member))

    def admitted_training(
        self, connection: Connection, fine_tune_id: str, ticket: int, member: int | None = None
    ) -> int | None:
        """The plain number of the attempt that this ticket is of; None when it is of none."""
        attempt = attempt_of(ticket)
        question = _training(fine_tune_id, attempt, member)
        return attempt if self._read(connection).is_right(ticket, question) else None

    def _read(self, connection: Connection) -> Seal:
        if self._seal is None:
            self._seal = Seal(ticket_key(connection))
        return self._seal


def _training(fine_tune_id: str, attempt: int, member: int | None) -> Question:
    asked = () if member is None else (member,)
    return Question("training", fine_tune_id, 0, "", attempt, asked)


def _question(
    run: RunRow, stage: Stage, task_id: str, attempt: int, indices: tuple[int, ...]
) -> Question:
    # a sample is of no round: grading again samples nothing
    grade_round = run.grade_round if stage is Stage.EVALUATION else 0
    return Question(str(stage), run.id, grade_round, task_id, attempt, indices)
