"""`crucible fine-tunes list`: the latest fine-tunes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.fine_tune_reports import FineTuneInfo

COLUMNS = (
    Column("fine-tune", style="bold", is_whole=True),
    Column("started", is_whole=True, is_extra=True),
    Column("state", is_whole=True),
    Column("name"),
    Column("model"),
    Column("directory", is_extra=True),
    Column("perplexity", is_number=True),
)


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@options.speaking
def command(voice: Voice, *, limit: int) -> None:
    """List the latest fine-tunes, newest first."""
    from crucible_api.cli.conclusion import as_object
    from crucible_api.fine_tune_service import open_fine_tunes

    found = open_fine_tunes(current()).newest(limit)
    if voice.is_json:
        voice.data([as_object(info, ()) for info in found])
    elif found:
        voice.table(COLUMNS, [_row(info) for info in found])
        for info in found:
            if info.state == "failed":
                voice.talk(f"{info.row.id} failed: {info.row.reason}")
    else:
        voice.talk("no fine-tunes yet; start with: crucible fine-tune")


def _row(info: FineTuneInfo) -> list[str]:
    row = info.row
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created_at))
    directory = str(row.manifest.get("directory", ""))
    return [row.id, started, str(info.state), row.name, row.model, directory, _perplexity(info)]


def _perplexity(info: FineTuneInfo) -> str:
    record = {} if info.adapter is None else info.adapter.record
    before, after = record.get("perplexity_before"), record.get("perplexity")
    return "" if before is None or after is None else f"{before:.2f} → {after:.2f}"
