"""A fine-tune's proof, from the door: its base runs are planned, it is watched, and gone on with.

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
    from crucible_api.fine_tunes import FineTunes
    from crucible_api.runs import Runs
    from crucible_tasks.proof import Proof
    from crucible_tasks.recipe import Recipe


def proof_of(info: FineTuneInfo) -> Proof | None:
    """What was wished for, and by which runs it is proved."""
    import msgspec

    from crucible_tasks.proof import Proof

    return None if info.row.proof is None else msgspec.convert(info.row.proof, Proof)


def prepare(fine_tunes: FineTunes, fine_tune_id: str) -> None:
    """Write down how the base model is asked, unless that is done; needs workers.

    Raises ModelError where nobody can sample it, which no proof could do without.
    """
    import msgspec

    from crucible_api import proof as proofs
    from crucible_api.cli.model_choice import describe
    from crucible_api.runs import open_runs
    from crucible_tasks.recipe import Recipe
    from crucible_tasks.registered import spec_of_base

    info = fine_tunes.info(fine_tune_id)
    proof = proof_of(info)
    if proof is None or all(part.base_run is not None for part in proof.parts):
        return
    method = msgspec.convert(info.row.recipe, Recipe).method
    base = describe(spec_of_base(info.row.base, method))
    proof = proofs.planned(open_runs(current()), proof, base)
    fine_tunes.note_proof(fine_tune_id, msgspec.to_builtins(proof))


def demand_base(base: str, recipe: Recipe) -> None:
    """Raise ModelError where these weights are not here, before minutes are spent on anything."""
    from crucible_api.cli.model_choice import describe
    from crucible_tasks.registered import spec_of_base

    describe(spec_of_base(base, recipe.method))


def go_on(info: FineTuneInfo) -> None:
    """Let a cluster go on with whatever of the proof was stopped, or came to an end too early."""
    from crucible_api.runs import open_runs

    proof = proof_of(info)
    if current().is_embedded or proof is None or info.adapter is None:
        return
    runs = open_runs(current())
    for run_id in proof.run_ids:
        if runs.progress(run_id).is_over and not _is_finished(runs, run_id):
            runs.resume(run_id)


def prove(info: FineTuneInfo, proof: Proof, voice: Voice, *, is_mine: bool) -> None:
    """Wait until all runs of a proof have ended; on a laptop they are begun here.

    Ctrl-C stops them where the fine-tune is the caller's own. Raises RunIncomplete.
    """
    from contextlib import nullcontext

    from crucible_api.cli import following
    from crucible_api.runs import open_runs

    runs = open_runs(current())
    wanted = [one for one in proof.run_ids if not _is_finished(runs, one)]
    if wanted:
        voice.talk("the proof: base and new model on the same challenges, with equal settings")
        begin = runs.resume if current().is_embedded else None
        guard = following.stoppable(runs, wanted, voice) if is_mine else nullcontext()
        with guard:
            following.follow(runs, wanted, voice, begin=begin, name="the proof")
    try:
        following.demand([runs.summary(run_id) for run_id in proof.run_ids], None)
    except RunIncomplete as error:
        error.hint = f"crucible fine-tunes resume {info.row.id}"
        raise


def standing(info: FineTuneInfo, proof: Proof | None) -> str:
    """What is still to come of a proof, in a line; empty where nothing is."""
    from crucible_api.runs import open_runs

    if proof is None or not proof.run_ids:
        return ""
    if info.adapter is None:
        return "the proof begins when the training has ended"
    runs = open_runs(current())
    all_of_it = [runs.progress(run_id) for run_id in proof.run_ids]
    if all(one.state == "finished" for one in all_of_it):
        return ""
    judged, planned = (sum(getattr(o, name) for o in all_of_it) for name in ("judged", "planned"))
    states = ", ".join(dict.fromkeys(str(one.state) for one in all_of_it))
    return f"the proof: {judged} of {planned} answers judged; its runs are {states}"


def _is_finished(runs: Runs, run_id: str) -> bool:
    return runs.progress(run_id).state == "finished"
