"""The runs of a fine-tune's proof: planned before it is trained, and gone on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.fine_tune_reports import FineTuneInfo
    from crucible_api.fine_tunes import FineTunes
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
    from crucible_api.model_choice import describe
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
    from crucible_api.model_choice import describe
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
        if runs.progress(run_id).is_over and runs.progress(run_id).state != "finished":
            runs.resume(run_id)
