"""`crucible demo`: benchmark, fine-tune, proof and page with a toy model, within minutes."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import click

from crucible_api.cli import options
from crucible_api.cli.output import Speaker, Voice
from crucible_infra.settings import current

#: answers per challenge: few, so that a person has the patience to see the end
_N = 3

EPILOG = """\b
What it does, and what you can do yourself:
  crucible benchmark --model nano --dataset starter -n 3
  crucible fine-tune --model nano --directory DIR --new-model-name NAME
  crucible serve                             the page with all of it, until Ctrl-C

DIR is a small repository that it writes, whose words no model can know. nano is a toy of 0.9
million parameters, so its numbers say nothing about code models: they are there to be seen. Needs
codecrucible[train].
"""


@click.command(epilog=EPILOG)
@click.option(
    "--directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where to write the repository; a new one.  [default: a temporary one]",
)
@click.option(
    "--page/--no-page",
    "has_page",
    default=None,
    help="Serve the page at the end, until Ctrl-C.  [default: on a terminal]",
)
@options.speaking
@options.on_this_host
def command(voice: Voice, *, directory: Path | None, has_page: bool | None) -> None:
    """Benchmark a toy model, fine-tune it on a small repository, prove the gain, and look at it."""
    if directory is not None:
        _walk_through(directory, voice)
    else:
        with tempfile.TemporaryDirectory(prefix="crucible-demo-") as place:
            _walk_through(Path(place) / "orchard", voice)
    is_watched = sys.stdin.isatty() and sys.stdout.isatty() and not voice.is_json
    if is_watched if has_page is None else has_page:
        # the usual port may be that of a server which is there already
        _do(["serve", "--port", "0"], voice)
    else:
        voice.talk("look at all of it: crucible serve")


def _walk_through(directory: Path, voice: Voice) -> None:
    from crucible_tasks import demo_repository

    demo_repository.write(directory)
    name = _free_name()
    # for programs the proof says as much, and one document is one document
    if not voice.is_json:
        _do(["benchmark", "--model", "nano", "--dataset", "starter", "-n", str(_N)], voice)
    words = ["--model", "nano", "--directory", str(directory), "--new-model-name", name]
    _do(["fine-tune", *words, "--proof-n", str(_N)], voice)
    voice.talk(f"\nthe new model is there: crucible benchmark --model {name} --dataset starter")


def _free_name() -> str:
    from crucible_api.fine_tunes import open_fine_tunes
    from crucible_infra.errors import NameTaken

    fine_tunes = open_fine_tunes(current())
    for number in count(1):
        name = "nano-orchard" if number == 1 else f"nano-orchard-{number}"
        try:
            fine_tunes.demand_free(name)
        except NameTaken:
            continue
        return name
    raise AssertionError


def _do(words: Sequence[str], voice: Voice) -> None:
    """One command, as if it had been typed."""
    from crucible_api.cli.root import root

    voice.talk(f"\n$ crucible {shlex.join(words)}")
    flags = [*(["--json"] if voice.is_json else []), *(["--quiet"] if voice.is_quiet else [])]
    all_words = [*words, *flags, "--color", voice.color]
    with root.make_context("crucible", all_words, obj=Speaker()) as context:
        root.invoke(context)
