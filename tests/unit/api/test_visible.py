from __future__ import annotations

import unicodedata

import pytest

from crucible_api.page.visible import SHOWN, shown, visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain\n\ttext, ä € 漢字 🙂", "plain\n\ttext, ä € 漢字 🙂"),
        ("a\u202eb", "a⟦U+202E⟧b"),
        ("\x00\x1b[31m", "⟦U+0000⟧⟦U+001B⟧[31m"),
        ("a\u200bb\ufeff", "a⟦U+200B⟧b⟦U+FEFF⟧"),
        ("a\rb\r\nc", "a⟦U+000D⟧b\nc"),
        ("\ud800x", "⟦U+D800⟧x"),
        ("x\U000e0041", "x⟦U+E0041⟧"),
        ("a\u00a0b", "a⟦U+00A0⟧b"),
        ("<b>", "<b>"),
    ],
)
def test_what_a_screen_would_hide_or_obey_gets_a_mark(text: str, seen: str) -> None:
    assert visible(text) == seen


def test_no_control_or_format_character_is_left_but_for_tabs_and_line_ends() -> None:
    every = "".join(map(chr, range(0x110000)))
    left = {one for one in visible(every) if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp")}
    assert left == {"\t", "\n"}
    bidirectional = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not {one for one in visible(every) if unicodedata.bidirectional(one) in bidirectional}


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    found = shown("\0" + "x" * 1_000_000)
    assert found.is_cut
    assert (found.length, found.marks) == (1_000_001, 1)
    assert found.text == "⟦U+0000⟧" + "x" * (SHOWN - 1)
    assert not shown("x" * SHOWN).is_cut
