"""Which texts are nearly the same: MinHash finds candidates, the exact likeness decides.

Likeness is Jaccard's: of the runs of 5 words that two texts have together, the share that both
have; a comment at the head of a file, which is mostly a licence, does not count. From 0.7 on one of
two is a copy of the other (the limit of StarCoder's and the Stack's authors, who looked at pairs),
and only one of them is kept. From 0.5 on they are kin: both stay, and on the same side of the
split, because who has read one predicts the other too well.

MinHash may only miss a pair, and hardly: 42 bands of 3 of 126 permutations find a pair at 0.7 but
for one in 10^7, at 0.5 but for one in 270. A pair it proposes wrongly is found out.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible_tasks.corpus.words import words_of

Shingles = NDArray[np.uint32]

#: words: long enough to carry order, short enough to survive an edit nearby
RUN = 5

#: Jaccard's, from which on two texts are copies, and from which on they are kin
COPY = 0.7
KIN = 0.5

#: of the shingles of a held-out text, how many make a text hold it
HOLDS = 0.7

_BANDS = 42
_ROWS = 3

#: of MinHash's permutations: the same in every process and on every machine
_SEED = 1

#: how the lines begin that a file's head comment is made of
_COMMENT = ("#", "//", "/*", "*", "--", ";", "%")


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two texts, by their place in the sequence, that are kin or copies."""

    first: int
    second: int
    jaccard: float


def shingles_of(text: str) -> Shingles:
    """The runs of a text as sorted numbers."""
    runs = words_of(_without_head(text)).runs(RUN)
    return np.unique(np.array([zlib.crc32(" ".join(run).encode()) for run in runs], np.uint32))


def alike(sets: Sequence[Shingles], tell: Callable[[int], None]) -> list[Likeness]:
    """Every pair that is at least kin, each by the place of the later one.

    `tell` hears how many texts were looked at.
    """
    if len(sets) < 2:
        return []
    # brings scipy along, seconds that a tree which is refused need not take
    from datasketch import MinHash, MinHashLSH  # noqa: PLC0415

    index = MinHashLSH(num_perm=_BANDS * _ROWS, params=(_BANDS, _ROWS))
    base = MinHash(num_perm=_BANDS * _ROWS, seed=_SEED, hashfunc=_itself)
    found = []
    for second, mine in enumerate(sets):
        tell(second)
        if not mine.size:
            continue
        sketch = base.copy()
        sketch.update_batch(mine)
        for first in sorted(index.query(sketch)):
            jaccard = _jaccard(sets[first], mine)
            if jaccard >= KIN:
                found.append(Likeness(first, second, jaccard))
        index.insert(second, sketch, check_duplication=False)
    return found


def copies(count: int, pairs: Sequence[Likeness]) -> dict[int, int]:
    """Which texts to leave out, and which earlier one each is a copy of.

    Greedy, in the order of the sequence: nothing is left out for being like what is left out, and
    no two that stay are copies.
    """
    before: dict[int, list[int]] = {}
    for pair in pairs:
        if pair.jaccard >= COPY:
            before.setdefault(pair.second, []).append(pair.first)
    left: dict[int, int] = {}
    for number in range(count):
        kept = [earlier for earlier in before.get(number, ()) if earlier not in left]
        if kept:
            left[number] = min(kept)
    return left


def families(count: int, pairs: Sequence[Likeness]) -> list[int]:
    """For each text the first one that it is kin to, over any number of others."""
    roots = list(range(count))

    def root(number: int) -> int:
        while roots[number] != number:
            roots[number] = roots[roots[number]]
            number = roots[number]
        return number

    for pair in pairs:
        low, high = sorted((root(pair.first), root(pair.second)))
        roots[high] = low
    return [root(number) for number in range(count)]


class Holder:
    """Finds texts that hold most of one of these, even where the rest of them is something else."""

    def __init__(self, sets: Sequence[Shingles]) -> None:
        self._sizes = np.array([one.size for one in sets], np.int64)
        keys = np.concatenate([np.empty(0, np.uint32), *sets])
        owners = np.repeat(np.arange(len(sets)), self._sizes)
        order = np.argsort(keys, kind="stable")
        self._keys, self._owners = keys[order], owners[order]

    def held_by(self, text: Shingles) -> int | None:
        """The first of the texts most of which stands in this one."""
        begins = np.searchsorted(self._keys, text, "left")
        ends = np.searchsorted(self._keys, text, "right")
        places = [np.arange(i, j) for i, j in zip(begins, ends, strict=True) if j > i]
        if not places:
            return None
        shared = np.bincount(self._owners[np.concatenate(places)], minlength=len(self._sizes))
        (held,) = np.nonzero((self._sizes > 0) & (shared >= HOLDS * self._sizes))
        return int(held[0]) if held.size else None

    def share_of(self, text: Shingles) -> float:
        """How much of a text stands in any of the texts; 0 to 1."""
        return float(np.isin(text, self._keys).mean()) if text.size else 0.0


def _jaccard(one: Shingles, other: Shingles) -> float:
    shared = np.intersect1d(one, other, assume_unique=True).size
    return float(shared / (one.size + other.size - shared))


def _itself(value: Any) -> int:
    """Shingles are hashed already."""
    return int(value)


def _without_head(text: str) -> str:
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.strip() and not line.lstrip().startswith(_COMMENT):
            return "\n".join(lines[number:])
    return text
