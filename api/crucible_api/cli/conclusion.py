"""What a fine-tune came to: its proof is run where one was wished for, and said in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crucible_api.cli.output import Column, Voice
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.fine_tunes import FineTuneInfo, FineTunes
    from crucible_api.proof import PartFound, Proof
    from crucible_api.runs import Runs
    from crucible_tasks.fine_tuning import AdapterRecord

COLUMNS = (
    Column("challenges", style="bold"),
    Column("n", is_number=True),
    Column("base pass@1  [95 %]", is_number=True),
    Column("new pass@1  [95 %]", is_number=True),
    Column("better", is_number=True),
    Column("worse", is_number=True),
)


def conclude(fine_tunes: FineTunes, info: FineTuneInfo, voice: Voice) -> None:
    """Prove a finished fine-tune as it was wished, needing workers, and print what it came to.

    Raises RunIncomplete when a proof lacks verdicts.
    """
    from crucible_api.runs import open_runs

    runs = open_runs(current())
    name = info.row.name
    voice.talk(f"registered: crucible benchmark --model {name}")
    proof = _proof(info)
    if proof is not None:
        proof = _proved(fine_tunes, runs, info, proof, voice)
    show(runs, info, proof, voice)


def show(runs: Runs, info: FineTuneInfo, proof: Proof | None, voice: Voice) -> None:
    """Print what is known by now."""
    from crucible_api import proof as proofs

    found = () if proof is None else tuple(proofs.found(runs, proof))
    if voice.is_json:
        voice.data(as_object(info, found))
        return
    if found:
        voice.table(COLUMNS, [_row(one, proof.n if proof else 1) for one in found])
        voice.answer("")
    voice.answer(_words(info, found))


def as_object(info: FineTuneInfo, found: Sequence[PartFound]) -> dict[str, Any]:
    """A fine-tune as one object for programs."""
    from dataclasses import asdict

    from crucible_tasks.perplexity import perplexity_change

    row, adapter, record = info.row, info.adapter, _record(info)
    change = None if record is None else perplexity_change(record.held_out_files)
    return {
        "fine_tune": row.id,
        "name": row.name,
        "state": str(info.state),
        "reason": row.reason,
        "hosts": row.hosts,
        "waits": info.waits,
        "model": row.model,
        "base": row.base,
        "corpus": row.corpus,
        "recipe": row.recipe,
        "manifest": row.manifest,
        "notes": row.notes,
        "seconds": info.seconds,
        "artifact": None if adapter is None else adapter.artifact,
        "record": None if adapter is None else adapter.record,
        "perplexity_change": None if change is None else asdict(change),
        "proof": [
            {
                "role": str(one.part.role),
                "dataset": one.part.name,
                "base_run": one.part.base_run,
                "new_run": one.part.new_run,
                "base": asdict(one.base),
                "new": asdict(one.new),
                **asdict(one.comparison),
                "verdict": str(one.comparison.verdict),
                "sentence": one.comparison.describe("the base model", row.name),
            }
            for one in found
        ],
        "answer": _words(info, found),
    }


def proof_of(info: FineTuneInfo) -> Proof | None:
    """What was wished for, and by which runs it is proved."""
    return _proof(info)


def _proof(info: FineTuneInfo) -> Proof | None:
    import msgspec

    from crucible_api.proof import Proof

    return None if info.row.proof is None else msgspec.convert(info.row.proof, Proof)


def _proved(
    fine_tunes: FineTunes, runs: Runs, info: FineTuneInfo, proof: Proof, voice: Voice
) -> Proof:
    """Have all runs of a proof done; those that are there already go on."""
    import msgspec

    from crucible_api import proof as proofs
    from crucible_api.cli import following
    from crucible_api.cli.model_choice import describe
    from crucible_api.fine_tunes import base_spec, spec_of

    assert info.adapter is not None
    if not proof.run_ids:
        base, new = describe(base_spec(info.adapter)), describe(spec_of(info.adapter))
        proof = proofs.planned(runs, proof, base, new)
        fine_tunes.note_proof(info.row.id, msgspec.to_builtins(proof))
    wanted = [one for one in proof.run_ids if not _is_finished(runs, one)]
    voice.talk("the proof: base and new model on the same challenges, with equal settings")
    with following.stoppable(runs, wanted, voice):
        begin = runs.resume if current().is_embedded else None
        if begin is None:
            for run_id in wanted:
                runs.resume(run_id)
        if wanted:
            following.follow(runs, wanted, voice, begin=begin, name="the proof")
    following.demand([runs.summary(run_id) for run_id in proof.run_ids], None)
    return proof


def _is_finished(runs: Runs, run_id: str) -> bool:
    return runs.progress(run_id).state == "finished"


def _words(info: FineTuneInfo, found: Sequence[PartFound]) -> str:
    from crucible_api import proof as proofs

    lines = [_held_out(info)]
    if found:
        lines.append(proofs.answer(found, info.row.name))
    return "\n".join(line for line in lines if line)


def _held_out(info: FineTuneInfo) -> str:
    from crucible_tasks.perplexity import perplexity_change

    record = _record(info)
    if record is None:
        return ""
    if record.perplexity is None or record.perplexity_before is None:
        return "nothing was held out, so nothing tells how well it predicts files it has not seen"
    found = perplexity_change(record.held_out_files)
    return (
        f"files it has not seen: perplexity {record.perplexity_before:.2f} before, "
        f"{record.perplexity:.2f} after" + (f"; {found.sentence}" if found else "")
    )


def _record(info: FineTuneInfo) -> AdapterRecord | None:
    import msgspec

    from crucible_tasks.fine_tuning import AdapterRecord

    return None if info.adapter is None else msgspec.convert(info.adapter.record, AdapterRecord)


def _row(one: PartFound, n: int) -> list[str]:
    from crucible_api.cli.report import score_text

    name = f"{one.part.name} ({one.comparison.challenges})"
    return [
        name,
        str(n),
        score_text(one.base),
        score_text(one.new),
        str(len(one.comparison.wins)),
        str(len(one.comparison.losses)),
    ]
