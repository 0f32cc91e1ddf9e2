"""The part of a Python prompt before its function: imports and helpers every answer may use."""

from __future__ import annotations

import ast
import re

from crucible_tasks.challenge import Challenge
from crucible_tasks.extraction.parsing import Parser


def preamble(challenge: Challenge) -> str:
    """Everything in the prompt before the entry point and its decorators; "" where there is none.

    A response that gives the function only is judged as openai/human-eval would judge prompt +
    body: `List` is imported, and HumanEval/32's `poly` and 38's `encode_cyclic` exist.
    """
    if not challenge.prompt_is_code or challenge.entry_point is None:
        return ""
    name = re.escape(challenge.entry_point)
    starts = re.finditer(
        rf"^(?:(?:async[ \t]+)?def[ \t]+{name}\b|class[ \t]+(?:{name}|Solution)\b)",
        challenge.prompt,
        re.MULTILINE,
    )
    last = max((match.start() for match in starts), default=0)
    lines = challenge.prompt[:last].split("\n")[:-1]
    while lines and (lines[-1].startswith("@") or not lines[-1].strip()):
        lines.pop()
    return "\n".join(lines)


def with_preamble(code: str, challenge: Challenge, parser: Parser) -> str:
    """The code behind the prompt's preamble, so that the code's own definitions win.

    `from __future__` imports must come first in a file, so the preamble goes behind them.
    """
    start = preamble(challenge).replace("\r\n", "\n")
    if not start.strip() or start.strip() in code:
        return code
    line = _last_future_import(code, parser)
    lines = code.split("\n")
    return "\n".join([*lines[:line], start, "", "", *lines[line:]])


def _last_future_import(code: str, parser: Parser) -> int:
    tree = parser.parse(code).tree if "__future__" in code else None
    ends = [
        statement.end_lineno or 0
        for statement in (tree.body if tree else [])
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
    ]
    return max(ends, default=0)
