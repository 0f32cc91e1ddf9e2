"""MBPP rows (Austin et al. 2021): full, sanitized, and MBPP+ as "OriginFmt".

The tests are the row's imports or set-up code followed by its assertions, run after the program:
set-up code uses the program's classes (task 367 builds a tree of its Node). The full file's
`challenge_test_list` is not used for grading, here as in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crucible_tasks.challenge import Challenge, Language, Limits, ScriptTests
from crucible_tasks.challenges.entry_point import entry_point_of
from crucible_tasks.challenges.format import Format

#: what EvalPlus allows at most; the reference of task 599 needs more than 20 s
MBPP_PLUS_LIMITS = Limits(cpu_seconds=60.0)

#: ends a solution in the paper's prompt
_STOP = ("[DONE]",)


class MbppRow(msgspec.Struct):
    """The fields of a row of mbpp.jsonl."""

    task_id: int | str
    text: str
    code: str
    test_list: list[str]
    test_setup_code: str = ""


class SanitizedMbppRow(msgspec.Struct):
    """The fields of a row of sanitized-mbpp.json."""

    task_id: int | str
    prompt: str
    code: str
    test_imports: list[str]
    test_list: list[str]


class OriginMbppPlusRow(SanitizedMbppRow):
    """MBPP+ adds a script that holds `test_list`'s cases and many more."""

    test: str


def _full(row: MbppRow) -> Challenge:
    source = "\n".join((row.test_setup_code, *row.test_list))
    return _challenge(row, row.text, source, Limits())


def _sanitized(row: SanitizedMbppRow) -> Challenge:
    source = "\n".join((*row.test_imports, *row.test_list))
    return _challenge(row, row.prompt, source, Limits())


def _plus(row: OriginMbppPlusRow) -> Challenge:
    source = "\n".join((*row.test_imports, row.test))
    return _challenge(row, row.prompt, source, MBPP_PLUS_LIMITS)


def _challenge(
    row: MbppRow | SanitizedMbppRow, text: str, source: str, limits: Limits
) -> Challenge:
    reference = _unix_lines(row.code)
    return Challenge(
        task_id=str(row.task_id),
        language=Language.PYTHON,
        prompt=_with_assertions(text, row.test_list),
        entry_point=entry_point_of(reference, row.test_list),
        tests=ScriptTests(_unix_lines(source).lstrip("\n") + "\n"),
        reference=reference,
        stop=_STOP,
        limits=limits,
        prompt_is_code=False,
    )


def _with_assertions(text: str, assertions: Sequence[str]) -> str:
    """Show the assertions, as the paper does: the text alone names no function."""
    shown = "\n".join(assertion.strip() for assertion in assertions)
    return f"{text.strip()}\nYour code should pass these tests:\n{shown}\n"


def _unix_lines(source: str) -> str:
    return source.replace("\r\n", "\n").replace("\r", "\n")


MBPP = Format("mbpp", MbppRow, _full)
SANITIZED_MBPP = Format("mbpp-sanitized", SanitizedMbppRow, _sanitized)
ORIGIN_MBPP_PLUS = Format("mbpp+originfmt", OriginMbppPlusRow, _plus)
