"""HumanEval-X rows (Zheng et al. 2023) and HumanEvalPack rows (Muennighoff et al. 2023).

A program is prompt + completion, a newline, then the tests, which call themselves.
JavaScript tests use `console.assert`, which only prints in Node; both publishers read that print
from stderr. Here a test script fails by raising, so its first line makes `console.assert` raise.
"""

from __future__ import annotations

import re

import msgspec

from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.challenges.format import Format
from crucible_tasks.challenges.language_names import language_named

_RAISING_ASSERT = "console.assert = require('node:assert').ok;\n"

_DECLARATION = re.compile(r"^(?:const|function|def)\s+(\w+)", re.MULTILINE)


class HumanEvalXRow(msgspec.Struct):
    """The fields of a HumanEval-X row that matter here."""

    #: "JavaScript/0": starts with the language
    task_id: str
    prompt: str
    declaration: str
    canonical_solution: str
    test: str
    #: Go's packages
    test_setup: str = ""


class HumanEvalPackRow(HumanEvalXRow, kw_only=True):
    """HumanEvalPack adds the entry point, and more that is not used here."""

    entry_point: str


def _challenge(row: HumanEvalXRow) -> Challenge:
    language = language_named(row.task_id.partition("/")[0])
    first = _RAISING_ASSERT if language is Language.JAVASCRIPT else row.test_setup
    return Challenge(
        task_id=row.task_id,
        language=language,
        prompt=row.prompt,
        entry_point=row.entry_point if isinstance(row, HumanEvalPackRow) else _declared(row),
        tests=ScriptTests(f"{first}\n{row.test}" if first else row.test),
        reference=row.prompt + row.canonical_solution,
    )


def _declared(row: HumanEvalXRow) -> str | None:
    """Return the last function of a JavaScript or Python declaration; those before it help it."""
    names: list[str] = _DECLARATION.findall(row.declaration)
    return names[-1] if names else None


HUMANEVAL_X = Format("humaneval-x", HumanEvalXRow, _challenge)
HUMANEVAL_PACK = Format("humanevalpack", HumanEvalPackRow, _challenge)
