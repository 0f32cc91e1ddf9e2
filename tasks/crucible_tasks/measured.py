"""Feeds a worker's metrics from Celery's signals: tasks, verdicts, tokens, refusals.

What a worker found is counted when its message to the controller has left, and where it was found,
so that the figures say what each host does. Nothing is connected while nobody asks for metrics.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from celery import current_task, signals
from celery.states import REJECTED, SUCCESS

from crucible_infra import host_figures, log, metrics, settings
from crucible_infra.errors import InvalidInput
from crucible_tasks import control, evaluation, generation
from crucible_tasks.verdict import Outcome

Message = Mapping[str, Any]

#: how tasks end; a rejected one goes to another host
_SUCCEEDED, _FAILED, _REJECTED = "succeeded", "failed", "rejected"
_OUTCOMES = {SUCCESS: _SUCCEEDED, REJECTED: _REJECTED}

#: why an evaluation request was not judged here: the host is drained, or the sandbox failed
_SICK, _BROKEN = "sick", "broken"

_started: dict[str, float] = {}


def connect() -> None:
    """Serve metrics as soon as a worker of this process is ready, if they are wanted."""
    signals.worker_ready.connect(_begin)


def _begin(sender: Any, **_: Any) -> None:
    current = settings.current()
    if current.metrics_port is None or current.is_embedded:
        return
    try:
        port = metrics.serve(current.metrics_port, current.metrics_address)
    except InvalidInput as error:
        # a worker that is not seen is still worth its work
        log.error("metrics_not_served", error=error, hint=error.hint)
        return
    _show_zeros(sender.app)
    metrics.look_up(lambda: host_figures.disk_figures(current.data_directory))
    metrics.look_up(host_figures.gpu_figures)
    signals.task_prerun.connect(_task_began)
    signals.task_postrun.connect(_task_ended)
    signals.after_task_publish.connect(_sent)
    log.info("metrics_served", address=current.metrics_address, port=port)


def _show_zeros(app: Any) -> None:
    served = app.amqp.queues.consume_from
    for queue in served:
        metrics.queue_served(queue)
    names = [
        name for name, route in (app.conf.task_routes or {}).items() if route["queue"] in served
    ]
    metrics.tasks_expected(names, (_SUCCEEDED, _FAILED, _REJECTED))
    if evaluation.QUEUE in served:
        metrics.programs_judged(dict.fromkeys(Outcome, 0))
        for reason in (_SICK, _BROKEN):
            metrics.sandbox_refused(reason, 0)


def _task_began(task_id: str, **_: Any) -> None:
    _started[task_id] = time.perf_counter()


def _task_ended(task_id: str, task: Any, state: str, **_: Any) -> None:
    now = time.perf_counter()
    metrics.task_ended(task.name, _OUTCOMES.get(state, _FAILED), now - _started.pop(task_id, now))
    if task.name == evaluation.EVALUATION.name and state == REJECTED:
        metrics.sandbox_refused(_SICK)


def _sent(sender: str, body: Sequence[Any], **_: Any) -> None:
    arguments = body[0]
    if not arguments or not isinstance(arguments[0], dict):
        return
    if sender == control.STORE_VERDICTS.name:
        _count_verdicts(arguments[0])
    elif sender == control.STORE_COMPLETIONS.name:
        _count_completions(arguments[0])


def _count_verdicts(message: Message) -> None:
    judgements = message.get("judgements", ())
    metrics.programs_judged(Counter(str(one["verdict"]["outcome"]) for one in judgements))
    if message.get("failure") is not None:
        metrics.sandbox_refused(_BROKEN)


def _count_completions(message: Message) -> None:
    completions = message.get("completions", ())
    metrics.model_sampled(
        _model_of_this_task(),
        metrics.Sampled(
            completions=len(completions),
            prompt_tokens=sum(one.get("prompt_tokens") or 0 for one in completions),
            completion_tokens=sum(one.get("completion_tokens") or 0 for one in completions),
            has_failed=message.get("failure") is not None,
        ),
    )


def _model_of_this_task() -> str:
    """The model that the running task was sent to ask; its answer does not name it."""
    arguments = current_task.request.args if current_task else ()
    request = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
    return str(request.get("model", generation.QUEUE))
