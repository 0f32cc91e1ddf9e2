"""Visible examples: the calls with answers that a problem itself shows, as tests.

Read from the problem's text, never from the challenge's tests: not even from those that a prompt
shows to tell a function's name (MBPP's asserts), because they are what the answer is graded by.

Understood are Python's doctests (`>>> f(1)` and the answer below) and calls with their answer on
one line: `f(1) == 2`, `f(1) -> 2`, `f(1) => 2`, `f(1) should return 2`, `assert f(1) == 2`. A call
may use nothing but the entry point and builtins, and its answer must be a literal; an example that
is told otherwise is left out. What is written wrongly in a problem fails for every answer alike.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator

from crucible_tasks.challenge import Challenge, Language
from crucible_tasks.extraction.parsing import Parser

#: of one problem; the first ones tell most
_MOST_EXAMPLES = 20

_PROMPT_MARK = ">>> "
_CONTINUATION_MARK = "... "

#: what stands between a call and its answer
_BETWEEN = re.compile(
    r"\s*(?:=>|==|->|[➞→⇒]|=|(?:should |must |will )?(?:returns?|be|equals?|gives?))\s*:?\s*"
)

_GOES_ON = re.compile(r"\s*[-+*/%]")

#: characters of an answer that could be looked through
_LONGEST_LINE = 2_000

_BUILTINS = frozenset(dir(builtins))


def examples(challenge: Challenge) -> tuple[str, ...]:
    """Assert statements, each once, in the order of the text; none for what is not Python."""
    if challenge.language is not Language.PYTHON or challenge.entry_point is None:
        return ()
    reader = _Reader(challenge.entry_point)
    found = (one for text in _texts(challenge) for one in reader.read(text))
    return tuple(dict.fromkeys(found))[:_MOST_EXAMPLES]


def _texts(challenge: Challenge) -> Iterator[str]:
    """What of a prompt is words: its docstrings, or all of it."""
    if not challenge.prompt_is_code:
        yield challenge.prompt.replace('"""', "\n")
        return
    parser = Parser()
    # a signature alone is no function yet
    tries = (parser.parse(challenge.prompt + tail).tree for tail in ("", "    pass\n"))
    tree = next((tree for tree in tries if tree is not None), None)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield ast.get_docstring(node) or ""


class _Reader:
    """Reads the examples of one entry point."""

    def __init__(self, entry_point: str) -> None:
        self._name = entry_point
        self._call = re.compile(rf"(?<![\w.]){re.escape(entry_point)}\s*\(")

    def read(self, text: str) -> Iterator[str]:
        """Every example of a text."""
        lines = [line.strip()[:_LONGEST_LINE] for line in text.split("\n")]
        position = 0
        while position < len(lines):
            if lines[position].startswith(_PROMPT_MARK):
                position, found = self._doctest(lines, position)
            else:
                found = self._sentence(lines[position])
                position += 1
            if found is not None:
                yield found

    def _doctest(self, lines: list[str], position: int) -> tuple[int, str | None]:
        """An example and where the text goes on behind it."""
        asked = [lines[position].removeprefix(_PROMPT_MARK)]
        position += 1
        while position < len(lines) and lines[position].startswith(_CONTINUATION_MARK):
            asked.append(lines[position].removeprefix(_CONTINUATION_MARK))
            position += 1
        told: list[str] = []
        while position < len(lines) and lines[position] and not lines[position].startswith(">>>"):
            told.append(lines[position])
            position += 1
        # words may follow an answer without an empty line between
        tries = ("\n".join(told[:count]) for count in range(len(told), 0, -1))
        found = (self._example("\n".join(asked), answer) for answer in tries)
        return position, next((one for one in found if one is not None), None)

    def _sentence(self, line: str) -> str | None:
        """The first call in a line that its answer follows."""
        for match in self._call.finditer(line):
            end = _end_of_call(line, match.end())
            between = _BETWEEN.match(line, end) if end else None
            if end and between:
                answer = _literal_at_start(line[between.end() :])
                found = self._example(line[match.start() : end], answer) if answer else None
                if found is not None:
                    return found
        return None

    def _example(self, call: str, answer: str) -> str | None:
        called, told = _expression(call), _expression(answer)
        if called is None or told is None or not _is_literal(told):
            return None
        names = {node.id for node in ast.walk(called) if isinstance(node, ast.Name)}
        if self._name not in names or not names <= _BUILTINS | {self._name}:
            return None
        return f"assert {ast.unparse(called)} == {ast.unparse(told)}"


def _expression(source: str) -> ast.expr | None:
    tree = Parser().parse(source).tree
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return None
    return tree.body[0].value


def _is_literal(expression: ast.expr) -> bool:
    try:
        ast.literal_eval(expression)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _end_of_call(line: str, start: int) -> int | None:
    """Where the bracket that opens before `start` closes, if what is between is Python."""
    for end in (match.end() for match in re.finditer(r"\)", line[start:])):
        if _expression(f"f({line[start : start + end]}") is not None:
            return start + end
    return None


def _literal_at_start(text: str) -> str | None:
    """The longest literal a text begins with, up to a word that cannot belong to it."""
    ends = [match.start() for match in re.finditer(r"[\s.,;:)#]|$", text)]
    for end in reversed(ends):
        found = _expression(text[:end].strip())
        if found is not None and _is_literal(found):
            # `f(4) == 1 + 3 = 4` is told as a sum
            return None if _GOES_ON.match(text, end) else text[:end].strip()
    return None
