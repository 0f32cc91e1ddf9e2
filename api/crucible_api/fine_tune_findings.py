"""What the doors tell about a fine-tune: recipe, corpus, what it learned and what it proved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import msgspec

from crucible_api import proof as proofs
from crucible_api.fine_tune_conclusion import held_out, overlaps, proof_standing, record_of
from crucible_api.fine_tune_reports import FineTuneInfo
from crucible_api.fine_tunes import FineTunes
from crucible_api.proof import PartFound
from crucible_api.proof_runs import proof_of
from crucible_api.runs import Runs
from crucible_infra.artifacts import ArtifactStore
from crucible_infra.database.gang_seats import GangSeat, seats_of
from crucible_infra.errors import CrucibleError
from crucible_infra.fine_tune_rows import StepRow
from crucible_tasks.corpus.corpus import decode_report
from crucible_tasks.corpus.report import CorpusReport
from crucible_tasks.fine_tuning import AdapterRecord
from crucible_tasks.planning import RunState
from crucible_tasks.proof import Proof
from crucible_tasks.recipe import Recipe

#: reports that are kept: reading one means fetching its whole corpus
_KEPT = 8


@dataclass(frozen=True, slots=True)
class FineTuneFindings:
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


def fine_tune_findings(runs: Runs, fine_tunes: FineTunes, info: FineTuneInfo) -> FineTuneFindings:
    """How a fine-tune stands and what it came to."""
    row, proof = info.row, proof_of(info)
    with fine_tunes.database.reading() as connection:
        seats = seats_of(connection, row.id)
    states = [] if proof is None else [runs.progress(one).state for one in proof.run_ids]
    return FineTuneFindings(
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


def _corpus(artifacts: ArtifactStore, digest: str) -> CorpusReport | None:
    try:
        return _report(artifacts, digest)
    except CrucibleError:
        # a page about a training is worth showing without it
        return None


@lru_cache(maxsize=_KEPT)
def _report(artifacts: ArtifactStore, digest: str) -> CorpusReport:
    return decode_report(artifacts.get(digest))
