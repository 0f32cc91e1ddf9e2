"""`crucible fine-tunes follow`: watch a fine-tune until it is done and proved."""

from __future__ import annotations

import click

from crucible_api.cli import options
from crucible_api.cli.fine_tunes import HELP
from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current

EPILOG = f"""Ctrl-C leaves it alone. {HELP}"""


@click.command(epilog=EPILOG)
@click.argument("name", metavar="FINE_TUNE")
@options.speaking
def command(voice: Voice, *, name: str) -> None:
    """Watch a fine-tune until it is done, then prove it as it was wished, and print the answer."""
    from crucible_api.cli import conclusion, interruption, training_watch
    from crucible_api.cli.hands import run_hands
    from crucible_api.fine_tune_service import open_fine_tunes

    fine_tunes = open_fine_tunes(current())
    found = fine_tunes.find(name)
    if found.state == "planned":
        hint = f"crucible fine-tunes resume {found.row.id}"
        raise InvalidInput(f"fine-tune {found.row.id} was never started", hint=hint)
    try:
        info = training_watch.follow(fine_tunes, found.row.id, voice)
    except KeyboardInterrupt as interrupt:
        stop = f"crucible fine-tunes stop {found.row.id}"
        interruption.say(interrupt, f"still training; {stop}", voice)
        raise
    with run_hands(voice):
        conclusion.conclude(info, voice, is_mine=current().runs_here)
