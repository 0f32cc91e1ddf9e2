from __future__ import annotations

from crucible_api.program_diff import LONGEST, Change, Piece, diff


def _texts(pieces: tuple[Piece, ...]) -> str:
    return "".join(f"[{one.text}]" if one.is_changed else one.text for one in pieces)


def test_words_that_differ_are_marked_in_both_lines() -> None:
    [first, second] = diff("def f(a):\n    return a + 1", "def f(a):\n    return a - 1") or ()
    assert (first.change, first.number_a, first.number_b) == (Change.SAME, 1, 1)
    assert second.change is Change.CHANGED
    assert _texts(second.a) == "    return a [+] 1"
    assert _texts(second.b) == "    return a [-] 1"


def test_lines_of_one_program_alone_have_no_number_in_the_other() -> None:
    pairs = diff("a\nb\nc", "a\nc\nd") or ()
    assert [(one.change, one.number_a, one.number_b) for one in pairs] == [
        (Change.SAME, 1, 1),
        (Change.REMOVED, 2, None),
        (Change.SAME, 3, 2),
        (Change.ADDED, None, 3),
    ]


def test_lines_with_little_in_common_are_marked_whole_but_for_their_indentation() -> None:
    [pair] = diff("    return sum(values)", "    for value in values:") or ()
    assert _texts(pair.a) == "    [return sum(values)]"
    assert _texts(pair.b) == "    [for value in values:]"


def test_all_of_both_programs_is_shown() -> None:
    a, b = "x = 1\n\n\ty=2 ", "x  = 2\ny=2\n\n"
    pairs = diff(a, b) or ()
    assert "\n".join(_plain(one.a) for one in pairs if one.number_a) == a
    assert "\n".join(_plain(one.b) for one in pairs if one.number_b) == b


def test_programs_that_are_too_long_are_not_compared() -> None:
    assert diff("\n" * LONGEST, "") is None
    assert diff("", "a" * 100_000) is not None


def _plain(pieces: tuple[Piece, ...]) -> str:
    return "".join(one.text for one in pieces)
