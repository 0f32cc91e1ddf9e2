"""Watch a fine-tune until nothing more happens by itself, and stop it when the user says so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from crucible_api.cli import broker_outage, hands, interruption
from crucible_api.cli.output import Voice
from crucible_api.cli.training_meter import TrainingMeter
from crucible_infra.errors import InvalidInput, RunIncomplete, TrainingError
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.fine_tune_reports import FineTuneInfo
    from crucible_api.fine_tune_service import FineTuneService

#: seconds between looks at the database
_LOOK_EVERY_EMBEDDED = 0.2
_LOOK_EVERY_CLUSTER = 1.0

#: seconds that a stopped training of this process may take to leave its checkpoint
_CHECKPOINT_SECONDS = 120.0

#: what the trainer ends with for what no attempt changes: a wrong recipe, no model
_USAGE = 2


def follow(fine_tunes: FineTuneService, fine_tune_id: str, voice: Voice) -> FineTuneInfo:
    """Show a training's progress until it is over. Raises what has ended it."""
    from crucible_tasks.fine_tuning import CAUTION

    last, notes, told, waits = -1, 0, 0, None
    pause = _LOOK_EVERY_EMBEDDED if current().runs_here else _LOOK_EVERY_CLUSTER
    with TrainingMeter(voice) as meter:
        while True:
            info = fine_tunes.info(fine_tune_id)
            for note in info.row.notes[notes:]:
                if note.startswith(CAUTION):
                    meter.warn(note)
                else:
                    meter.say(f"  {note}")
            notes = len(info.row.notes)
            if info.row.failures > told and not info.is_over:
                meter.warn(f"{info.row.reason}; it is tried again")
            told = info.row.failures
            if info.waits is not None and info.waits != waits:
                meter.say(info.waits)
            waits = info.waits
            steps = fine_tunes.steps(fine_tune_id, last)
            last = steps[-1].step if steps else last
            meter.hear(steps)
            if info.is_over:
                break
            broker_outage.look(fine_tune_id, "fine-tunes")
            interruption.raise_if_received()
            hands.raise_if_full()
            time.sleep(pause)
    demand_finished(info)
    return info


def demand_finished(info: FineTuneInfo) -> None:
    """Raise what has ended a fine-tune that has made no model."""
    from crucible_tasks.fine_tuning import FineTuneState

    row = info.row
    match info.state:
        case FineTuneState.FINISHED:
            return
        case FineTuneState.FAILED if row.exit_code == _USAGE:
            raise InvalidInput(row.reason or "it cannot be trained")
        case FineTuneState.FAILED:
            attempts = f" ({row.failures} times)" if row.failures > 1 else ""
            raise TrainingError(
                f"{row.name} was not trained: {row.reason}{attempts}",
                hint=f"nothing was registered; crucible fine-tunes resume {row.id}",
            )
        case _:
            raise RunIncomplete(
                f"fine-tune {row.id} is {info.state}",
                hint=f"crucible fine-tunes resume {row.id}",
            )


@contextmanager
def stoppable(fine_tunes: FineTuneService, fine_tune_id: str, voice: Voice) -> Iterator[None]:
    """Stop the training when the user interrupts; where it is this process', wait for it."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if fine_tunes.stop(fine_tune_id):
            if current().runs_here:
                voice.announce("stopping: the training leaves a checkpoint (again: at once)")
                _await_rest(fine_tunes, fine_tune_id)
            resume = f"crucible fine-tunes resume {fine_tune_id}"
            interruption.say(interrupt, f"stopped; nothing is lost: {resume}", voice)
        raise


def _await_rest(fine_tunes: FineTuneService, fine_tune_id: str) -> None:
    deadline = time.monotonic() + _CHECKPOINT_SECONDS
    while not fine_tunes.info(fine_tune_id).is_resting and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_EMBEDDED)
