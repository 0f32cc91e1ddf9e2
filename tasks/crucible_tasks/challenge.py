"""A challenge: one problem, its tests and its limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import msgspec


class Language(StrEnum):
    """A programming language, by the name users type."""

    PYTHON = "python"
    JAVASCRIPT = "javascript"
    #: known to MultiPL-E or HumanEval-X, loaded and shown, but not runnable here
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use. Time is CPU time, so a busy host changes no verdict."""

    #: per program; 3 s is what openai/human-eval allows
    cpu_seconds: float = 3.0
    #: address space of each process; numpy needs 1 GiB to import
    memory_mib: int = 4096
    #: processes and threads alive at once
    processes: int = 64
    #: largest file, and the size of the private file system
    file_mib: int = 64
    #: stdout and stderr together
    output_mib: int = 16


class ScriptTests(msgspec.Struct, frozen=True, tag="script"):
    """A Python (or JavaScript) script that uses the program's names; it passes if it ends.

    HumanEval's `check` becomes its source followed by the call; MBPP's asserts are joined.
    """

    source: str


class OracleTests(msgspec.Struct, frozen=True, tag="oracle"):
    """Inputs, and a reference program whose answers are the expected ones (EvalPlus)."""

    #: a whole program that defines the entry point
    reference: str
    #: Python expression: a list of argument lists; the base tests come first
    inputs: str
    #: absolute tolerance for floats; 0 asks for equality unless the expected value is a float
    absolute_tolerance: float = 0.0
    #: names the comparison when equality is not it: "equal", "set", "not_none", "polynomial_root"
    oracle: str = "equal"


class StdioCase(msgspec.Struct, frozen=True):
    """One input on stdin and the output that answers it."""

    stdin: str
    stdout: str


class StdioTests(msgspec.Struct, frozen=True, tag="stdio"):
    """Whole programs that read stdin and write stdout."""

    cases: tuple[StdioCase, ...]


class RepositoryTests(msgspec.Struct, frozen=True, tag="repository"):
    """Tests of a repository that call one of its functions; every one must pass.

    The program takes the place of that function's lines in the repository.
    """

    #: sha256 of the packed snapshot, which the dataset carries
    snapshot: str
    #: of the file with the function, in the repository
    path: str
    #: the module that file is, as Python's tests import it; in JavaScript its path
    module: str
    #: the function's, in that module; a method's with its classes before it
    name: str
    #: from the first decorator on, counted from 1
    first_line: int
    last_line: int
    #: node ids, as pytest writes them; for Node's runner the file, and behind `::` a test's name
    #: below those of its suites, with ` > ` between them
    tests: tuple[str, ...]
    #: directories of the host with what the repository imports, and with pytest
    packages: tuple[str, ...] = ()


Tests = ScriptTests | OracleTests | StdioTests | RepositoryTests


@dataclass(frozen=True, slots=True)
class Challenge:
    """One problem with tests."""

    #: unique in its dataset, spelled as its publisher spells it
    task_id: str
    language: Language
    #: what a base model continues; for whole-program challenges the problem statement
    prompt: str
    #: the function (or class) under test; None for whole programs
    entry_point: str | None
    tests: Tests
    #: the dataset's own solution as a whole program; None where there is none
    reference: str | None = None
    #: stop words the publisher recommends for base models
    stop: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    #: whether `prompt` is the start of a program (HumanEval) or a text (MBPP)
    prompt_is_code: bool = True
