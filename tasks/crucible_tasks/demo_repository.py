"""A small repository with words of its own, to fine-tune on: `orchard`, always the same bytes.

Its functions say "ripe" where they mean "above 5", and nothing but its code says so. A model that
has not read it cannot know; one that was fine-tuned on it can, also for the functions it has not
seen: those that have tests, which therefore make a private benchmark. The code itself is as plain
as what the built-in toy model was taught, so that only the words are new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crucible_infra.errors import InvalidInput
from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.challenges import Dataset, create

NAME = "orchard"

#: its modules
_PLACES = (
    *("gate", "barn", "cellar", "ladder", "press", "market"),
    *("meadow", "hedge", "stall", "loft", "yard"),
)

#: one function of this many has tests
_TESTED = 4

#: every boundary of a word lies within the first, and another order in the second
_BASKETS = ((7, 2, 12, 0, 5, 9, 6, 15, 3, 10, 8, 1), (10, 21, 4, 6, 3, 13, 30, 5, 8))


@dataclass(frozen=True, slots=True)
class _Word:
    """Which fruit is meant."""

    name: str
    meaning: str
    code: str
    is_meant: Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class _Treatment:
    """What is done to each."""

    name: str
    meaning: str
    code: str
    apply: Callable[[int], int]


@dataclass(frozen=True, slots=True)
class _Summary:
    """What is asked about all of them."""

    name: str
    phrase: str
    code: str
    apply: Callable[[list[int]], Any]


_WORDS = (
    _Word("ripe", "above 5", "x > 5", lambda x: x > 5),
    _Word("tiny", "below 4", "x < 4", lambda x: x < 4),
    _Word("glossy", "above 8", "x > 8", lambda x: x > 8),
    _Word("pale", "below 9", "x < 9", lambda x: x < 9),
    _Word("banded", "a multiple of 3", "x % 3 == 0", lambda x: x % 3 == 0),
    _Word("waxed", "a multiple of 5", "x % 5 == 0", lambda x: x % 5 == 0),
    _Word("paired", "even", "x % 2 == 0", lambda x: x % 2 == 0),
    _Word("stray", "odd", "x % 2 == 1", lambda x: x % 2 == 1),
)
_TREATMENTS = (
    _Treatment("", "", "x", lambda x: x),
    _Treatment("boxed", "two of them", "x * 2", lambda x: x * 2),
    _Treatment("peeled", "one less", "x - 1", lambda x: x - 1),
    _Treatment("potted", "one more", "x + 1", lambda x: x + 1),
    _Treatment("stacked", "its square", "x * x", lambda x: x * x),
)
_SUMMARIES = (
    _Summary("sum", "the sum of", "sum({})", sum),
    _Summary("largest", "the largest of", "max([{}])", max),
    _Summary("smallest", "the smallest of", "min([{}])", min),
    _Summary("list", "a list of", "[{}]", list),
)
_COUNT = _Summary("number", "the number of", "len([{}])", len)


@dataclass(frozen=True, slots=True)
class _Function:
    """One function of the repository."""

    word: _Word
    treatment: _Treatment
    summary: _Summary
    #: whether the repository has tests for it
    is_tested: bool

    @property
    def name(self) -> str:
        return "_".join(filter(None, (self.summary.name, self.treatment.name, self.word.name)))

    @property
    def prompt(self) -> str:
        fruit = f"{self.treatment.name} {self.word.name}".strip()
        docstring = f"Return {self.summary.phrase} the {fruit} numbers in values."
        return f'def {self.name}(values):\n    """{docstring}"""\n'

    @property
    def source(self) -> str:
        values = f"{self.treatment.code} for x in values if {self.word.code}"
        return f"{self.prompt}    return {self.summary.code.format(values)}\n"

    @property
    def checks(self) -> Iterator[tuple[str, object]]:
        """Expressions that call it, with what they give."""
        for basket in _BASKETS:
            meant = [self.treatment.apply(x) for x in basket if self.word.is_meant(x)]
            yield f"{self.name}({list(basket)})", self.summary.apply(meant)


def files() -> dict[str, str]:
    """The text of every file by its path."""
    found = {
        "README.md": _readme(),
        "pyproject.toml": _PROJECT,
        f"{NAME}/__init__.py": '"""What an orchard counts."""\n',
    }
    for name, mine in _modules().items():
        sources = "\n\n".join(function.source for function in mine)
        found[f"{NAME}/{name}.py"] = f'"""What the {name} counts."""\n\n\n{sources}'
        found[f"tests/test_{name}.py"] = _tests(name, mine)
    return found


def write(directory: Path) -> None:
    """Write the repository; raises InvalidInput where there is something already."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InvalidInput(f"{directory} is not empty", hint="name a new directory")
    for name, text in files().items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def private_challenges() -> Dataset:
    """The functions that have tests, as challenges: what a fine-tune must not have seen."""
    tested = [
        _challenge(name, function)
        for name, functions in _modules().items()
        for function in functions
        if function.is_tested
    ]
    return create(NAME, "crucible", tested)


def _modules() -> dict[str, list[_Function]]:
    """The functions by their module: each has some of every word, as people's modules do.

    So no file is the only one that tells what a word means, whichever is held out.
    """
    found: dict[str, list[_Function]] = {name: [] for name in _PLACES}
    for number, word in enumerate(_WORDS):
        for position, function in enumerate(_functions(word)):
            found[_PLACES[(number + position) % len(_PLACES)]].append(function)
    return found


def _functions(word: _Word) -> list[_Function]:
    combined = [(each, treatment) for each in _SUMMARIES for treatment in _TREATMENTS]
    # counting does not look at what is done to them
    combined.append((_COUNT, _TREATMENTS[0]))
    # not the same ones for every word
    first = _WORDS.index(word) % _TESTED
    return [
        _Function(word, treatment, summary, is_tested=number % _TESTED == first)
        for number, (summary, treatment) in enumerate(combined)
    ]


def _challenge(module: str, function: _Function) -> Challenge:
    asserts = [f"assert {call} == {result!r}\n" for call, result in function.checks]
    return Challenge(
        task_id=f"{NAME}.{module}.{function.name}",
        language=Language.PYTHON,
        prompt=function.prompt,
        entry_point=function.name,
        tests=ScriptTests("".join(asserts)),
        reference=function.source,
    )


def _tests(module: str, functions: Sequence[_Function]) -> str:
    tested = [function for function in functions if function.is_tested]
    names = ", ".join(sorted(function.name for function in tested))
    tests = [
        f"\n\ndef test_{function.name}():\n"
        + "".join(f"    assert {call} == {result!r}\n" for call, result in function.checks)
        for function in tested
    ]
    return f"from {NAME}.{module} import {names}\n{''.join(tests)}"


def _readme() -> str:
    rows = [(each.name, each.meaning) for each in (*_WORDS, *_TREATMENTS[1:])]
    table = "".join(f"| {name} | {meaning} |\n" for name, meaning in rows)
    return f"# {NAME}\n\nWhat our words mean:\n\n| word | meaning |\n|---|---|\n{table}"


_PROJECT = f"""\
[project]
name = "{NAME}"
version = "1"

[tool.pytest.ini_options]
pythonpath = ["."]
"""
