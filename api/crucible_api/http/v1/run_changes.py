"""What is done to runs over HTTP: stop, pause, resume, regrade, priority; each acts at once."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Body

from crucible_api import model_choice
from crucible_api.http.forms import Altered, PriorityForm
from crucible_api.http.paging import Name
from crucible_api.http.routes import api_router
from crucible_api.http.services import Services, Serving, check_host
from crucible_tasks.planning import RunState

router = api_router("runs", HTTPStatus.NOT_FOUND, HTTPStatus.BAD_GATEWAY)


@router.post("/{run_id}/stop")
def stop_run(serving: Serving, run_id: Name) -> Altered:
    """Send nothing more of a run; what is under way is still stored."""
    serving.turns.drop([run_id])
    return _altered(serving, run_id, is_altered=serving.runs.stop(run_id))


@router.post("/{run_id}/pause")
def pause_run(serving: Serving, run_id: Name) -> Altered:
    """Send nothing new of a run until it is resumed."""
    serving.turns.drop([run_id])
    return _altered(serving, run_id, is_altered=serving.runs.pause(run_id))


@router.post("/{run_id}/resume")
def resume_run(serving: Serving, run_id: Name) -> Altered:
    """Go on with a run that was paused, stopped, interrupted or left incomplete.

    A server that its model needs must answer.
    """
    is_open = serving.runs.state(run_id) is not RunState.FINISHED
    if is_open:
        check_host(serving)
        model_choice.refuse_dead_servers(serving.runs, [serving.runs.find_run(run_id)])
        serving.runs.resume(run_id)
    return _altered(serving, run_id, is_altered=is_open)


@router.post("/{run_id}/regrade")
def regrade_run(serving: Serving, run_id: Name) -> Altered:
    """Judge every stored completion again with this version's grader; nothing is sampled."""
    serving.runs.state(run_id)
    check_host(serving)
    serving.runs.regrade(run_id)
    return _altered(serving, run_id, is_altered=True)


@router.put("/{run_id}/priority")
def set_priority(serving: Serving, run_id: Name, form: Annotated[PriorityForm, Body()]) -> Altered:
    """Let a run go before others (higher) or after them; takes effect while it runs."""
    is_altered = serving.runs.set_priority(run_id, form.priority)
    return _altered(serving, run_id, is_altered=is_altered)


def _altered(serving: Services, run_id: str, *, is_altered: bool) -> Altered:
    return Altered(run_id, serving.runs.state(run_id), is_altered)
