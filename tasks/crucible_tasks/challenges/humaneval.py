"""HumanEval rows (Chen et al. 2021), and HumanEval+ in the same layout ("OriginFmt")."""

from __future__ import annotations

import re

import msgspec

from crucible_tasks.challenge import Challenge, Language, Limits, ScriptTests
from crucible_tasks.challenges.format import Format

#: Chen et al. 2021, section 2.1
STOP = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")

#: EvalPlus' tests run up to a thousand inputs; the reference takes up to 4 s of this
HUMANEVAL_PLUS_LIMITS = Limits(cpu_seconds=20.0)

#: Every OriginFmt `check` starts with its inputs in a list, no `check` of HumanEval does.
#: Size would not tell the two apart: the smallest OriginFmt test is shorter than HumanEval's
#: longest. File and task names are the same.
_TABLE_OF_INPUTS = re.compile(r"^    inputs = \[", re.MULTILINE)


class HumanEvalRow(msgspec.Struct):
    """The fields of a HumanEval row."""

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    #: defines `check(candidate)`
    test: str


def _challenge(row: HumanEvalRow) -> Challenge:
    is_exhaustive = _TABLE_OF_INPUTS.search(row.test) is not None
    return Challenge(
        task_id=row.task_id,
        language=Language.PYTHON,
        prompt=row.prompt,
        entry_point=row.entry_point,
        tests=ScriptTests(f"{row.test}\n\ncheck({row.entry_point})\n"),
        reference=row.prompt + row.canonical_solution,
        stop=STOP,
        limits=HUMANEVAL_PLUS_LIMITS if is_exhaustive else Limits(),
    )


HUMANEVAL = Format("humaneval", HumanEvalRow, _challenge)
