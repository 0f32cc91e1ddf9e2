"""`crucible corpus show`: what a corpus holds, and what was left out and why."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_infra.errors import FormatError, InvalidInput
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_tasks.corpus.corpus import Corpus

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")

EPILOG = """\b
Examples:
  crucible corpus show corpus.jsonl
  crucible corpus show DIGEST --json | jq -r '.secrets[].path'

CORPUS is a file, or the digest that `crucible corpus build` printed.
"""


@click.command(epilog=EPILOG)
@click.argument("corpus", metavar="CORPUS")
@options.speaking
def command(voice: Voice, *, corpus: str) -> None:
    """Show what a corpus holds, and every file that was left out."""
    from crucible_api.cli import corpus_report

    corpus_report.show(opened(corpus), voice)


def opened(name: str) -> Corpus:
    """The corpus of a digest or a file's path.

    Raises ArtifactMissing, or InvalidInput naming the file.
    """
    from crucible_infra.artifacts import open_store
    from crucible_tasks.corpus.corpus import decode

    digest = _DIGEST.fullmatch(name)
    if digest:
        return decode(open_store(current().artifacts_url).get(digest[1]))
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        hint = "CORPUS is a file, or a digest of 64 letters and digits"
        raise InvalidInput(f"{name}: {error.strerror}", hint=hint) from error
    try:
        return decode(data)
    except FormatError as error:
        raise FormatError(f"{name}: {error.message}", hint=error.hint) from error
