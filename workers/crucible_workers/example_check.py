"""Which programs fail an example that the problem itself shows, judged in this host's sandbox.

Read is the problem's own text, and never what the answer is graded by: not even the tests that a
prompt borrows to tell a function's name (MBPP's asserts). What is written wrongly in a problem
fails for every answer alike.

The model client that needs to know it works on a generation worker. It judges there and sends
nothing: a message to an evaluation worker would let one task wait for another. A host without a
sandbox cannot judge, and says so when the router is opened, which is before a run is planned.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from crucible_infra.errors import SandboxBroken, SandboxUnavailable
from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.extraction.parsing import Parser
from crucible_tasks.prompt_examples import Examples, examples_in
from crucible_tasks.verdict import Outcome
from crucible_workers.evaluate import shared_sandbox

#: from an assertion on, a paragraph is tests; examples are told without
_TESTS = re.compile(r"^[ \t]*assert\b.*(?:\n.*\S.*)*", re.MULTILINE)
_HAS_DOCSTRING = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def check_sandbox(router: str) -> None:
    """Raise SandboxUnavailable where this host cannot judge examples for a router."""
    try:
        shared_sandbox().prove()
    except SandboxUnavailable as error:
        raise SandboxUnavailable(
            f"{router} escalates on example_failed, and this host has no sandbox to find out: "
            f"{error.message}",
            hint="leave example_failed out of escalate_on, or generate where there is a sandbox",
        ) from error


def failing(challenge: Challenge, programs: Sequence[str]) -> frozenset[str]:
    """Those of the programs that do not get all examples of a visible challenge right.

    Raises SandboxBroken where that cannot be found out now, SandboxUnavailable.
    """
    shown = shown_by(challenge)
    if shown is None or not programs:
        return frozenset()
    judged = replace(challenge, tests=ScriptTests(shown.source))
    wanted = list(dict.fromkeys(programs))
    found = list(shared_sandbox().judge(judged, wanted))
    ours = next((verdict for verdict in found if verdict.outcome.is_ours), None)
    if ours is not None:
        raise SandboxBroken(f"the examples of {challenge.task_id}: {ours.detail}")
    return frozenset(
        program
        for program, verdict in zip(wanted, found, strict=True)
        if verdict.outcome is not Outcome.PASSED
    )


def shown_by(challenge: Challenge) -> Examples | None:
    """The examples of the function that is asked for; None for what is not Python."""
    if challenge.language is not Language.PYTHON or challenge.entry_point is None:
        return None
    text = _TESTS.sub("", "\n\n".join(_words(challenge)))
    return examples_in(text, challenge.language, challenge.entry_point)


def _words(challenge: Challenge) -> Iterator[str]:
    """What of a prompt is words: its docstrings, or all of it."""
    if not challenge.prompt_is_code:
        yield challenge.prompt.replace('"""', "\n")
        return
    parser = Parser()
    # a signature alone is no function yet
    tries = (parser.parse(challenge.prompt + tail).tree for tail in ("", "    pass\n"))
    tree = next((tree for tree in tries if tree is not None), None)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, _HAS_DOCSTRING):
            yield ast.get_docstring(node) or ""
