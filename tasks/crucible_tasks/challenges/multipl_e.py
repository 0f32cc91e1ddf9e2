"""MultiPL-E rows (Cassano et al. 2022): HumanEval and MBPP translated to other languages."""

from __future__ import annotations

import re

import msgspec

from crucible_infra.errors import FormatError
from crucible_tasks.challenge import Challenge, ScriptTests
from crucible_tasks.challenges.format import Format
from crucible_tasks.challenges.language_names import language_named

#: "HumanEval_0_has_close_elements", "mbpp_3_is_not_prime"
_NAME = re.compile(r"[A-Za-z]+_\d+_(?P<function>\w+)")


class MultiplERow(msgspec.Struct):
    """The fields of a MultiPL-E row."""

    name: str
    #: "js", "ts", "cpp", "go_test.go", …
    language: str
    prompt: str
    #: appended to the program, they end it with an error when a test fails
    tests: str
    #: some releases hold the list as a JSON string
    stop_tokens: list[str] | str


def _challenge(row: MultiplERow) -> Challenge:
    return Challenge(
        # the same names stand in the files of every language
        task_id=f"{row.language}/{row.name}",
        language=language_named(row.language),
        prompt=row.prompt,
        entry_point=_entry_point(row),
        tests=ScriptTests(row.tests),
        stop=_stop(row.stop_tokens),
    )


def _entry_point(row: MultiplERow) -> str | None:
    """Return the name's last part where the prompt spells it so; Java says hasCloseElements."""
    parts = _NAME.fullmatch(row.name)
    if parts is None or not re.search(rf"\b{parts['function']}\b", row.prompt):
        return None
    return parts["function"]


def _stop(tokens: list[str] | str) -> tuple[str, ...]:
    if isinstance(tokens, list):
        return tuple(tokens)
    try:
        return msgspec.json.decode(tokens, type=tuple[str, ...])
    except msgspec.DecodeError as error:
        raise FormatError(f"`stop_tokens` is no JSON list of strings: {error}") from error


MULTIPL_E = Format("multipl-e", MultiplERow, _challenge)
