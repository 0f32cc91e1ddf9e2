"""Which of several Python blocks is the answer, and what it needs from the others."""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass

from crucible_tasks.completion import Finish
from crucible_tasks.extraction.fences import Block
from crucible_tasks.extraction.names import ALWAYS_THERE, Definition, bound_names, definition
from crucible_tasks.extraction.preamble import preamble
from crucible_tasks.extraction.reply import Reply

#: blocks one answer is put together from at most
_MOST_SUPPLIERS = 16
#: signs of a program that takes its input where a judge gives it
_READS_INPUT = re.compile(
    r"\binput\s*\(|\bstdin\b|\bopen\s*\(\s*0|\bos\.read\s*\(\s*0|\bfileinput\b"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A block as the parser sees it."""

    block: Block
    source: str
    tree: ast.Module | None
    #: whether it reads as Python by chance: bare words and numbers
    is_prose: bool


def candidate(reply: Reply, block: Block) -> Candidate:
    """Parse a block; one that is indented as a whole is moved to the left if that helps."""
    source = block.content
    tree = reply.parser.parse(source).tree
    if tree is None and source[:1] in (" ", "\t", "\n"):
        moved = textwrap.dedent(source)
        tree = reply.parser.parse(moved).tree if moved != source else None
        source = moved if tree is not None else source
    return Candidate(block, source, tree, tree is None or is_prose(tree))


def best(reply: Reply, candidates: list[Candidate]) -> Candidate | None:
    """The last that defines the entry point; a real definition beats a mere mention.

    For whole programs the last that reads its input, else the last that is code at all.
    """
    chosen: Candidate | None = None
    chosen_rank: tuple[int, ...] = ()
    for each in candidates:
        rank = _rank(reply, each)
        if rank is not None and (chosen is None or rank <= chosen_rank):
            chosen, chosen_rank = each, rank
    return chosen


def with_suppliers(reply: Reply, chosen: Candidate) -> str:
    """The chosen block, with the blocks that bind names it lacks, in the order of the reply."""
    others = [each for each in reply.blocks if _is_apart(each, chosen.block)]
    if not others or not reply.may_be_code(chosen.block):
        return chosen.source
    binders = _binders(reply, others)
    there = ALWAYS_THERE | _names_of_preamble(reply)
    parts = {chosen.block.start: chosen}
    wanted = sorted(reply.parser.free_names(chosen.source) - there)
    asked = set(wanted)
    while wanted and len(parts) <= _MOST_SUPPLIERS:
        supplier = _nearest(binders.get(wanted.pop(), []), chosen.block.start)
        if supplier is None or supplier.block.start in parts:
            continue
        parts[supplier.block.start] = supplier
        needs = reply.parser.free_names(supplier.source) - there - asked
        asked |= needs
        wanted += sorted(needs)
    if len(parts) == 1:
        return chosen.source
    return "\n\n".join(parts[start].source.strip("\n") for start in sorted(parts)) + "\n"


def is_prose(tree: ast.Module) -> bool:
    """Whether nothing in the module does anything: words, numbers, `Note: text`."""
    return all(_is_prose(statement) for statement in tree.body)


def without_prose_tail(source: str, tree: ast.Module) -> str:
    """The source up to its last statement that does something."""
    end = 0
    for statement in tree.body:
        if not _is_prose(statement):
            end = statement.end_lineno or 0
    if not tree.body or end == tree.body[-1].end_lineno:
        return source
    return "\n".join(source.split("\n")[:end])


def _is_prose(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.AnnAssign):
        return statement.value is None
    return isinstance(statement, ast.Expr) and not any(
        isinstance(node, ast.Call | ast.Await | ast.NamedExpr | ast.Yield)
        for node in ast.walk(statement)
    )


def _rank(reply: Reply, each: Candidate) -> tuple[int, ...] | None:
    if each.tree is None or each.is_prose:
        return None
    # one the server cut off may parse by chance: a finished one is better
    is_cut_off = not each.block.is_closed and reply.finish is Finish.LENGTH
    name = reply.challenge.entry_point
    if name is None:
        reads = _READS_INPUT.search(each.source) is not None
        return (not reads, is_cut_off, reply.tier(each.block))
    found = definition(each.tree, name)
    if found is Definition.MISSING:
        return None
    return (found, is_cut_off, reply.tier(each.block))


def _binders(reply: Reply, blocks: list[Block]) -> dict[str, list[Candidate]]:
    binders: dict[str, list[Candidate]] = {}
    for block in blocks:
        each = candidate(reply, block) if reply.may_be_code(block) else None
        for statement in each.tree.body if each and each.tree else []:
            for name in bound_names(statement):
                if each is not None and each not in binders.setdefault(name, [])[-1:]:
                    binders[name].append(each)
    return binders


def _nearest(suppliers: list[Candidate], start: int) -> Candidate | None:
    """The last one before the answer, else the first behind it."""
    before = [each for each in suppliers if each.block.start < start]
    return before[-1] if before else next(iter(suppliers), None)


def _is_apart(block: Block, chosen: Block) -> bool:
    return block.end <= chosen.start or block.start >= chosen.end


def _names_of_preamble(reply: Reply) -> frozenset[str]:
    tree = reply.parser.parse(preamble(reply.challenge)).tree
    return frozenset(
        name for statement in (tree.body if tree else []) for name in bound_names(statement)
    )
