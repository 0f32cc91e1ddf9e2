"""Fill in the middle is built from ids, in the tokens that the vocabulary really has."""

from __future__ import annotations

import random

import pytest

from crucible_infra.errors import InvalidInput
from crucible_tasks import fim
from crucible_tasks.fim import FAMILIES, FimFamily, FimTokens, Hole
from crucible_tasks.recipe import Recipe

CODE = '''\
def total(values):
    """Add them up."""
    result = 0
    for value in values:
        result += value

    return result


class Empty:
    pass
'''


def _vocabulary(family: FimFamily) -> dict[str, int]:
    return {
        "a": 0,
        family.prefix: 10,
        family.suffix: 11,
        family.middle: 12,
        family.ends[-1]: 13,
    }


def _encode(text: str) -> list[int]:
    return [1000 + ord(character) for character in text]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_is_known_by_its_vocabulary(family: FimFamily) -> None:
    found = fim.find_tokens(_vocabulary(family), rows=14)

    assert found == FimTokens(family.name, 10, 11, 12, 13, family.knows_suffix_first)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_tokens_that_the_weights_do_not_know_are_none(family: FimFamily) -> None:
    assert fim.find_tokens(_vocabulary(family), rows=12) is None


def test_a_vocabulary_of_no_family_has_none() -> None:
    assert fim.find_tokens({"a": 0, "<fim_prefix>": 1, "<fim_suffix>": 2}, rows=9) is None


def test_fill_in_the_middle_is_refused_only_where_it_is_asked_for() -> None:
    tokens = FimTokens("x", 1, 2, 3, 4, knows_suffix_first=False)

    assert fim.rate(Recipe(), tokens) == 0.5
    assert fim.rate(Recipe(fim_rate=0.0), tokens) == 0.0
    assert fim.rate(Recipe(), None) == 0.0
    assert fim.rate(Recipe(fim_rate=0.0), None) == 0.0
    with pytest.raises(InvalidInput, match="no tokens for fill-in-the-middle") as caught:
        fim.rate(Recipe(fim_rate=0.3), None)
    assert "fim_rate" in (caught.value.hint or "")


@pytest.mark.parametrize("blocks", [0.0, 1.0])
def test_a_hole_loses_nothing_and_the_same_seed_digs_it_again(blocks: float) -> None:
    for seed in range(50):
        hole = fim.dig(CODE, random.Random(seed), blocks)
        assert hole.prefix + hole.middle + hole.suffix == CODE
        assert hole == fim.dig(CODE, random.Random(seed), blocks)


def test_a_block_is_whole() -> None:
    middles = {fim.dig(CODE, random.Random(seed), 1.0).middle for seed in range(50)}

    assert middles == {
        CODE[CODE.index('    """Add') : CODE.index("\n\nclass")],
        "        result += value\n",
        "    pass\n",
    }


@pytest.mark.parametrize("text", ["", "x", "a = 1\nb = 2\n", "\n\n\n", "    deep\n"])
def test_text_without_blocks_is_cut_anywhere(text: str) -> None:
    hole = fim.dig(text, random.Random(3), 1.0)

    assert hole.prefix + hole.middle + hole.suffix == text


def test_a_row_has_the_order_of_its_family() -> None:
    tokens = FimTokens("x", 1, 2, 3, 4, knows_suffix_first=True)
    hole = Hole("P", "M", "S")

    usual = fim.build(hole, tokens, _encode, _encode, suffix_first=False)
    turned = fim.build(hole, tokens, _encode, _encode, suffix_first=True)

    p, m, s = (1000 + ord(letter) for letter in "PMS")
    assert (usual.ids, usual.middle_start) == ([1, p, 2, s, 3, m, 4], 5)
    assert (turned.ids, turned.middle_start) == ([1, 2, s, 3, p, m, 4], 5)


def test_only_what_begins_a_text_is_encoded_as_its_beginning() -> None:
    tokens = FimTokens("x", 1, 2, 3, 4, knows_suffix_first=False)

    row = fim.build(Hole("P", "M", "S"), tokens, lambda _: [7], lambda _: [8], suffix_first=False)

    assert row.ids == [1, 7, 2, 8, 3, 8, 4]
