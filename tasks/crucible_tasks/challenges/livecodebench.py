"""LiveCodeBench rows (Jain et al. 2024): programs on stdin, and methods of a class.

Public and private cases are graded together. For methods, a case is one assertion on
`Solution().method(...)`; a tuple equals the expected list, as in the official evaluator. That
evaluator also puts star imports of the standard library before each program, and this does not:
the starter code in the prompt shows the import its annotations need.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any

import msgspec

from crucible_infra.errors import FormatError
from crucible_tasks.challenge import (
    Challenge,
    Language,
    Limits,
    ScriptTests,
    StdioCase,
    StdioTests,
    Tests,
)
from crucible_tasks.challenges.format import Format
from crucible_tasks.challenges.pickled_text import pickled_text

#: what the official evaluator allows for one case
_CASE_SECONDS = 6.0
#: all cases of a method run in one process; enough for ten slow ones
_METHOD_SECONDS = 60.0
#: the largest published rows unpack to about a tenth of this
_LARGEST_UNPACKED = 2**30


class LiveCodeBenchRow(msgspec.Struct):
    """The fields of a LiveCodeBench row that matter here."""

    question_id: str
    question_content: str
    #: empty for stdin problems
    starter_code: str
    #: JSON: a list of cases
    public_test_cases: str
    #: the same, or base64 of zlib of a pickle of it
    private_test_cases: str
    #: JSON: an object with `func_name` for methods
    metadata: str


class _Case(msgspec.Struct):
    """One test case as published."""

    input: str
    output: str
    testtype: str


class _Metadata(msgspec.Struct):
    """What is needed of the metadata."""

    func_name: str | None = None


def _challenge(row: LiveCodeBenchRow) -> Challenge:
    cases = [*_cases("public_test_cases", row.public_test_cases), *_private_cases(row)]
    kinds = {case.testtype for case in cases}
    if kinds == {"stdin"}:
        tests: Tests = StdioTests(tuple(StdioCase(case.input, case.output) for case in cases))
        entry_point, seconds = None, _CASE_SECONDS
    elif kinds == {"functional"}:
        tests = _method_tests(_decoded("metadata", row.metadata, _Metadata).func_name, cases)
        entry_point = "Solution"
        seconds = min(_CASE_SECONDS * len(cases), _METHOD_SECONDS)
    else:
        raise FormatError(f"test cases must be all 'stdin' or all 'functional', not {kinds}")
    return Challenge(
        task_id=row.question_id,
        language=Language.PYTHON,
        prompt=_prompt(row),
        entry_point=entry_point,
        tests=tests,
        limits=Limits(cpu_seconds=seconds),
        prompt_is_code=False,
    )


def _prompt(row: LiveCodeBenchRow) -> str:
    if not row.starter_code.strip():
        return f"{row.question_content.strip()}\n\nRead from stdin and write to stdout.\n"
    starter = f"from typing import *\n\n{row.starter_code.strip()}"
    return f"{row.question_content.strip()}\n\nStart from this code:\n```python\n{starter}\n```\n"


def _private_cases(row: LiveCodeBenchRow) -> list[_Case]:
    if row.private_test_cases.lstrip().startswith("["):
        return _cases("private_test_cases", row.private_test_cases)
    try:
        packed = base64.b64decode(row.private_test_cases, validate=True)
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(packed, _LARGEST_UNPACKED)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise FormatError(f"`private_test_cases` cannot be unpacked: {error}") from error
    if not unpacker.eof:
        raise FormatError("`private_test_cases` is truncated, or unpacks to over 1 GiB")
    return _cases("private_test_cases", pickled_text(content))


def _cases(field: str, content: str) -> list[_Case]:
    cases: list[_Case] = _decoded(field, content, list[_Case])
    return cases


def _decoded(field: str, content: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise FormatError(f"`{field}` cannot be read: {error}") from error


def _method_tests(method: str | None, cases: list[_Case]) -> ScriptTests:
    if method is None or not method.isidentifier():
        raise FormatError(f"`metadata` must name a method in func_name, not {method!r}")
    return ScriptTests("".join(_assertion(method, case) for case in cases))


def _assertion(method: str, case: _Case) -> str:
    # one argument a line, as JSON
    lines = [line for line in case.input.split("\n") if line.strip()]
    arguments = ", ".join(repr(_decoded("input", line, Any)) for line in lines)
    expected = _decoded("output", case.output, Any)
    if isinstance(expected, list):
        return f"assert Solution().{method}({arguments}) in ({expected!r}, {tuple(expected)!r})\n"
    return f"assert Solution().{method}({arguments}) == {expected!r}\n"


LIVECODEBENCH = Format("livecodebench", LiveCodeBenchRow, _challenge)
