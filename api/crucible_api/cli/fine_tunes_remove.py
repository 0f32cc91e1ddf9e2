"""`crucible fine-tunes remove`: forget a fine-tune and its model, and free the name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.fine_tunes import HELP
from crucible_api.cli.output import Voice, plural
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.fine_tune_reports import FineTuneInfo

EPILOG = f"""The runs of its proof and of benchmarks stay, and say what it was called. {HELP}"""


@click.command(epilog=EPILOG)
@click.argument("name", metavar="FINE_TUNE")
@click.option("-y", "--yes", "is_sure", is_flag=True, help="Do not ask.")
@options.speaking
def command(voice: Voice, *, name: str, is_sure: bool) -> None:
    """Forget a fine-tune, its model and its checkpoints; its name can be given again."""
    from crucible_api.fine_tune_service import open_fine_tunes

    fine_tunes = open_fine_tunes(current())
    info = fine_tunes.find(name)
    if not is_sure:
        _ask(info)
    gone = fine_tunes.forget(info.row.id, voice.warn)
    if voice.is_json:
        voice.data(
            {"fine_tune": info.row.id, "name": info.row.name, "artifacts_removed": list(gone)}
        )
    else:
        own = f", with {plural(len(gone), 'artifact')} of its own" if gone else ""
        voice.talk(f"{info.row.name} is removed{own}")


def _ask(info: FineTuneInfo) -> None:
    import sys

    what = "and its model" if info.adapter else "which has made no model"
    if not sys.stdin.isatty():
        hint = "add --yes, or answer on a terminal"
        raise InvalidInput(f"{info.row.name} would be removed for ever, {what}", hint=hint)
    click.confirm(f"remove {info.row.name} {what} for ever?", abort=True, err=True)
