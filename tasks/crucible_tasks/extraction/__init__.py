"""Turn a completion's text into a program; the version changes whenever a program could."""

from __future__ import annotations

from crucible_tasks.challenge import Challenge, Language
from crucible_tasks.completion import Finish, Form
from crucible_tasks.evaluation import Extraction
from crucible_tasks.extraction import continuation, javascript_code, python_code
from crucible_tasks.extraction.found import Found

VERSION = "fence-ast/2"


def extract(
    text: str, form: Form, challenge: Challenge, finish: Finish = Finish.STOP
) -> Extraction:
    """The program in a completion's text. Never raises, whatever the text.

    `completion` and `solution` are taken as they are (the semantics of openai/human-eval and
    EvalPlus). `continuation` ends where the function ends. `response` is chat text: the last
    fenced block that parses and defines the entry point wins, and nothing inside it is deleted.
    Python is parsed, never run; JavaScript is only scanned.
    """
    if form is Form.COMPLETION:
        found = Found(challenge.prompt + text, "verbatim")
    elif form is Form.SOLUTION:
        found = Found(text, "verbatim")
    elif challenge.language is Language.PYTHON:
        read = continuation.program if form is Form.CONTINUATION else python_code.program
        found = read(text, challenge, finish)
    elif form is Form.CONTINUATION:
        found = javascript_code.continued_program(text, challenge, finish)
    else:
        found = javascript_code.program(text, challenge, finish)
    return Extraction(found.program, found.method, VERSION, is_trimmed=found.is_trimmed)
