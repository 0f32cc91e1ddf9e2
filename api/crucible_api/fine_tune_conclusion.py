"""What a fine-tune came to, in the words of every door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from crucible_tasks.fine_tuning import AdapterRecord
from crucible_tasks.perplexity import perplexity_change
from crucible_tasks.registered import overlap_sentence

if TYPE_CHECKING:
    from crucible_api.fine_tune_reports import FineTuneInfo
    from crucible_api.proof import PartFound
    from crucible_api.run_service import ProgressTeller
    from crucible_tasks.proof import Proof


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
    if all(one.state == "finished" for one in all_of_it):
        return ""
    judged, planned = (sum(getattr(o, name) for o in all_of_it) for name in ("judged", "planned"))
    states = ", ".join(dict.fromkeys(str(one.state) for one in all_of_it))
    return f"the proof: {judged} of {planned} answers judged; its runs are {states}"
