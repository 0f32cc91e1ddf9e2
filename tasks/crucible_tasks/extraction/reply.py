"""A chat reply on its way to a program: its answer, its blocks and what was asked."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_tasks.challenge import Challenge, Language
from crucible_tasks.completion import Finish
from crucible_tasks.extraction.fences import Block
from crucible_tasks.extraction.parsing import Parser

#: what models write behind an opening fence when they mean the language
ALIASES = {
    Language.PYTHON: frozenset(
        ("python", "python2", "python3", "py", "py3", "ipython", "cpython", "sage")
    ),
    Language.JAVASCRIPT: frozenset(
        (
            *("javascript", "js", "jsx", "mjs", "cjs", "node", "nodejs", "ecmascript", "es6"),
            *("ts", "tsx", "mts", "typescript"),
        )
    ),
}
#: tags that name no language
_VAGUE = frozenset(("", "code", "solution", "answer"))


@dataclass(frozen=True, slots=True)
class Reply:
    """Everything the steps of an extraction look at."""

    text: str
    blocks: tuple[Block, ...]
    challenge: Challenge
    finish: Finish
    parser: Parser

    def tier(self, block: Block) -> int:
        """0 for blocks in the wanted language, 1 for untagged ones, 2 for others."""
        if self.is_tagged(block):
            return 0
        return 1 if block.language in _VAGUE else 2

    def is_tagged(self, block: Block) -> bool:
        """Whether the block says it is in the wanted language."""
        return block.language in ALIASES.get(self.challenge.language, frozenset())

    def may_be_code(self, block: Block) -> bool:
        """Whether the block says nothing else than that it is in the wanted language."""
        return self.tier(block) < 2
