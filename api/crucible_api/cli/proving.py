"""A fine-tune's proof, watched from the command line.

In a cluster the controller sets the runs off when the training has ended, whoever watches. On a
laptop whoever trains does, and whoever resumes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible_api.cli.output import Voice
from crucible_infra.errors import RunIncomplete
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.fine_tune_reports import FineTuneInfo
    from crucible_api.run_service import RunService
    from crucible_tasks.proof import Proof


def prove(info: FineTuneInfo, proof: Proof, voice: Voice, *, is_mine: bool) -> None:
    """Wait until all runs of a proof have ended; on a laptop they are begun here.

    Ctrl-C stops them where the fine-tune is the caller's own. Raises RunIncomplete.
    """
    from contextlib import nullcontext

    from crucible_api.cli import following
    from crucible_api.run_service import open_runs

    runs = open_runs(current())
    wanted = [one for one in proof.run_ids if not _is_finished(runs, one)]
    if wanted:
        voice.talk("the proof: base and new model on the same challenges, with equal settings")
        begin = runs.resume if current().runs_here else None
        guard = following.stoppable(runs, wanted, voice) if is_mine else nullcontext()
        with guard:
            following.follow(runs, wanted, voice, begin=begin, name="the proof")
    try:
        following.demand([runs.summary(run_id) for run_id in proof.run_ids], None)
    except RunIncomplete as error:
        error.hint = f"crucible fine-tunes resume {info.row.id}"
        raise


def _is_finished(runs: RunService, run_id: str) -> bool:
    return runs.progress(run_id).state == "finished"
