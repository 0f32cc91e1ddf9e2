"""Examples of JavaScript functions in a prompt's lines, found by scanning: there is no parser."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from crucible_tasks.example_lines import Check, Said, bare, closing, said_in

#: Node's `console.assert` only prints
FIRST_LINES = ("const assert = require('node:assert'); console.assert = assert.ok;",)

_ASSERTION = re.compile(r"^(?:console\.)?assert(?:\.\w+)?\(")
_CALLED = re.compile(r"(?<![\w.$])([A-Za-z_$][\w$]*)\s*\(")
#: what a value is made of: strings, numbers, keys, names of constants, and between them brackets
_VALUE = re.compile(
    r"""(?: '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | [-+]?(?:\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?n?)
        | [A-Za-z_$][\w$]*(?=\s*:) | \b(?:true|false|null|undefined|NaN|Infinity)\b
        | [\s\[\]{}(),:-] )+""",
    re.VERBOSE,
)
#: no answer defines these
_NOT_THE_PROGRAMS = frozenset(
    """
    assert console require if for while switch return typeof function catch new await
    Array BigInt Boolean Date Error Map Math Number Object Promise RegExp Set String Symbol
    isNaN parseFloat parseInt structuredClone expect describe it test
    """.split()
)
#: their results depend on names that only the text around them explains
_OPEN_WORDS = re.compile(r"\.\.\.|=>\s*\{?\s*$")


def checks(lines: Sequence[str], only: str | None) -> Iterator[Check]:
    """Every example, in the order of the text; with `only`, those that call nothing else."""
    found = (check for line in lines for check in _checks_of(line))
    return (check for check in found if only is None or check.called == (only,))


def _checks_of(line: str) -> Iterator[Check]:
    text = bare(line)
    start = _ASSERTION.match(text)
    if start is None:
        for said in said_in(line):
            yield from _said(said)
        return
    end = closing(text, start.end() - 1)
    called = _called(text)
    if end is not None and called and text[end:].strip(" ;") == "" and not _OPEN_WORDS.search(text):
        yield Check(f"{text[:end]};", called, text[:end])


def _said(said: Said) -> Iterator[Check]:
    arguments = said.call[len(said.name) + 1 : -1]
    if said.name in _NOT_THE_PROGRAMS or not _is_value(arguments):
        return
    if said.raised is not None:
        kind = f", {said.raised}" if said.raised.endswith("Error") else ""
        source = f"assert.throws(() => {said.call}{kind});"
        yield Check(source, (said.name,), f"{said.call} throws {said.raised}".rstrip())
    elif said.result and _is_value(said.result):
        source = f"assert.deepStrictEqual({said.call}, {said.result});"
        yield Check(source, (said.name,), f"{said.call} is {said.result}")


def _is_value(text: str) -> bool:
    return not text.strip() or _VALUE.fullmatch(text.strip()) is not None


def called_names(text: str) -> list[str]:
    """Names that are called and that neither the language nor a test runner has."""
    names = (found[1] for found in _CALLED.finditer(text))
    return [name for name in names if name not in _NOT_THE_PROGRAMS]


def _called(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(called_names(text)))
