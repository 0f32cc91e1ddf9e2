"""`crucible challenges build`: a private benchmark from a repository's functions and tests."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crucible_api.cli import files, hands, options
from crucible_api.cli.output import Column, Voice, plural
from crucible_infra.errors import CrucibleError

if TYPE_CHECKING:
    from crucible_api.private_benchmark import Built, Row, Wish
    from crucible_tasks.repository.snapshot import Snapshot

COLUMNS = (Column("functions", is_number=True), Column(""))

#: every one of them costs a judging; most wrong answers differ from the right one in more than one
#: place, so tests that notice three of the smallest mistakes notice those
DEFAULT_MUTANTS = 3

EPILOG = """\b
Examples:
  crucible challenges build .
  crucible challenges build ~/src/shop --python ~/src/shop/.venv --output shop.jsonl
  crucible benchmark -m ollama:qwen2.5-coder:1.5b -d shop.jsonl

A function at the top level of a module, or of a class there, becomes a challenge when tests call
it that pass with the original, fail with an empty body and fail with at least --mutants small
mistakes in it (all that can be made where there are fewer, one at least). The file carries the
repository, so it is all that is needed to run it, with the packages that the repository imports at
the same place. Nothing of the repository runs outside the sandbox.
"""


@click.command(epilog=EPILOG)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N challenges.")
@click.option(
    "--mutants",
    type=click.IntRange(min=1),
    metavar="N",
    default=DEFAULT_MUTANTS,
    show_default=True,
    help="How many mutants of a function its tests must fail.",
)
@click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="What has the repository's packages: a virtual environment, its Python, or a directory "
    "of packages.  [default: DIR/.venv, else where crucible is installed]",
)
@options.output("The challenges, by default NAME-challenges.jsonl here.")
@options.speaking
def command(
    voice: Voice,
    *,
    directory: Path,
    limit: int | None,
    mutants: int,
    pythons: tuple[Path, ...],
    output: str | None,
    is_forced: bool,
) -> None:
    """Make challenges from the functions and methods of a repository that its tests call."""
    from crucible_api import private_benchmark
    from crucible_api.cli.installed_packages import package_directories
    from crucible_tasks.repository.snapshot import take_snapshot

    name = re.sub(r"[^A-Za-z0-9_]+", "-", directory.resolve().name).strip("-") or "private"
    output = output or f"{name}-challenges.jsonl"
    files.check_writable(output, is_forced=is_forced, is_json=voice.is_json)
    snapshot = take_snapshot(directory)
    packages = package_directories(directory, pythons)
    with hands.judging_hands(voice):
        wish = private_benchmark.Wish(name, packages, limit, mutants, hands.cores())
        built = build(snapshot, wish, voice)
    _tell(built, output, voice)


def build(snapshot: Snapshot, wish: Wish, voice: Voice) -> Built:
    """Build one with its progress on stderr; needs workers. Raises CrucibleError."""
    from crucible_api import private_benchmark
    from crucible_api.cli.progress import Meter, Standing

    began = time.monotonic()
    voice.talk(f"running the tests of {plural(len(snapshot.files), 'file')} in the sandbox")
    found = private_benchmark.survey(snapshot, wish.packages)
    passed = sum(test.problem is None for test in found.tests)
    voice.talk(
        f"{passed} of {plural(len(found.tests), 'test')} pass ({time.monotonic() - began:.0f} s)"
    )
    for problem in found.problems:
        voice.warn(f"not collected: {problem}")
    with Meter(voice) as meter:
        return private_benchmark.build(
            snapshot,
            found,
            wish,
            lambda done, total: meter.show(Standing(total, total, done, total - done)),
        )


def _tell(built: Built, output: str, voice: Voice) -> None:
    from crucible_tasks.challenges import write_rows

    kept = [row for row in built.rows if row.reason is None]
    if kept:
        files.write(output, write_rows(built.dataset).decode().splitlines(), voice)
    if voice.is_json:
        voice.data(
            {
                "dataset": output if kept else None,
                "kept": len(kept),
                "dropped": dict(_reasons(built.rows)),
                "unseen": built.unseen,
                "problems": list(built.problems),
                "functions": [asdict(row) for row in built.rows],
            }
        )
    elif output != files.STDOUT:
        rows = [[str(len(kept)), "kept"]]
        rows += [[str(count), f"dropped: {reason}"] for reason, count in _reasons(built.rows)]
        if built.unseen:
            rows.append([str(built.unseen), "not looked at, because of --limit"])
        voice.table(COLUMNS, rows)
    if not kept:
        raise CrucibleError(
            "no function is fit to be a challenge", hint="--json says why, for each of them"
        )
    voice.talk(f"crucible benchmark -m MODEL -d {output}")


def _reasons(rows: tuple[Row, ...]) -> list[tuple[str, int]]:
    return Counter(row.reason for row in rows if row.reason is not None).most_common()
