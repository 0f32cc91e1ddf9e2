"""What a fine-tune came to: its proof is run where one was wished for, and said in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crucible_api import proof_runs
from crucible_api.cli import proving
from crucible_api.cli.output import Column, Voice
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.fine_tune_reports import FineTuneInfo
    from crucible_api.proof import PartFound
    from crucible_api.run_service import RunService
    from crucible_tasks.proof import Proof

COLUMNS = (
    Column("challenges", style="bold"),
    Column("n", is_number=True),
    Column("base pass@1  [95 %]", is_number=True),
    Column("new pass@1  [95 %]", is_number=True),
    Column("better", is_number=True),
    Column("worse", is_number=True),
)


def conclude(info: FineTuneInfo, voice: Voice, *, is_mine: bool = True) -> None:
    """Prove a finished fine-tune as it was wished, needing workers, and print what it came to.

    Raises RunIncomplete when a proof lacks verdicts.
    """
    from crucible_api.run_service import open_runs

    voice.talk(f"registered: crucible benchmark --model {info.row.name}")
    proof = proof_runs.proof_of(info)
    if proof is not None:
        proving.prove(info, proof, voice, is_mine=is_mine)
    show(open_runs(current()), info, proof, voice)


def show(runs: RunService, info: FineTuneInfo, proof: Proof | None, voice: Voice) -> None:
    """Print what is known by now."""
    from crucible_api import proof as proofs
    from crucible_api.fine_tune_report import overlaps, proof_standing

    found = () if proof is None else tuple(proofs.found(runs, proof))
    if voice.is_json:
        voice.data(as_object(info, found))
        return
    if found:
        voice.table(COLUMNS, [_row(one, proof.n if proof else 1) for one in found])
        voice.answer("")
    lines = (_words(info, found), *overlaps(found), proof_standing(runs, info, proof))
    voice.answer("\n".join(line for line in lines if line))


def as_object(info: FineTuneInfo, found: Sequence[PartFound]) -> dict[str, Any]:
    """A fine-tune as one object for programs."""
    from dataclasses import asdict

    from crucible_api.fine_tune_report import record_of
    from crucible_tasks.perplexity import perplexity_change

    row, adapter, record = info.row, info.adapter, record_of(info)
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
                "shared_with_corpus": one.part.shared,
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


def _words(info: FineTuneInfo, found: Sequence[PartFound]) -> str:
    from crucible_api import proof as proofs
    from crucible_api.fine_tune_report import held_out

    lines = [held_out(info)]
    if found:
        lines.append(proofs.answer(found, info.row.name))
    return "\n".join(line for line in lines if line)


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
