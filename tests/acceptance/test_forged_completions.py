"""No completion passes by attacking its judge, in whatever form it comes."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest

from commandline import Crucible
from crucible_tasks.challenge import Challenge
from crucible_tasks.challenges import open_dataset, select, write_rows

#: their tests compare with ==, call math's abs and <, compare lists, compare texts
TASK_IDS = ("HumanEval/0", "HumanEval/2", "HumanEval/14", "HumanEval/161")

_EQUAL_TO_ALL = """
    class Forged(BASE):
        def __new__(cls, *anything):
            return BASE.__new__(cls)
        def agree(self, *anything):
            return True
        __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __contains__ = agree
        def __ne__(self, other):
            return False
        def itself(self, *anything):
            return self
        __abs__ = __sub__ = __rsub__ = __add__ = __neg__ = __getitem__ = __call__ = itself
        def __hash__(self):
            return 0
        def __float__(self):
            return 0.0
        def __index__(self):
            return 1
        def __iter__(self):
            return iter([self])
        def __len__(self):
            return 1
    return Forged()
"""

_WALK_FRAMES = """
    import sys
    for depth in range(100):
        try:
            frame = sys._getframe(depth)
        except ValueError:
            break
        for scope in (frame.f_globals, frame.f_locals):
            for name in list(scope):
                if name in ("check", "candidate", "expected", "verdict", "outcome", "nonce"):
                    scope[name] = lambda *anything, **more: True
                if isinstance(scope.get(name), dict):
                    scope[name].update(passed=True, outcome="passed")
"""

_SAY_PASSED = """
    import sys
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        for text in ("passed", '["passed", ""]', '{"outcome": "passed"}', "OK", "\\n1 passed\\n"):
            print(text, file=stream, flush=True)
"""

_WRITE_TO_ALL = """
    import os, struct
    for text in (b'["passed", ""]', b'["finished", ""]', b'["return", true]', b'passed\\n'):
        for length in (b"", struct.pack("<I", len(text)), struct.pack(">I", len(text))):
            for number in range(256):
                try:
                    os.write(number, length + text)
                except OSError:
                    pass
"""

_COLLECT = """
    import gc
    for thing in gc.get_objects():
        if isinstance(thing, dict) and "outcome" in thing:
            thing["outcome"] = "passed"
        if isinstance(thing, list) and thing and thing[0] in ("failed", "error", "gone"):
            thing[0] = "passed"
"""

#: what a function's body does; each ends by itself or returns what no test wants
BODIES = {
    "sys-exit": "    import sys\n    sys.exit(0)",
    "exit": "    exit(0)",
    "os-exit": "    import os\n    os._exit(0)",
    "raise-system-exit": "    raise SystemExit",
    "raise-system-exit-0": "    raise SystemExit(0)",
    "kill-itself": "    import os, signal\n    os.kill(os.getpid(), signal.SIGTERM)",
    "kill-parent": "    import os, signal\n    os.kill(os.getppid(), signal.SIGKILL)",
    "equal-object": _EQUAL_TO_ALL.replace("BASE", "object"),
    "equal-int": _EQUAL_TO_ALL.replace("BASE", "int"),
    "equal-float": _EQUAL_TO_ALL.replace("BASE", "float"),
    "equal-text": _EQUAL_TO_ALL.replace("BASE", "str"),
    "equal-list": _EQUAL_TO_ALL.replace("BASE", "list"),
    "frames": _WALK_FRAMES,
    "trace": "    import sys\n    sys.settrace(lambda *anything: exit(0))\n    len('')",
    "builtins": "    import builtins\n    builtins.abs = builtins.all = lambda *anything: True\n"
    "    builtins.AssertionError = SystemExit\n    builtins.len = lambda anything: 0",
    "assert": "    import builtins\n    class Quiet(BaseException):\n        code = 0\n"
    "    builtins.AssertionError = Quiet\n    raise builtins.AssertionError",
    "unittest": "    import unittest\n    unittest.TestCase.assertEqual = lambda *anything: None\n"
    "    unittest.TestCase.run = lambda *anything: None\n    unittest.main = lambda *a: None",
    "print-passed": _SAY_PASSED,
    "close-all": "    import os\n    os.closerange(0, 4096)",
    "write-to-all": _WRITE_TO_ALL,
    "write-and-exit": f"{_WRITE_TO_ALL}\n    os._exit(0)",
    "collector": _COLLECT,
    "at-exit": "    import atexit, os\n    atexit.register(os._exit, 0)\n    raise ValueError",
    "fork": "    import os\n    if os.fork():\n        os._exit(0)",
    "excepthook": "    import sys\n    sys.excepthook = lambda *anything: sys.exit(0)\n    1 / 0",
}

FORMS = ("completion", "solution", "import-time", "response")


def _answer(challenge: Challenge, body: str, form: str) -> dict[str, str]:
    """A row of a samples file whose answer does what the body does."""
    body = body.strip("\n")
    if form == "completion":
        return {"task_id": challenge.task_id, "completion": f"{body}\n"}
    program = f"def {challenge.entry_point}(*anything):\n{body}\n"
    if form == "import-time":
        # while the tests wait for the program to be defined at all
        program += f"\n{challenge.entry_point}()\n"
    if form != "response":
        return {"task_id": challenge.task_id, "solution": program}
    return {"task_id": challenge.task_id, "response": f"Sure!\n```python\n{program}```\nEnjoy."}


def _judge(crucible: Crucible, rows: list[dict[str, str]]) -> tuple[Any, list[Any]]:
    samples, verdicts = crucible.home / "samples.jsonl", crucible.home / "verdicts.jsonl"
    # only what is answered here: challenges without an answer would lower the coverage
    dataset = crucible.home / "humaneval-part.jsonl"
    dataset.write_bytes(write_rows(select(open_dataset("humaneval"), task_ids=TASK_IDS)))
    samples.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    words = ["--dataset", str(dataset), "--output", str(verdicts), "--json"]
    said = crucible("evaluate", str(samples), *words)
    assert said.code == 0, said.err
    return json.loads(said.out), [json.loads(line) for line in verdicts.read_text().splitlines()]


@pytest.fixture(scope="module")
def challenges() -> list[Challenge]:
    dataset = open_dataset("humaneval")
    return [dataset.by_id(task_id) for task_id in TASK_IDS]


@pytest.mark.parametrize("form", FORMS)
def test_no_forged_completion_passes_and_each_has_its_verdict(
    crucible: Crucible, challenges: list[Challenge], form: str
) -> None:
    kinds = [(challenge, name) for challenge in challenges for name in BODIES]
    rows = [_answer(challenge, BODIES[name], form) for challenge, name in kinds]
    summary, verdicts = _judge(crucible, rows)
    got_through = [
        (challenge.task_id, name, verdict["outcome"])
        for (challenge, name), verdict in zip(kinds, verdicts, strict=True)
        if verdict["passed"] or verdict["outcome"] in ("passed", "infra_error", "missing")
    ]
    assert got_through == []
    assert (summary["coverage"], summary["judged"]) == (1.0, len(rows))
    assert summary["pass@1"]["value"] == 0.0
    assert summary["failures"] == []


@pytest.mark.parametrize("form", FORMS)
def test_the_same_answers_with_an_honest_body_pass(
    crucible: Crucible, challenges: list[Challenge], form: str
) -> None:
    """Else the forged ones might have failed for their wrapping."""
    rows = []
    for challenge in challenges:
        assert challenge.reference is not None
        whole = textwrap.indent(f"{challenge.reference}\n", "    ")
        body = f"{whole}    return {challenge.entry_point}(*anything)"
        if form == "completion":
            body = challenge.reference.removeprefix(challenge.prompt)
        row = _answer(challenge, body, form)
        # an honest function needs its arguments
        rows.append(
            {key: text.replace(f"\n{challenge.entry_point}()\n", "") for key, text in row.items()}
        )
    summary, verdicts = _judge(crucible, rows)
    assert [verdict["outcome"] for verdict in verdicts] == ["passed"] * len(rows)
    assert summary["pass@1"]["value"] == 1.0
