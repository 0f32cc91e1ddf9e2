"""Near duplicates are found exactly, and kin stay on one side of the split."""

from __future__ import annotations

import random

from crucible_tasks.corpus.corpus import Part
from crucible_tasks.corpus.near_duplicates import (
    COPY,
    KIN,
    Holder,
    alike,
    copies,
    families,
    shingles_of,
)
from crucible_tasks.corpus.split import Member, split

WORDS = [f"word{number}" for number in range(400)]


def _text(seed: int, length: int = 200) -> str:
    chance = random.Random(seed)
    return " ".join(chance.choice(WORDS) for _ in range(length))


def _edited(text: str, edits: int) -> str:
    words = text.split()
    for place in range(edits):
        words[(place + 1) * len(words) // (edits + 1)] = f"edit{place}"
    return " ".join(words)


def _jaccard(one: str, other: str) -> float:
    first, second = set(shingles_of(one).tolist()), set(shingles_of(other).tolist())
    return len(first & second) / len(first | second)


def test_every_pair_above_the_limit_is_found_with_its_exact_likeness() -> None:
    texts = [_edited(_text(seed), edits) for seed in range(12) for edits in range(0, 20, 3)]
    found = {
        (pair.first, pair.second): pair.jaccard
        for pair in alike(list(map(shingles_of, texts)), _deaf)
    }
    expected = {
        (i, j): _jaccard(texts[i], texts[j])
        for j in range(len(texts))
        for i in range(j)
        if _jaccard(texts[i], texts[j]) >= KIN
    }

    assert found == expected
    assert min(expected.values()) < COPY < max(expected.values())


def test_a_licence_at_the_head_makes_no_duplicates() -> None:
    head = "\n".join(f"# {_text(99, 20)}" for _ in range(30))
    texts = [f"{head}\n\n{_text(seed, 40)}" for seed in (1, 2)]

    assert alike([shingles_of(text) for text in texts], _deaf) == []


def test_of_copies_the_first_stays_and_nothing_is_lost_for_a_lost_one() -> None:
    # each is a copy of the one before, the third of the first no more
    chain = [_text(7), _edited(_text(7), 5), _edited(_text(7), 11)]
    pairs = alike([shingles_of(text) for text in chain], _deaf)

    assert [_jaccard(chain[0], text) >= COPY for text in chain] == [True, True, False]
    assert copies(3, pairs) == {1: 0}
    assert families(3, pairs) == [0, 0, 0]


def test_a_text_that_holds_most_of_another_is_found_at_any_length() -> None:
    held = [shingles_of(_text(seed)) for seed in (1, 2)]
    holder = Holder(held)

    assert holder.held_by(shingles_of(f"{_text(8, 900)} {_text(2)}")) == 1
    assert holder.held_by(shingles_of(_text(8, 900))) is None
    assert holder.share_of(held[0]) == 1.0
    assert Holder([]).held_by(held[0]) is None


def test_a_family_stays_together_and_about_the_share_is_held_out() -> None:
    members = [Member(f"pkg/file{number}.py", 1000, number // 3) for number in range(300)]
    parts = split(members, 0.1)
    sides: dict[int, set[Part]] = {}
    for member, part in zip(members, parts, strict=True):
        sides.setdefault(member.family, set()).add(part)

    assert all(len(side) == 1 for side in sides.values())
    assert 0.08 <= parts.count(Part.HELD_OUT) / len(parts) <= 0.12


def test_a_file_stays_on_its_side_when_others_come() -> None:
    members = [Member(f"file{number}.py", 1000, number) for number in range(100)]
    before = split(members, 0.1)
    after = split([*members, Member("new.py", 1000, 100)], 0.1)
    moved = sum(old is not new for old, new in zip(before, after[:-1], strict=True))

    assert moved <= 1


def test_a_tree_of_few_files_still_holds_one_out() -> None:
    assert split([Member("a", 50, 0), Member("b", 40, 1)], 0.1) == [Part.TRAIN, Part.HELD_OUT]
    assert split([Member("a", 50, 0)], 0.1) == [Part.TRAIN]
    assert split([Member("a", 50, 0), Member("b", 40, 1)], 0.0) == [Part.TRAIN, Part.TRAIN]


def _deaf(done: int) -> None:
    del done
