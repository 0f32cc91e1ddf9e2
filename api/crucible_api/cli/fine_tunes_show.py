"""`crucible fine-tunes show`: one fine-tune's losses, perplexity and proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.fine_tunes import HELP
from crucible_api.cli.output import Column, Voice, duration
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.fine_tune_reports import FineTuneInfo
    from crucible_infra.fine_tune_rows import StepRow

#: lines of the loss curve where not all are wanted
_SHOWN_STEPS = 12

STEP_COLUMNS = (
    Column("step", is_number=True),
    Column("loss", is_number=True),
    Column("held out", is_number=True),
    Column("tokens/s", is_number=True),
    Column("MFU", is_number=True),
)


@click.command(epilog=HELP)
@click.argument("name", metavar="FINE_TUNE")
@click.option("--steps", "with_steps", is_flag=True, help="Every step of the training.")
@options.speaking
def command(voice: Voice, *, name: str, with_steps: bool) -> None:
    """Show how a fine-tune went, and what its proof says."""
    from crucible_api import proof as proofs
    from crucible_api import proof_runs
    from crucible_api.cli import conclusion
    from crucible_api.fine_tune_service import open_fine_tunes
    from crucible_api.run_service import open_runs

    fine_tunes = open_fine_tunes(current())
    info = fine_tunes.find(name)
    steps = fine_tunes.steps(info.row.id)
    proof = proof_runs.proof_of(info)
    runs = open_runs(current())
    if voice.is_json:
        found = () if proof is None else tuple(proofs.found(runs, proof))
        more = {"steps": [asdict(step) for step in steps]} if with_steps else {}
        voice.data(conclusion.as_object(info, found) | more)
        return
    _show(info, steps if with_steps else _some(steps), voice)
    conclusion.show(runs, info, proof, voice)
    if info.can_go_on:
        voice.talk(f"go on: crucible fine-tunes resume {info.row.name}")


def _show(info: FineTuneInfo, steps: Sequence[StepRow], voice: Voice) -> None:
    row = info.row
    seconds = info.seconds
    took = "" if seconds is None else f", {duration(seconds)} of training"
    voice.answer(f"{row.id}: {row.model} as {row.name}: {info.state}{took}")
    if info.waits is not None:
        voice.answer(info.waits)
    if row.reason is not None and info.adapter is None:
        voice.answer(f"last failure: {row.reason}")
    for note in row.notes:
        voice.answer(f"  {note}")
    if steps:
        voice.table(STEP_COLUMNS, [_row(step) for step in steps])


def _some(steps: Sequence[StepRow]) -> Sequence[StepRow]:
    """Evenly chosen ones, the first and the last among them."""
    if len(steps) <= _SHOWN_STEPS:
        return steps
    last = len(steps) - 1
    return [steps[round(i * last / (_SHOWN_STEPS - 1))] for i in range(_SHOWN_STEPS)]


def _row(step: StepRow) -> list[str]:
    return [
        str(step.step),
        "" if step.loss is None else f"{step.loss:.4f}",
        "" if step.held_out_loss is None else f"{step.held_out_loss:.4f}",
        "" if step.tokens_per_second is None else f"{step.tokens_per_second:,.0f}",
        "" if step.mfu is None else f"{100 * step.mfu:.0f} %",
    ]
