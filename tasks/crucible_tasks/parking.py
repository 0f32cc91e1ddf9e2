"""Parking: what the controller is told about work that nobody may begin again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible_infra import log
from crucible_infra.errors import CrucibleError
from crucible_tasks.control import STORE_COMPLETIONS, STORE_VERDICTS
from crucible_tasks.evaluation import Evaluation, EvaluationRequest
from crucible_tasks.fine_tuning import (
    STORE_TRAINING,
    FineTuneRequest,
    TrainingFailure,
    TrainingNews,
)
from crucible_tasks.generation import Generation, GenerationRequest
from crucible_tasks.planning import grader_label
from crucible_tasks.starts import MOST_STARTS

if TYPE_CHECKING:
    from celery.canvas import Signature

#: shown by `crucible runs show`
REASON = f"its worker died {MOST_STARTS} times"


def park(name: str, request: object, *, keeps_result: bool) -> None:
    """Give work up that has killed its workers; its message is then acknowledged.

    Raises CrucibleError where somebody waits for the answer.
    """
    from crucible_tasks.sending import send  # noqa: PLC0415 -- needs the app, which needs contracts

    log.error("poison_parked", reason=REASON, hint="crucible runs resume tries it again")
    if keeps_result:
        raise CrucibleError(f"{name}: {REASON}", hint="the workers' log and `dmesg` may say why")
    message = _failure(request)
    if message is not None:
        send(message)


def _failure(request: object) -> Signature | None:
    match request:
        case GenerationRequest():
            generation = Generation(
                request.run_id,
                request.task_id,
                completions=(),
                failure=REASON,
                is_transient=False,
                indices=request.indices,
                attempt=request.attempt,
            )
            return STORE_COMPLETIONS.signature(generation)
        case EvaluationRequest():
            evaluation = Evaluation(
                request.run_id,
                request.task_id,
                grader_label(),
                judgements=(),
                failure=REASON,
                indices=tuple(one.index for one in request.completions),
                attempt=request.attempt,
                is_transient=False,
            )
            return STORE_VERDICTS.signature(evaluation)
        case FineTuneRequest():
            # it may have come far between two of those deaths: the controller knows
            failure = TrainingFailure(REASON, is_transient=True)
            asked = (request.fine_tune_id, request.attempt, "")
            news = TrainingNews(*asked, failure=failure, member=request.member)
            return STORE_TRAINING.signature(news)
        case _:
            # the controller's own: its reconcile finds what is missing
            return None
