"""What is done differently for the functions of each language, and which languages there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol

from crucible_infra.errors import InvalidInput
from crucible_tasks.challenge import Language
from crucible_tasks.repository import functions, mutation
from crucible_tasks.repository.functions import Unfit
from crucible_tasks.repository.javascript import functions as javascript_functions
from crucible_tasks.repository.javascript import mutation as javascript_mutation
from crucible_tasks.repository.javascript.layout import MANIFEST, files_of_tests
from crucible_tasks.repository.snapshot import Snapshot


class AnyFunction(Protocol):
    """A function of a repository, in any language."""

    @property
    def path(self) -> str:
        """Of its file, in the repository."""
        ...

    @property
    def name(self) -> str:
        """As an answer calls it."""
        ...

    @property
    def qualified_name(self) -> str:
        """What tells it from others of its file."""
        ...

    @property
    def first_line(self) -> int:
        """From 1."""
        ...

    @property
    def last_line(self) -> int:
        """From 1."""
        ...

    @property
    def prompt(self) -> str:
        """What a model is told of it."""
        ...

    @property
    def reference(self) -> str:
        """The original, as a whole program."""
        ...

    @property
    def empty(self) -> str:
        """A program that does nothing in its place."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the functions of one language become challenges."""

    find_functions: Callable[[Snapshot], tuple[list[Any], list[Unfit]]]
    mutants: Callable[[Any, int], tuple[str, ...]]
    #: between a module and a function in the name of a challenge
    separator: str
    #: whether every file of tests has a process of its own
    runs_files_apart: bool


_DIALECTS = {
    Language.PYTHON: Dialect(
        functions.find_functions, mutation.mutants, separator=".", runs_files_apart=False
    ),
    Language.JAVASCRIPT: Dialect(
        javascript_functions.find_functions,
        javascript_mutation.mutants,
        separator=":",
        runs_files_apart=True,
    ),
}


def dialect_of(language: Language) -> Dialect:
    """That of Python or JavaScript."""
    return _DIALECTS[language]


def languages_of(snapshot: Snapshot, chosen: Language | None = None) -> tuple[Language, ...]:
    """Those whose tests a repository has, or the chosen one; one at least.

    Raises InvalidInput where the repository is in neither, or not in the chosen one.
    """
    sources = {
        Language.PYTHON: any(path.endswith(".py") for path in snapshot.files),
        Language.JAVASCRIPT: MANIFEST in snapshot.files,
    }
    if chosen is not None:
        if not sources[chosen]:
            raise InvalidInput(f"there is {_MISSING[chosen]} in this directory")
        return (chosen,)
    tested = {
        Language.PYTHON: any(map(_is_python_test, snapshot.files)),
        Language.JAVASCRIPT: sources[Language.JAVASCRIPT] and bool(files_of_tests(snapshot)),
    }
    found = tuple(language for language, is_there in tested.items() if is_there)
    # whose tests are missing, the survey will say
    return found or tuple(language for language, is_there in sources.items() if is_there)[:1]


_MISSING = {Language.PYTHON: "no Python file", Language.JAVASCRIPT: f"no {MANIFEST}"}


def _is_python_test(path: str) -> bool:
    name = PurePosixPath(path).name
    return name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py"))
