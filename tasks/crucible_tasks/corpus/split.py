"""Splits a corpus into what is trained on and what is held out, by families of kin documents.

A family goes to one side whole. Which side is a matter of the paths alone: families are ordered by
the lowest rank of their paths, a hash, and the first ones are held out until the share is reached.
So a file stays on its side when its text or its neighbours change, and two fine-tunes months apart
are measured on much the same files. Of copies the one of the lowest rank is kept, so that a copy of
a held-out file cannot take its place and be trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from crucible_tasks.corpus.corpus import Part

#: of the share wanted: a family that would take more than this is passed over, so that one large
#: family does not hold out most of a small tree
_MOST = 2.0


@dataclass(frozen=True, slots=True)
class Member:
    """A document as the split sees it."""

    path: str
    #: characters
    size: int
    #: the same number for all of its kin
    family: int


def split(members: Sequence[Member], share: float) -> list[Part]:
    """The part of each document; about this share of all characters is held out.

    As soon as there are two families, one is held out, unless no share is wanted.
    """
    sizes: dict[int, int] = {}
    ranks: dict[int, bytes] = {}
    for member in members:
        sizes[member.family] = sizes.get(member.family, 0) + member.size
        mine = rank(member.path)
        ranks[member.family] = min(ranks.get(member.family, mine), mine)
    wanted = share * sum(sizes.values())
    held: set[int] = set()
    taken = 0
    for family in sorted(ranks, key=lambda family: ranks[family]):
        if taken < wanted and taken + sizes[family] <= _MOST * wanted:
            held.add(family)
            taken += sizes[family]
    if not held and share and len(sizes) > 1:
        # every family is too large: the smallest costs training least
        held.add(min(sizes, key=lambda family: (sizes[family], ranks[family])))
    return [Part.HELD_OUT if member.family in held else Part.TRAIN for member in members]


def rank(path: str) -> bytes:
    """Where a path stands in the order in which files are held out."""
    return hashlib.sha256(path.encode()).digest()
