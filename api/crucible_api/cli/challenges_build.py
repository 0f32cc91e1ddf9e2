"""`crucible challenges build`: a private benchmark from a repository's functions and tests.

A repository in both languages gives challenges in both, one language after the other.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crucible_api.cli import files, hands, options
from crucible_api.cli.output import Column, Voice, plural
from crucible_infra.errors import CrucibleError
from crucible_tasks.challenge import Language

if TYPE_CHECKING:
    from crucible_api.private_benchmark import Built, Row, Wish
    from crucible_tasks.repository.snapshot import Snapshot

COLUMNS = (Column("functions", is_number=True), Column(""))

#: every one of them costs a judging; most wrong answers differ from the right one in more than one
#: place, so tests that notice three of the smallest mistakes notice those
DEFAULT_MUTANTS = 3

_SPOKEN = {Language.PYTHON: "Python", Language.JAVASCRIPT: "JavaScript"}

EPILOG = """\b
Examples:
  crucible challenges build .
  crucible challenges build ~/src/shop --python ~/src/shop/.venv --output shop.jsonl
  crucible challenges build ~/src/cart --language javascript
  crucible benchmark -m ollama:qwen2.5-coder:1.5b -d shop.jsonl

A function at the top level of a module, or in Python of a class there, becomes a challenge when
tests call it (pytest's; in JavaScript those that `node --test` finds) that pass with the original,
fail with an empty body and fail with at least --mutants small mistakes in it (all that can be made
where there are fewer, one at least). The file carries the repository, so it is all that is needed
to run it, with the packages that the repository imports at the same place. Nothing of the
repository runs outside the sandbox.
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
@click.option(
    "--language",
    type=click.Choice([Language.PYTHON.value, Language.JAVASCRIPT.value]),
    help="Only the tests and functions in this one.  [default: every one that has tests]",
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
    language: str | None,
    output: str | None,
    is_forced: bool,
) -> None:
    """Make challenges from the functions and methods of a repository that its tests call."""
    from crucible_tasks.repository.snapshot import take_snapshot

    output = output or f"{_name(directory)}-challenges.jsonl"
    files.check_writable(output, is_forced=is_forced, is_json=voice.is_json)
    snapshot = take_snapshot(directory)
    chosen = None if language is None else Language(language)
    wishes = wishes_for(directory, snapshot, pythons, chosen)
    wishes = [replace(wish, limit=limit, mutants=mutants) for wish in wishes]
    with hands.judging_hands(voice):
        built = build(snapshot, wishes, voice)
    _tell(built, output, voice)


def wishes_for(
    directory: Path,
    snapshot: Snapshot,
    pythons: tuple[Path, ...] = (),
    chosen: Language | None = None,
) -> list[Wish]:
    """What to ask for, one for each language. Raises InvalidInput."""
    from crucible_api.cli.installed_packages import node_modules, package_directories
    from crucible_api.private_benchmark import Wish
    from crucible_tasks.repository.dialects import languages_of

    wishes = []
    for language in languages_of(snapshot, chosen):
        is_python = language is Language.PYTHON
        packages = package_directories(directory, pythons) if is_python else node_modules(directory)
        wishes.append(
            Wish(_name(directory), packages, None, DEFAULT_MUTANTS, hands.cores(), language)
        )
    return wishes


def build(snapshot: Snapshot, wishes: Sequence[Wish], voice: Voice) -> Built:
    """Build one with its progress on stderr; needs workers. Raises CrucibleError."""
    from crucible_api.private_benchmark import joined

    parts: list[Built] = []
    for number, wish in enumerate(wishes, 1):
        try:
            parts.append(_build(snapshot, _left(wish, parts), voice))
        except CrucibleError as error:
            # of two languages one may have no tests that can be run
            if number == len(wishes) and not parts:
                raise
            voice.warn(f"no challenges in {wish.language}: {error.message}")
        if wish.limit is not None and sum(_kept(part) for part in parts) >= wish.limit:
            break
    return joined(parts)


def _left(wish: Wish, parts: Sequence[Built]) -> Wish:
    if wish.limit is None:
        return wish
    return replace(wish, limit=wish.limit - sum(_kept(part) for part in parts))


def _kept(built: Built) -> int:
    return len(built.dataset.challenges)


def _name(directory: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", directory.resolve().name).strip("-") or "private"


def _build(snapshot: Snapshot, wish: Wish, voice: Voice) -> Built:
    from crucible_api import private_benchmark
    from crucible_api.cli.progress import Meter, Standing

    began = time.monotonic()
    voice.talk(
        f"running the {_SPOKEN[wish.language]} tests of {plural(len(snapshot.files), 'file')} in "
        "the sandbox"
    )
    found = private_benchmark.survey(snapshot, wish)
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
