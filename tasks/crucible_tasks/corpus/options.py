"""What a corpus is built with, beside the tree itself."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_tasks.challenges.dataset import Dataset


@dataclass(frozen=True, slots=True)
class CorpusOptions:
    """Everything that decides what a tree becomes."""

    #: benchmarks nothing of which may enter
    datasets: tuple[Dataset, ...] = ()
    #: the tree's own benchmark: its functions and their near copies stay out
    private: Dataset | None = None
    #: of the characters, kept for measuring; a tenth leaves most to learn from and still has
    #: hundreds of lines in a tree of a hundred files
    held_out_share: float = 0.1
    #: whether to add pairs from docstrings and commits
    has_pairs: bool = False
    #: the latest; older ones tell of code that is gone
    most_commits: int = 1000
    #: of a file; a person's file is smaller, and StarCoder's limit is the same
    most_bytes: int = 2**20
