"""`crucible corpus build`: a source tree to training examples, and what was left out and why."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crucible_api.cli import files, options
from crucible_api.cli.output import Voice
from crucible_infra.errors import EmptyCorpus, InvalidInput
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_tasks.challenges.dataset import Dataset
    from crucible_tasks.corpus.corpus import Corpus

#: what the extra brings for this command, as it is imported
_NEEDED = ("datasketch", "detect_secrets", "pathspec")

EPILOG = """\b
Examples:
  crucible corpus build . --dry-run                what would be trained on, and what not and why
  crucible corpus build . --instructions           with pairs from docstrings and commits
  crucible corpus build . --private own.jsonl      without the functions of your own benchmark
  crucible corpus build . -o corpus.jsonl          a file; without it, the digest in the store

Needs codecrucible[train]. .gitignore holds; .crucibleignore has the same form and goes before it,
so `!path` there brings a file back. Secrets, other people's and generated code, duplicates, and
whatever overlaps HumanEval, a dataset in the cache or --dataset are left out. The same tree gives
the same bytes. A tree of which nothing is left exits 2.
"""


@click.command(epilog=EPILOG)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@options.output("Write the corpus there, as JSON Lines.")
@click.option("--dry-run", is_flag=True, help="Print the report and keep nothing.")
@click.option(
    "-d",
    "--dataset",
    "datasets",
    multiple=True,
    metavar="NAME|FILE",
    help="Keep this benchmark out too; may be repeated.",
)
@click.option(
    "--private", metavar="FILE", help="A benchmark of this tree's own functions: keep them out."
)
@click.option("--instructions", is_flag=True, help="Add pairs from docstrings and commits.")
@click.option(
    "--held-out",
    type=click.FloatRange(0, 0.5),
    default=0.1,
    show_default=True,
    metavar="SHARE",
    help="Of the characters, kept from training to measure it.",
)
@options.speaking
def command(
    voice: Voice,
    *,
    directory: Path,
    output: str | None,
    is_forced: bool,
    dry_run: bool,
    datasets: tuple[str, ...],
    private: str | None,
    instructions: bool,
    held_out: float,
) -> None:
    """Make training examples from a source tree or git repository, and say what was left out."""
    require_extra()
    if not dry_run:
        files.check_writable(output, is_forced=is_forced, is_json=voice.is_json)
    from crucible_api.cli import corpus_report
    from crucible_api.cli.steps import Steps
    from crucible_tasks.challenges import open_dataset
    from crucible_tasks.corpus.build import build_corpus
    from crucible_tasks.corpus.options import CorpusOptions

    chosen = CorpusOptions(
        datasets=screened(datasets),
        private=open_dataset(private) if private else None,
        held_out_share=held_out,
        has_pairs=instructions,
    )
    with Steps(voice) as steps:
        corpus = build_corpus(directory, chosen, steps.tell)
    for note in corpus.report.notes:
        voice.warn(note)
    if dry_run:
        corpus_report.show(corpus, voice)
    if not corpus.documents:
        raise empty(directory, corpus)
    if not dry_run:
        _deliver(corpus, output, voice)


def require_extra() -> None:
    """Say in one line what to install when the extra for training is not there."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise InvalidInput(
            f"building a corpus needs {', '.join(missing)}, not installed",
            hint="pip install 'codecrucible[train]'",
        )


def screened(names: tuple[str, ...]) -> tuple[Dataset, ...]:
    """Every benchmark that lies on this host, and those asked for."""
    from crucible_tasks.challenges import known, open_dataset

    here = known.here(current().cache_directory / "datasets")
    return tuple(open_dataset(name) for name in dict.fromkeys((*here, *names)))


def _deliver(corpus: Corpus, output: str | None, voice: Voice) -> None:
    """Put the corpus where it was asked for; its digest, or the corpus itself, goes to stdout."""
    from crucible_api.cli import corpus_report
    from crucible_infra.artifacts import open_store
    from crucible_tasks.corpus.corpus import digest, encode

    data = encode(corpus)
    if output is None:
        open_store(current().artifacts_url).put(data)
    else:
        files.write(output, data.decode().split("\n")[:-1], voice)
    voice.talk(corpus_report.summary(corpus))
    if voice.is_json:
        voice.data(corpus_report.as_object(corpus))
    elif output != files.STDOUT:
        voice.answer(digest(data))


def empty(directory: Path, corpus: Corpus) -> EmptyCorpus:
    """What to raise for a tree of which nothing is left."""
    counts = corpus.report.dropped_by_reason()
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    return EmptyCorpus(
        f"{directory}: nothing is left to train on",
        hint=f"left out: {reasons}" if reasons else "there are no files",
    )
