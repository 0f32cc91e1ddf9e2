"""The prompt for a challenge: text to continue for base models, a message for chat models.

The wording is part of the measurement: VERSION changes with every character of it, and it is
never tuned for one model. Whoever needs another one brings a file, see `wording`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from crucible_infra.errors import InvalidInput
from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.generation import Message, Prompt

if TYPE_CHECKING:
    from crucible_tasks.wording import Wording

VERSION = "continue-or-ask/1"

STYLES = ("base", "chat")

#: Save tokens without ever ending an answer early: nothing a function needs begins so. `\ndef` is
#: not among them, because helpers may follow a function; extraction finds the end by parsing.
#: At most four, the number OpenAI-compatible servers accept.
_STOP = {
    Language.PYTHON: ("\nif __name__", "\nprint(", "\nassert "),
    Language.JAVASCRIPT: ("\nconsole.log(", "\nconsole.assert(", "\nmodule.exports"),
    Language.OTHER: (),
}
#: MBPP's own prompt shows its three asserts, because they tell the function's name
_MOST_ASSERTS = 3

_NAMES = {Language.PYTHON: "Python", Language.JAVASCRIPT: "JavaScript"}


def make_prompt(challenge: Challenge, style: str, wording: Wording | None = None) -> Prompt:
    """What is sent to the model, the same for every model and every time.

    A wording puts its own text around. Raises InvalidInput for a style that is not one of STYLES,
    and for a wording that ends with text of its own where a base model is to continue.
    """
    if style == "base":
        found = _to_continue(challenge)
        return found if wording is None else _worded(found, wording)
    if style == "chat":
        request = _request(challenge)
        content = request if wording is None else wording.around(request)
        return Prompt(messages=(Message("user", content),))
    raise InvalidInput(
        f'prompt style "{style}" is not known', hint=f"use one of: {', '.join(STYLES)}"
    )


def version_of(wording: Wording | None) -> str:
    """What a manifest calls the prompts of a run: `continue-or-ask/1+terse@1f0c9a2b`."""
    return VERSION if wording is None else f"{VERSION}+{wording.label}"


def _worded(prompt: Prompt, wording: Wording) -> Prompt:
    wording.check_for_base()
    return replace(prompt, text=wording.around(prompt.text or ""))


def _to_continue(challenge: Challenge) -> Prompt:
    is_whole_program = challenge.entry_point is None
    stop = challenge.stop or (() if is_whole_program else _STOP[challenge.language])
    if challenge.prompt_is_code:
        return Prompt(text=challenge.prompt, stop=stop)
    return Prompt(text=_as_comment(_problem(challenge), challenge.language), stop=stop)


def _as_comment(problem: str, language: Language) -> str:
    """The problem as a file's first comment, so that the rest of the file is its solution."""
    if language is Language.PYTHON:
        quotes = "'''" if '"""' in problem else '"""'
        return f"{quotes}\n{problem}\n{quotes}\n"
    return "/*\n{}\n*/\n".format(problem.replace("*/", "* /"))


def _request(challenge: Challenge) -> str:
    language = _NAMES.get(challenge.language)
    block = f"fenced code block in {language}" if language else "fenced code block"
    instruction = f"Reply with one {block} that contains the complete solution, including imports."
    if challenge.prompt_is_code:
        tag = challenge.language.value if language else ""
        task = f"Complete this code:\n\n{_fenced(challenge.prompt, tag)}"
    else:
        task = f"Problem:\n\n{_problem(challenge)}"
    return f"{instruction}\n\n{task}"


def _fenced(code: str, tag: str) -> str:
    longest = max((len(run) for run in re.findall(r"`{3,}", code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{tag}\n{code.rstrip()}\n{fence}"


def _problem(challenge: Challenge) -> str:
    """The problem's text and what it leaves open: the function's name, or where input is."""
    # MBPP+ publishes its texts as docstrings
    text = challenge.prompt.strip().removeprefix('"""').removesuffix('"""').strip()
    if challenge.entry_point is None:
        return f"{text}\n\nThe program reads from standard input and writes to standard output."
    if re.search(rf"(?<!\w){re.escape(challenge.entry_point)}(?!\w)", text):
        return text
    shown = _asserts(challenge)
    return f"{text}\n" + ("\n".join(shown) or f"The name to define is {challenge.entry_point}.")


def _asserts(challenge: Challenge) -> list[str]:
    tests = challenge.tests
    if not isinstance(tests, ScriptTests):
        return []
    pattern = rf"^assert\b.*(?<!\w){re.escape(challenge.entry_point or '')}(?!\w).*$"
    found = re.findall(pattern, tests.source, re.MULTILINE)
    return found[:_MOST_ASSERTS]
