"""Arguments as people read them: short, on one line, without secrets."""

from __future__ import annotations

from typing import Any

import pytest

from crucible_tasks.shown import LONGEST_TEXT, arguments


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ({"run_id": "r-1", "attempt": 0}, "run_id=r-1, attempt=0"),
        ({"limits": None, "is_quick": True}, "is_quick=True"),
        ({"completions": [{"text": "x" * 10_000}] * 20}, "completions=[20]"),
        ({"indices": [0, 1, 2]}, "indices=[0, 1, 2]"),
        ({"indices": list(range(200))}, "indices=[0, 1, 2, 3, 4, 5, 6, 7, … 200]"),
        ({"prompt": {"text": "long", "stop": []}}, "prompt={text, stop}"),
        ({"failure": "two\nlines"}, r"failure='two\nlines'"),
        ({"text": "y" * 1000}, f"text={'y' * (LONGEST_TEXT - 1)}…"),
        ({"model": "openai:http://u:hunter2@h#m"}, "model=openai:http://u:***@h#m"),
    ],
)
def test_a_message_is_one_short_line(message: dict[str, Any], shown: str) -> None:
    assert arguments(message) == shown


def test_a_sent_message_carries_it_instead_of_its_texts() -> None:
    from crucible_tasks.control import RECONCILE, Reconcile

    assert RECONCILE.signature(Reconcile("r-1")).options["argsrepr"] == "run_id=r-1"
