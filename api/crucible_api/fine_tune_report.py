"""What the doors tell about a fine-tune: recipe, corpus, what it learned and what it proved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from crucible_api import proof as proofs
from crucible_api.fine_tune_reports import FineTuneInfo
from crucible_api.fine_tunes import FineTunes
from crucible_api.proof import PartFound
from crucible_api.proof_runs import proof_of
from crucible_api.run_service import ProgressTeller
from crucible_api.runs import Runs
from crucible_infra.artifacts import ArtifactStore
from crucible_infra.database.gang_seats import GangSeat, seats_of
from crucible_infra.errors import CrucibleError
from crucible_infra.fine_tune_rows import StepRow
from crucible_tasks.corpus.corpus import decode_report
from crucible_tasks.corpus.report import CorpusReport
from crucible_tasks.fine_tuning import AdapterRecord
from crucible_tasks.perplexity import perplexity_change
from crucible_tasks.planning import RunState
from crucible_tasks.proof import Proof
from crucible_tasks.recipe import Recipe
from crucible_tasks.registered import overlap_sentence

#: reports that are kept: reading one means fetching its whole corpus
_KEPT = 8


@dataclass(frozen=True, slots=True)
class FineTuneReport:
    """Everything worth knowing about a fine-tune at once."""

    info: FineTuneInfo
    recipe: Recipe
    steps: tuple[StepRow, ...]
    #: None where the artifact store has lost it
    corpus: CorpusReport | None
    #: None until there is a model
    record: AdapterRecord | None
    #: what it did to files it has not seen, in words; empty until there is a model
    held_out: str
    proof: Proof | None
    found: tuple[PartFound, ...]
    #: what is still to come of the proof; empty where nothing is
    proof_standing: str
    seats: tuple[GangSeat, ...]
    #: whether something still happens by itself
    is_live: bool

    @property
    def answers(self) -> tuple[str, ...]:
        """The questions of the proof, each with its answer."""
        words = proofs.answer(self.found, self.info.row.name)
        return tuple(words.splitlines())

    @property
    def overlaps(self) -> tuple[str, ...]:
        """What the new model has seen of what it answers."""
        return overlaps(self.found)


def fine_tune_report(runs: Runs, fine_tunes: FineTunes, info: FineTuneInfo) -> FineTuneReport:
    """How a fine-tune stands and what it came to."""
    row, proof = info.row, proof_of(info)
    with fine_tunes.database.reading() as connection:
        seats = seats_of(connection, row.id)
    states = [] if proof is None else [runs.progress(one).state for one in proof.run_ids]
    return FineTuneReport(
        info=info,
        recipe=msgspec.convert(row.recipe, Recipe),
        steps=fine_tunes.steps(row.id),
        corpus=_corpus(runs.artifacts, row.corpus),
        record=record_of(info),
        held_out=held_out(info),
        proof=proof,
        found=() if proof is None else tuple(proofs.found(runs, proof)),
        proof_standing=proof_standing(runs, info, proof),
        seats=seats,
        is_live=not info.is_over or RunState.RUNNING in states,
    )


def record_of(info: FineTuneInfo) -> AdapterRecord | None:
    """What the trainer noted beside the adapter."""
    return None if info.adapter is None else msgspec.convert(info.adapter.record, AdapterRecord)


def held_out(info: FineTuneInfo) -> str:
    """What a training did to files it has not seen, in words."""
    record = record_of(info)
    if record is None:
        return ""
    if record.perplexity is None or record.perplexity_before is None:
        return "nothing was held out, so nothing tells how well it predicts files it has not seen"
    found = perplexity_change(record.held_out_files)
    return (
        f"files it has not seen: perplexity {record.perplexity_before:.2f} before, "
        f"{record.perplexity:.2f} after" + (f"; {found.sentence}" if found else "")
    )


def overlaps(found: Sequence[PartFound]) -> tuple[str, ...]:
    """How many challenges of each dataset stand in what was trained on, where that is known."""
    return tuple(
        overlap_sentence(one.part.shared, one.comparison.challenges, one.part.name)
        for one in found
        if one.part.shared is not None
    )


def proof_standing(runs: ProgressTeller, info: FineTuneInfo, proof: Proof | None) -> str:
    """What is still to come of a proof, in a line; empty where nothing is."""
    if proof is None or not proof.run_ids:
        return ""
    if info.adapter is None:
        return "the proof begins when the training has ended"
    all_of_it = [runs.progress(run_id) for run_id in proof.run_ids]
    if all(one.state is RunState.FINISHED for one in all_of_it):
        return ""
    judged, planned = (sum(getattr(o, name) for o in all_of_it) for name in ("judged", "planned"))
    states = ", ".join(dict.fromkeys(str(one.state) for one in all_of_it))
    return f"the proof: {judged} of {planned} answers judged; its runs are {states}"


def _corpus(artifacts: ArtifactStore, digest: str) -> CorpusReport | None:
    try:
        return _report(artifacts, digest)
    except CrucibleError:
        # a page about a training is worth showing without it
        return None


@lru_cache(maxsize=_KEPT)
def _report(artifacts: ArtifactStore, digest: str) -> CorpusReport:
    return decode_report(artifacts.get(digest))
