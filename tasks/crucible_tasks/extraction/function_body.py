"""Put a bare function body under the signature of the prompt."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator

from crucible_tasks.challenge import Challenge
from crucible_tasks.extraction.found import NOTHING, Found
from crucible_tasks.extraction.parsing import Parser
from crucible_tasks.extraction.reply import Reply


def from_blocks(reply: Reply) -> Found:
    """The last block that is the rest of the function the prompt begins."""
    if not reply.challenge.prompt_is_code or reply.challenge.entry_point is None:
        return NOTHING
    for block in sorted(reply.blocks, key=lambda each: (reply.tier(each), -each.start)):
        body = block.content
        if reply.may_be_code(block) and _looks_like_body(body, reply.parser):
            found = under(reply.challenge, body, reply.parser)
            if found is not None:
                return Found(found, "body")
    return NOTHING


def under(challenge: Challenge, body: str, parser: Parser) -> str | None:
    """Prompt and body as one program, the body indented if it has to be; None if none parses."""
    prompt = challenge.prompt
    start = prompt if prompt.endswith("\n") else prompt + "\n"
    before = parser.parse(prompt).tree
    for each in indented(body, margin_of(challenge)):
        tree = parser.parse(start + each).tree
        # the body must have gone into the function, not behind it
        if tree is not None and (before is None or len(tree.body) == len(before.body)):
            return start + each
    return None


def margin_of(challenge: Challenge) -> str:
    """What stands before the prompt's function: blanks where it is a method, else nothing."""
    name = re.escape(challenge.entry_point or "")
    found = re.findall(
        rf"^([ \t]*)(?:async[ \t]+)?def[ \t]+{name}\b", challenge.prompt, re.MULTILINE
    )
    return str(found[-1]) if found else ""


def indented(body: str, margin: str = "") -> Iterator[str]:
    """The body as it is, with its first line moved in, and with all of it moved in.

    Chat templates and tokenizers strip blanks from the start of a text. A method's body must lie
    deeper than its signature: what does not would still parse, as part of its class.
    """
    stripped = body.lstrip("\n")
    deep = f"{margin}    "
    if not margin or _is_deeper(stripped, margin):
        yield stripped
    if not margin or _is_deeper(stripped.partition("\n")[2], margin):
        yield deep + stripped.lstrip(" \t")
    yield textwrap.indent(textwrap.dedent(stripped), deep)


def _is_deeper(text: str, margin: str) -> bool:
    lines = [line for line in text.split("\n") if line.strip()]
    return all(line.startswith((f"{margin} ", f"{margin}\t")) for line in lines)


def _looks_like_body(source: str, parser: Parser) -> bool:
    if source.lstrip("\n")[:1] in (" ", "\t"):
        return True
    tree = parser.parse(source).tree
    return tree is None or any(isinstance(each, ast.Return) for each in _own(tree))


def _own(tree: ast.Module) -> Iterator[ast.AST]:
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
