"""`crucible logs show`: one conversation, word for word."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_api.cli.registered_names import with_names
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.conversations import Conversation
    from crucible_infra.database.conversations import ExchangeRow

EPILOG = """\b
Examples:
  crucible logs show latest
  crucible logs show 3f9a --last            the last answer alone
  crucible logs show latest --json | jq -r '.exchanges[-1].seed'

ID is a conversation's id, its beginning, its last four characters, or `latest`.
"""


@click.command(epilog=EPILOG)
@click.argument("conversation", metavar="ID", default="latest")
@click.option("--last", "is_last", is_flag=True, help="Only the last answer.")
@options.speaking
def command(voice: Voice, *, conversation: str, is_last: bool) -> None:
    """Show a conversation: what was sent, who answered, what was said."""
    from crucible_api.cli.answer_report import show
    from crucible_api.conversations import open_conversations

    found = open_conversations(current()).find(conversation)
    if voice.is_json:
        shown = found.exchanges[-1:] if is_last else found.exchanges
        voice.data(asdict(found) | {"exchanges": [asdict(each) for each in shown]})
    elif is_last:
        show(found.exchanges[-1].answer)
    else:
        show(_told(found))


def _told(found: Conversation) -> str:
    parts = [f"conversation {found.id}"]
    if found.system:
        parts.append(f"--- system\n{found.system.rstrip()}")
    parts += [_exchange(each) for each in found.exchanges]
    return "\n\n".join(parts)


def _exchange(each: ExchangeRow) -> str:
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each.asked_at))
    ended = "" if each.finish == "stop" else f", {each.finish}"
    who = f"--- {with_names(each.model)}, seed {each.seed}, {each.seconds:.1f} s{ended}"
    return f"--- you, {moment}\n{each.prompt.rstrip()}\n\n{who}\n{each.answer.rstrip()}"
