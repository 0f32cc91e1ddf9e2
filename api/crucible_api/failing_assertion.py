"""Why a program failed, taken apart: what the test called, what it expected, what it got.

A verdict's detail is one line for people; this reads the forms that the sandbox writes and never
runs anything of it. Where a form is not known, or was cut at its end, there is the line alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from crucible_tasks.challenge import Challenge, StdioTests

#: characters of a detail that are looked at; the sandbox writes fewer
_LONGEST = 4000

_LAST_CALL = "; the last call returned "

#: the parser's complaints about what it is given, too deep or too strange
_UNPARSED = (SyntaxError, ValueError, RecursionError, MemoryError)

_ORACLE = re.compile(r"(f\(.*\)) returned (.*), expected (.*)", re.DOTALL)
_STDIO = re.compile(r"case (\d+): wrong output (.*)", re.DOTALL)
_NODE_ID = re.compile(r"(\S+::\S.*?): (?=assert\b)")
_JAVASCRIPT = re.compile(r"assert(?:\.\w+)?\((.*)\);?", re.DOTALL)

_PAIRS = {"(": ")", "[": "]", "{": "}"}
_QUOTES = "\"'`"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failing test; None for what its line does not tell."""

    #: as the test has it, or the whole line where its form is not known
    assertion: str
    input: str | None = None
    expected: str | None = None
    actual: str | None = None
    #: its name in the test suite
    test: str | None = None


def failure_of(detail: str, challenge: Challenge | None = None) -> Failure:
    """What a failed verdict's detail tells. Never raises, whatever the text."""
    text = detail[:_LONGEST]
    if (found := _ORACLE.fullmatch(text)) is not None:
        return Failure(text, *_named(found[1], challenge), found[3], found[2])
    if (found := _STDIO.fullmatch(text)) is not None:
        return _of_case(text, int(found[1]), found[2], challenge)
    before, has_call, value = text.rpartition(_LAST_CALL)
    actual = value if has_call else None
    rest = before if has_call else text
    test = None
    if (found := _NODE_ID.match(rest)) is not None:
        test, rest = found[1], rest[found.end() :]
    name = None if challenge is None else challenge.entry_point
    for assertion in _beginnings(rest):
        parts = _python(assertion, name) or _javascript(assertion)
        if parts is not None:
            return Failure(assertion, *parts, actual, test)
    return Failure(rest, None, None, actual, test)


def _named(call: str, challenge: Challenge | None) -> tuple[str]:
    """The oracle calls every function f."""
    name = None if challenge is None else challenge.entry_point
    return (call if name is None else f"{name}{call[1:]}",)


def _of_case(text: str, number: int, actual: str, challenge: Challenge | None) -> Failure:
    tests = None if challenge is None else challenge.tests
    if not isinstance(tests, StdioTests) or not 1 <= number <= len(tests.cases):
        return Failure(text, None, None, actual)
    case = tests.cases[number - 1]
    return Failure(f"case {number}", case.stdin, case.stdout, actual)


def _beginnings(text: str) -> Iterator[str]:
    """The text, and what is left when its last parts are taken off: a message follows a `;`."""
    while text:
        yield text
        text, separator, _ = text.rpartition("; ")
        if not separator:
            return


def _python(assertion: str, name: str | None) -> tuple[str | None, str | None] | None:
    try:
        body = ast.parse(assertion).body
    except _UNPARSED:
        return None
    if len(body) != 1 or not isinstance(body[0], ast.Assert):
        return None
    test = body[0].test
    call = _call(test, name)
    told = None if call is None else ast.get_source_segment(assertion, call)
    return told, _expected(assertion, test, call)


def _call(test: ast.expr, name: str | None) -> ast.Call | None:
    """The call of the program: by its name, or as HumanEval calls it."""
    calls = [node for node in ast.walk(test) if isinstance(node, ast.Call)]
    wanted = ("candidate", name)
    ours = [one for one in calls if isinstance(one.func, ast.Name) and one.func.id in wanted]
    return next(iter(ours), None)


def _expected(assertion: str, test: ast.expr, call: ast.Call | None) -> str | None:
    """What the call should give, where the test compares just it."""
    if call is None:
        return None
    if test is call:
        return "something true"
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) and test.operand is call:
        return "something false"
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    if not isinstance(test.ops[0], ast.Eq | ast.Is):
        return None
    left, right = test.left, test.comparators[0]
    other = right if left is call else left if right is call else None
    return None if other is None else ast.get_source_segment(assertion, other)


def _javascript(assertion: str) -> tuple[str | None, str | None] | None:
    found = _JAVASCRIPT.fullmatch(assertion.strip())
    if found is None:
        return None
    parts = list(_arguments(found[1]))
    if len(parts) < 2:
        return (parts[0], "something true") if parts else None
    return parts[0], parts[1]


def _arguments(text: str) -> Iterator[str]:
    """The arguments of a call, apart at the commas that are in no bracket and no string."""
    closing: list[str] = []
    quote, start, position = "", 0, 0
    while position < len(text):
        character = text[position]
        if quote:
            position += character == "\\"
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        elif character in _PAIRS:
            closing.append(_PAIRS[character])
        elif closing and character == closing[-1]:
            closing.pop()
        elif character == "," and not closing:
            yield text[start:position].strip()
            start = position + 1
        position += 1
    if text[start:].strip():
        yield text[start:].strip()
