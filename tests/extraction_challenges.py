"""One challenge of each kind that extraction treats in a way of its own."""

from __future__ import annotations

from crucible_tasks.challenge import Challenge, Language, ScriptTests

PROMPT = 'import math\n\n\ndef f(x: int) -> int:\n    """Return x plus one."""\n'

CHALLENGES = tuple(
    Challenge("t", language, PROMPT, entry_point, ScriptTests(""), prompt_is_code=is_code)
    for language in Language
    for entry_point, is_code in (("f", True), ("f", False), (None, False))
)
