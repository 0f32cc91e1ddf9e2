"""Prints what `crucible challenges build` makes of published packages that nobody chose.

    python tests/performance/private_benchmarks.py [NAME ...] [--list FILE --seed N --among N]
        [--limit N] [--folder DIR]

Each package's source archive is fetched by pip and unpacked, installed with its test requirements
in a virtual environment of its own, and built. Then the originals are judged (`benchmark -m
reference`) and empty bodies (`evaluate`). One line per package: every function kept or dropped and
why, or what ended it before: no tests in the archive, a compiled extension, tests that cannot run.

Names come from the command line, or are drawn: `--list` is a table with a header, tabs between its
columns, a package's `name` in the first and its rank by downloads in the one called `rank…`. Of
the `--among` best ranked those stay whose first word (`google-`, `types-`) no other one has, since
families of generated clients are one package many times. `--seed` gives their order; they are
taken one after the other until three have 30 challenges. `--limit` stops each build after so many
challenges, since packages with thousands of methods take an hour. Installing runs a package's own
setup code, so this is for a machine that has nothing to lose.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from crucible_tasks.challenges import open_dataset

#: packages with so many challenges, and how many of those
_ENOUGH, _WANTED = 30, 3
_COMPILED = (".c", ".cc", ".cpp", ".pyx", ".rs", ".go", ".f90")
#: what a package calls the requirements of its tests
_EXTRAS = ("test", "tests", "testing", "dev")
_FILES = ("requirements", "test-requirements", "dev-requirements")


class Ended(Exception):
    """Why a package is no benchmark."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one package."""

    name: str
    version: str
    #: None when it was built
    problem: str | None
    kept: int = 0
    dropped: tuple[tuple[str, int], ...] = ()
    #: pass rates of the originals and of empty bodies
    originals: float = 0.0
    empty: float = 0.0
    seconds: float = 0.0


def main() -> None:
    """Fetch, build and judge one package after the other."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--list", type=Path, help="a table of packages to draw from")
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--among", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="keep what was fetched and built here")
    parser.add_argument("--limit", type=int, help="challenges after which a build stops")
    options = parser.parse_args()
    names = options.names or list(_drawn(options.list, options.seed, options.among))
    folder = options.folder or Path(tempfile.mkdtemp())
    found = 0
    for name in names:
        outcome = _outcome(name, folder / name, options.limit)
        print(_line(outcome), flush=True)
        found += outcome.kept >= _ENOUGH
        if found == _WANTED and not options.names:
            return


def _drawn(table: Path, seed: int, among: int) -> Iterator[str]:
    header, *rows = [line.split("\t") for line in table.read_text().splitlines()]
    rank = next(place for place, title in enumerate(header) if title.startswith("rank"))
    ranks = {row[0]: int(row[rank]) for row in rows if row[rank].isdigit()}
    best = [name for name, place in ranks.items() if place <= among]
    families = Counter(name.partition("-")[0] for name in best)
    alone = sorted(name for name in best if families[name.partition("-")[0]] == 1)
    yield from random.Random(seed).sample(alone, len(alone))


def _outcome(name: str, folder: Path, limit: int | None) -> Outcome:
    version = "?"
    try:
        tree = _fetch(name, folder)
        version = tree.name.rpartition("-")[2]
        _check(tree)
        python = _install(tree, folder / "venv")
        built, seconds = _build(tree, python, folder, limit)
        return _judged(name, version, built, seconds, folder)
    except Ended as error:
        return Outcome(name, version, str(error))


def _fetch(name: str, folder: Path) -> Path:
    """The unpacked source archive."""
    archives = folder / "archive"
    if not archives.exists():
        words = ("download", "--no-deps", "--no-binary", name, "--dest", str(archives), name)
        _run([sys.executable, "-m", "pip", *words], "pip finds no source archive that it can read")
    (archive,) = archives.iterdir()
    tree = folder / "tree"
    if not tree.exists():
        if archive.suffix == ".zip":
            zipfile.ZipFile(archive).extractall(tree)
        else:
            with tarfile.open(archive) as packed:
                packed.extractall(tree, filter="data")
    (top,) = tree.iterdir()
    return top


def _check(tree: Path) -> None:
    files = [path.relative_to(tree) for path in tree.rglob("*") if path.is_file()]
    tests = [path for path in files if path.match("test*.py") or path.match("*_test.py")]
    if not tests:
        raise Ended("no tests in the source archive")
    compiled = [path for path in files if path.suffix in _COMPILED and not _is_test(path)]
    if compiled:
        raise Ended(f"a compiled extension ({compiled[0]})")


def _is_test(path: Path) -> bool:
    return bool({"test", "tests", "testing"} & set(path.parts))


def _install(tree: Path, venv: Path) -> Path:
    """A virtual environment with the package, pytest and what the tests ask for."""
    python = venv / "bin" / "python"
    if python.exists():
        return python
    _run([sys.executable, "-m", "venv", str(venv)], "no virtual environment")
    pip = [str(python), "-m", "pip", "install", "--quiet"]
    _run([*pip, "--upgrade", "pip"], "pip cannot be brought up to date")
    _run([*pip, "pytest", str(tree)], "its installation fails")
    for words in _requirements(tree):
        # a set of tools that cannot be had is no reason to leave out the tests that need none
        subprocess.run([*pip, *words], check=False, capture_output=True, cwd=tree)
    return python


def _requirements(tree: Path) -> Iterator[list[str]]:
    metadata = HeaderParser().parsestr((tree / "PKG-INFO").read_text())
    for extra in metadata.get_all("Provides-Extra", []):
        if extra in _EXTRAS:
            yield [f"{tree}[{extra}]"]
    for path in sorted(tree.rglob("*.txt")):
        is_asked = path.stem.startswith(_FILES) or path.parent.name == "requirements"
        if is_asked and any(word in str(path.relative_to(tree)) for word in _EXTRAS):
            yield ["-r", str(path)]
    project = tree / "pyproject.toml"
    groups = (
        tomllib.loads(project.read_text()).get("dependency-groups", {}) if project.exists() else {}
    )
    for group in _EXTRAS:
        if group in groups:
            yield ["--group", group]


def _build(
    tree: Path, python: Path, folder: Path, limit: int | None
) -> tuple[dict[str, Any], float]:
    """What `crucible challenges build` says, and how long it took."""
    began = time.monotonic()
    words = ["challenges", "build", str(tree), "--python", str(python), "--json", "--force"]
    words += ["--limit", str(limit)] if limit else []
    built = _crucible([*words, "--output", str(folder / "challenges.jsonl")], folder)
    (folder / "built.json").write_text(json.dumps(built, indent=1))
    return built, time.monotonic() - began


def _judged(
    name: str, version: str, built: dict[str, Any], seconds: float, folder: Path
) -> Outcome:
    dropped = tuple(built["dropped"].items())
    if not built["kept"]:
        return Outcome(name, version, None, 0, dropped, seconds=seconds)
    output = folder / "challenges.jsonl"
    dataset = ["--dataset", str(output), "--json"]
    originals = _crucible(["benchmark", "--model", "reference", *dataset], folder)
    answers = folder / "empty.jsonl"
    answers.write_text("".join(_empty_bodies(output)))
    empty = _crucible(["evaluate", str(answers), *dataset], folder)
    scores = (found["pass@1"]["value"] for found in (originals, empty))
    return Outcome(name, version, None, built["kept"], dropped, *scores, seconds)


def _empty_bodies(output: Path) -> Iterator[str]:
    for challenge in open_dataset(str(output)).challenges:
        last = challenge.prompt.rstrip("\n").rpartition("\n")[2]
        indent = len(last) - len(last.lstrip())
        # behind a docstring, or behind a signature
        indent += 0 if last.endswith(('"', "'")) else 4
        row = {"task_id": challenge.task_id, "completion": f"{' ' * indent}pass\n"}
        yield f"{json.dumps(row)}\n"


def _crucible(words: list[str], folder: Path) -> dict[str, Any]:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "crucible_api", *words]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={"CRUCIBLE_HOME": str(home), "PATH": "/usr/bin:/bin"},
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise Ended((done.stderr.strip().splitlines() or ["crucible says nothing"])[-1]) from None


def _run(command: list[str], problem: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "rror: " in line]
        raise Ended(f"{problem} ({said[0].strip() if said else done.returncode})")


def _line(outcome: Outcome) -> str:
    if outcome.problem is not None:
        return f"{outcome.name} {outcome.version}: {outcome.problem}"
    dropped = "".join(f"\n    {count:5d}  dropped: {reason}" for reason, count in outcome.dropped)
    scores = f"originals {outcome.originals:.1%}, empty bodies {outcome.empty:.1%}"
    head = f"{outcome.name} {outcome.version}: {scores}, built in {outcome.seconds:.0f} s"
    return f"{head}\n    {outcome.kept:5d}  kept{dropped}"


if __name__ == "__main__":
    main()
