"""What is done to sweeps over HTTP: stop, pause and resume all their runs at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from crucible_api import model_choice
from crucible_api.http.forms import Altered, AlteredSweep
from crucible_api.http.paging import Name
from crucible_api.http.routes import api_router
from crucible_api.http.services import Services, Serving, check_host
from crucible_api.sweep_reports import Selected
from crucible_api.sweeps import find_sweep, select
from crucible_api.turns import Turn
from crucible_tasks.planning import RunState

router = api_router("sweeps", HTTPStatus.NOT_FOUND, HTTPStatus.BAD_GATEWAY)


@router.post("/{sweep_id}/stop")
def stop_sweep(serving: Serving, sweep_id: Name) -> AlteredSweep:
    """Send nothing more of the runs of a sweep; what is under way is still stored."""
    return _halted(serving, sweep_id, serving.runs.stop)


@router.post("/{sweep_id}/pause")
def pause_sweep(serving: Serving, sweep_id: Name) -> AlteredSweep:
    """Send nothing new of the runs of a sweep until they are resumed."""
    return _halted(serving, sweep_id, serving.runs.pause)


@router.post("/{sweep_id}/resume")
def resume_sweep(serving: Serving, sweep_id: Name) -> AlteredSweep:
    """Go on with those runs of a sweep that lie still and are not finished.

    In a cluster all at once. Where the server does the work, one after the other: a run whose turn
    has not come stays as it is until then.
    """
    found = _selected(serving, sweep_id)
    wanted = [run for run in found.runs if run.state not in (RunState.RUNNING, RunState.FINISHED)]
    if wanted:
        check_host(serving)
    model_choice.refuse_dead_servers(serving.runs, wanted)
    run_ids = [run.id for run in wanted]
    _go_on(serving, run_ids)
    return _altered(serving, found, run_ids)


def _go_on(serving: Services, run_ids: Sequence[str]) -> None:
    if serving.settings.is_embedded:
        # one that waits for its turn must not have two
        serving.turns.drop(run_ids)
        serving.turns.add([Turn(run_id, is_resumed=True) for run_id in run_ids])
        return
    for run_id in run_ids:
        serving.runs.resume(run_id)


def _halted(serving: Services, sweep_id: str, halt: Callable[[str], bool]) -> AlteredSweep:
    found = _selected(serving, sweep_id)
    serving.turns.drop([run.id for run in found.runs])
    return _altered(serving, found, [run.id for run in found.runs if halt(run.id)])


def _selected(serving: Services, sweep_id: str) -> Selected:
    return select(serving.runs, find_sweep(serving.runs, sweep_id))


def _altered(serving: Services, found: Selected, altered: Sequence[str]) -> AlteredSweep:
    return AlteredSweep(
        found.id,
        tuple(Altered(run.id, serving.runs.state(run.id), run.id in altered) for run in found.runs),
    )
