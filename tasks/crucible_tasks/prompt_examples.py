"""Examples in a prompt: what it says a function must return, as tests for a program.

A prompt is text that whoever asks can see, so judging by its examples is judging by nothing hidden.
Read are doctests (`>>> f(2)` and the line below), lines that begin with `assert` or
`console.assert`, and plain words: `f(2) -> 4`, `f(2) returns 4`, `f(-1) raises ValueError`. What is
not clear is no example: one that was misread would fail every right answer.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice

from crucible_tasks import javascript_examples, python_examples
from crucible_tasks.challenge import Challenge, Language, Limits, ScriptTests
from crucible_tasks.example_lines import lines_of

#: of one prompt; a pasted test file is better named as one
_MOST = 50

_JAVASCRIPT = re.compile(
    r"\bjava\s?script\b|\btype\s?script\b|\bnode\.?js\b|\bjs\b|```\s*(?:js|jsx|ts|tsx)\b"
    r"|===|\bconsole\.(?:assert|log)\b",
    re.IGNORECASE,
)
_PYTHON = re.compile(r"\bpython\d?\b|```\s*py\b|^\s*>>> ", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Examples:
    """What a prompt shows, as one script that ends well where every example holds."""

    language: Language
    #: the name that the examples call most; the first of equals
    entry_point: str
    source: str
    #: one line each, as the script states it
    shown: tuple[str, ...]

    def challenge(self, prompt: str, limits: Limits | None = None) -> Challenge:
        """The prompt with its own examples for tests."""
        return Challenge(
            task_id="prompt",
            language=self.language,
            prompt=prompt,
            entry_point=self.entry_point,
            tests=ScriptTests(self.source),
            limits=limits or Limits(),
            prompt_is_code=False,
        )


def examples_in(
    text: str, language: Language | None = None, only: str | None = None
) -> Examples | None:
    """The examples of a prompt, or None where it shows none; never raises, whatever the text.

    Without a language, the prompt's own words tell Python from JavaScript. With the name of the
    `only` function that is known to be asked for, what takes another from the program is none.
    """
    language = language or language_of(text)
    if language is Language.OTHER:
        return None
    reader = javascript_examples if language is Language.JAVASCRIPT else python_examples
    checks = tuple(islice(reader.checks(lines_of(text), only), _MOST))
    called = Counter(name for check in checks for name in check.called)
    if not called:
        return None
    # max takes the first of equals, and a Counter keeps the order of insertion
    entry_point = max(called, key=lambda name: called[name])
    source = "\n".join((*reader.FIRST_LINES, *(check.source for check in checks), ""))
    shown = tuple(check.shown for check in checks if check.shown)
    return Examples(language, entry_point, source, shown) if shown else None


def language_of(text: str) -> Language:
    """The language a prompt asks for, by its own words; Python where it does not say."""
    python, javascript = _PYTHON.search(text), _JAVASCRIPT.search(text)
    return Language.JAVASCRIPT if javascript and not python else Language.PYTHON
