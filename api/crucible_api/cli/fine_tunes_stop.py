"""`crucible fine-tunes stop`: stop a fine-tune after a checkpoint."""

from __future__ import annotations

import click

from crucible_api.cli import options
from crucible_api.cli.fine_tunes import HELP
from crucible_api.cli.output import Voice
from crucible_infra.settings import current


@click.command(epilog=HELP)
@click.argument("name", metavar="FINE_TUNE")
@options.speaking
def command(voice: Voice, *, name: str) -> None:
    """Stop a fine-tune; its worker leaves a checkpoint, from which `resume` goes on.

    Works from any machine that reaches the database or the server.
    """
    from crucible_api.fine_tune_service import open_fine_tunes

    fine_tunes = open_fine_tunes(current())
    found = fine_tunes.find(name)
    if fine_tunes.stop(found.row.id):
        voice.talk(f"stopped; nothing is lost: crucible fine-tunes resume {found.row.id}")
    else:
        voice.talk(f"{found.row.id} is {found.state}: there is nothing to stop")
    if voice.is_json:
        row = fine_tunes.info(found.row.id)
        voice.data({"fine_tune": row.row.id, "state": str(row.state)})
