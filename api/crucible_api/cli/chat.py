"""`crucible chat`, and `crucible --interactive`: a conversation with a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from crucible_api.cli import asking_options, options
from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_tasks.sampling import Sampling

EPILOG = """\b
Examples:
  crucible chat
  crucible chat -m ollama:qwen2.5-coder:1.5b "a function that parses ISO dates"
  crucible chat -c                         go on with the latest conversation

Ctrl-C stops an answer, twice it leaves; Ctrl-D leaves. Alt-Enter begins a new line, and so does
everything between two lines of three double quotes. /help lists the commands: /run runs the last
code block in the sandbox, /fix tells the model how it failed, /save writes it to a file.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asked for."""

    model: str | None
    system: str | None
    #: an id, `latest`, or None for a new one
    conversation: str | None
    sampling: Sampling
    #: of the first answer; the next ones count on from it
    seed: int | None
    is_logged: bool


@click.command(name="chat", epilog=EPILOG)
@click.argument("words", metavar="[PROMPT]…", nargs=-1)
@click.option("-m", "--model", metavar="SPEC", help="Who answers.  [default: see README]")
@click.option("-s", "--system", metavar="TEXT", help="What the model is told to be.")
@asking_options.conversing
@asking_options.sampling_options
@click.option("--no-log", "is_logged", flag_value=False, default=True, help="Log nothing.")
@options.speaking
def command(
    voice: Voice,
    *,
    words: tuple[str, ...],
    continues: bool,
    cid: str | None,
    max_tokens: int,
    temperature: float,
    **rest: Any,
) -> None:
    """Talk with a model; run what it writes, and let it fix that."""
    from crucible_tasks.sampling import Sampling

    wish = Wish(
        conversation=cid or ("latest" if continues else None),
        sampling=Sampling(temperature=temperature, max_tokens=max_tokens),
        **rest,
    )
    start(wish, " ".join(words), voice)


def start(wish: Wish, first: str, voice: Voice) -> None:
    """Open the model and talk until the user leaves."""
    if voice.is_json:
        raise InvalidInput(
            "a chat is for people and has no --json", hint='crucible ask "a question" --json'
        )
    from crucible_api.cli.answering_model import open_model
    from crucible_api.cli.chat_commands import Commands
    from crucible_api.cli.chat_input import open_input
    from crucible_api.cli.chat_loop import Loop
    from crucible_api.cli.chat_talk import Talk
    from crucible_api.conversations import open_conversations

    begun = None
    if wish.conversation is not None:
        begun = open_conversations(current()).find(wish.conversation)
    answerer = open_model(wish.model or (begun.model if begun else None), voice)
    talk = Talk(answerer, wish.sampling, voice, seed=wish.seed, is_logged=wish.is_logged)
    try:
        talk.begin(wish.system, begun)
        lines = open_input(current(), is_logged=wish.is_logged)
        Loop(talk, Commands(talk, voice), lines, voice).run(first)
    finally:
        talk.close()
