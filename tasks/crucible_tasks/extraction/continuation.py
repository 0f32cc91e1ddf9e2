"""Where a base model's continuation of a Python prompt ends.

The function ends at the first line in column 0 behind its body; the parser, not a list of stop
words, says where that is. Behind it only those statements stay that the function uses: helpers,
constants, what fills its tables. Tests, prints and the next function a model rambles into go.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from crucible_tasks.challenge import Challenge
from crucible_tasks.completion import Finish
from crucible_tasks.extraction import function_body, python_code
from crucible_tasks.extraction.answer_text import MAX_CHARACTERS, plain_lines, until_end_token
from crucible_tasks.extraction.candidate import without_prose_tail
from crucible_tasks.extraction.fences import starts_with_fence
from crucible_tasks.extraction.found import Found
from crucible_tasks.extraction.names import Definition, bound_names, definition
from crucible_tasks.extraction.parsing import Parser
from crucible_tasks.extraction.preamble import with_preamble
from crucible_tasks.extraction.used_statements import used_lines


def program(text: str, challenge: Challenge, finish: Finish) -> Found:
    """Prompt and continuation as one program, cut where the function ends."""
    said = until_end_token(plain_lines(text[:MAX_CHARACTERS]))
    if starts_with_fence(said):
        # a tuned model behind a raw endpoint answers as in a chat
        return python_code.program(text, challenge, finish)
    parser = Parser()
    if not challenge.prompt_is_code or challenge.entry_point is None:
        return _alone(said, challenge, parser)
    if _declares_again(said, challenge):
        found = _alone(said, challenge, parser)
        code = with_preamble(found.program or "", challenge, parser)
        return Found(code, found.method, is_trimmed=found.is_trimmed)
    return _behind_prompt(said, challenge, parser)


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The part of a source that parses, and whether the cut went through a statement."""

    source: str
    tree: ast.Module | None
    is_trimmed: bool


def _alone(text: str, challenge: Challenge, parser: Parser) -> Found:
    """The text is a whole program of its own."""
    prefix = _prefix(text, parser)
    if prefix.tree is None:
        return Found(_until_column_0(text), "unparsed")
    name = challenge.entry_point
    if name is None:
        code = without_prose_tail(prefix.source, prefix.tree)
        return Found(code, "continuation", is_trimmed=prefix.is_trimmed)
    head = _first_definition(prefix.tree, name)
    return _cut(prefix, head, name, parser)


def _behind_prompt(text: str, challenge: Challenge, parser: Parser) -> Found:
    prompt = plain_lines(challenge.prompt)
    lines = prompt.count("\n") + (not prompt.endswith("\n"))
    prefix = _prefix(prompt + text, parser)
    is_empty = prefix.tree is None or _line_count(prefix.source) <= lines
    if text.strip() and (is_empty or _is_stripped(prompt, text, challenge)):
        prefix = _moved_in(challenge, text, parser) or prefix
    if prefix.tree is None:
        return Found(prompt + _until_column_0(text), "unparsed")
    name = challenge.entry_point or ""
    head = sum(statement.lineno <= lines for statement in prefix.tree.body)
    found_in_head = ast.Module(prefix.tree.body[:head], [])
    if definition(found_in_head, name) is Definition.MISSING:
        head = _first_definition(prefix.tree, name)
    return _cut(prefix, head, name, parser)


def _is_stripped(prompt: str, text: str, challenge: Challenge) -> bool:
    """Whether the body begins in column 0, which would leave the function without one."""
    name = re.escape(challenge.entry_point or "")
    begun = re.search(rf"^[ \t]*(?:async )?def {name}\b", prompt, re.MULTILINE)
    if begun is None or not prompt.endswith("\n"):
        return False
    first = text.lstrip("\n").partition("\n")[0]
    margin = function_body.margin_of(challenge)
    if margin:
        return len(first) - len(first.lstrip()) <= len(margin) and not first.lstrip().startswith(
            "#"
        )
    return first[:1] not in "# \t"


def _moved_in(challenge: Challenge, text: str, parser: Parser) -> _Prefix | None:
    """Continuations whose first blanks a tokenizer has eaten."""
    prompt = plain_lines(challenge.prompt)
    for body in function_body.indented(text, function_body.margin_of(challenge)):
        if body[:1] in (" ", "\t"):
            prefix = _prefix(prompt + body, parser)
            if prefix.tree is not None and _line_count(prefix.source) > prompt.count("\n"):
                return prefix
    return None


def _cut(prefix: _Prefix, head: int, name: str, parser: Parser) -> Found:
    if prefix.tree is None or not prefix.tree.body:
        return Found(prefix.source, "continuation")
    kept = used_lines(prefix.source, prefix.tree.body, head, name, parser)
    lines = prefix.source.split("\n")
    code = "\n".join(line for number, line in enumerate(lines, 1) if number in kept) + "\n"
    if len(kept) == prefix.tree.body[-1].end_lineno:
        # nothing to cut: every character stays, comments at the end too
        code = prefix.source
    # what was cut off by the parser behind the function is no loss
    is_trimmed = prefix.is_trimmed and len(prefix.tree.body) == head
    return Found(code, "continuation", is_trimmed=is_trimmed)


def _prefix(source: str, parser: Parser) -> _Prefix:
    prefix = parser.longest_prefix(source)
    if not prefix.strip():
        return _Prefix("", None, is_trimmed=False)
    rest = [line for line in source[len(prefix) :].split("\n", 200) if line.strip()]
    is_inside = bool(rest) and rest[0][0] in " \t"
    return _Prefix(prefix, parser.parse(prefix).tree, is_inside)


def _first_definition(tree: ast.Module, name: str) -> int:
    """How many statements there are up to the first whole definition; all without one."""
    for count, statement in enumerate(tree.body, 1):
        if definition(ast.Module([statement], []), name) is Definition.WHOLE:
            return count
    for count, statement in enumerate(tree.body, 1):
        if name in bound_names(statement):
            return count
    return len(tree.body)


def _declares_again(text: str, challenge: Challenge) -> bool:
    """Whether the text starts in column 0 and defines the function itself, or its class."""
    first = text.lstrip("\n")[:1]
    name = re.escape(challenge.entry_point or "")
    blanks = "[ \\t]*" if function_body.margin_of(challenge) else ""
    pattern = rf"^{blanks}(?:(?:(?:async[ \t]+)?def|class)[ \t]+{name}\b|{name}[ \t]*=(?!=))"
    return first not in ("", " ", "\t") and bool(re.search(pattern, text, re.MULTILINE))


def _until_column_0(text: str) -> str:
    """The text up to the first line in column 0 behind an indented one, judged by eye."""
    end = re.search(r"(?<=\n)(?=[^\s#)\]}])", text[len(text) - len(text.lstrip("\n")) :])
    return text[: end.start() + len(text) - len(text.lstrip("\n"))] if end else text


def _line_count(source: str) -> int:
    return len(source.rstrip().split("\n"))
