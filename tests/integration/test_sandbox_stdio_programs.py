"""Whole programs read stdin and write stdout as they would outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crucible_tasks.challenge import StdioCase, StdioTests
from crucible_tasks.verdict import Outcome
from crucible_workers.sandbox.slots import SlotSandbox
from sandbox_probes import judge, opened

#: the program answers each line's number doubled
DOUBLED = StdioTests((StdioCase("3\n4\n", "6\n8\n"), StdioCase("5\n", "10\n")))

RIGHT = {
    "input": """
        while True:
            try: print(int(input()) * 2)
            except EOFError: break""",
    "stdin": "import sys\nfor line in sys.stdin: print(int(line) * 2)",
    "buffer": "import sys\nfor line in sys.stdin.buffer.readlines(): print(int(line) * 2)",
    "open(0)": "for line in open(0): print(int(line) * 2)",
    "os.read": """
        import os
        for line in os.read(0, 1 << 20).split(): os.write(1, b'%d\\n' % (int(line) * 2))""",
    "fileinput": "import fileinput\nfor line in fileinput.input('-'): print(int(line) * 2)",
    "main guard": """
        import sys
        def main():
            for line in sys.stdin: print(int(line) * 2)
        if __name__ == '__main__': main()""",
    "exit": "import sys\nfor line in sys.stdin: print(int(line) * 2)\nexit(0)",
    "sys.exit": "import sys\nfor line in sys.stdin: print(int(line) * 2)\nsys.exit()",
    "atexit": """
        import atexit, sys
        text = '\\n'.join(str(int(line) * 2) for line in sys.stdin)
        atexit.register(print, text)""",
    "thread": """
        import sys, threading
        def run():
            for line in sys.stdin: print(int(line) * 2)
        threading.Thread(target=run).start()""",
    "noise on stderr": """
        import sys
        for line in sys.stdin:
            print('debug', file=sys.stderr)
            print(int(line) * 2)""",
    "floats": "import sys\nfor line in sys.stdin: print(int(line) * 2.0)",
    "other stdout": """
        import io, sys
        sys.stdout = io.TextIOWrapper(open(1, 'wb', closefd=False), write_through=True)
        for line in sys.stdin: print(int(line) * 2)""",
}
WRONG = {
    "wrong answer": ("print(1)", Outcome.FAILED),
    "nothing": ("", Outcome.FAILED),
    "exit status": ("import sys\nprint('6\\n8')\nsys.exit(3)", Outcome.ERROR),
    "exit text": ("import sys\nsys.exit('failed')", Outcome.ERROR),
    "exception": ("1 / 0", Outcome.ERROR),
    "syntax": ("print(", Outcome.SYNTAX_ERROR),
    "null byte": ("print(1)\0", Outcome.SYNTAX_ERROR),
    "memory": ("bytearray(8 << 30)", Outcome.OUT_OF_MEMORY),
    "loop": ("while True: pass", Outcome.TIMED_OUT),
    "output": ("while True: print('x' * 100000)", Outcome.OUTPUT_LIMIT),
    "os._exit": ("import os\nos._exit(0)", Outcome.FAILED),
    "signal": ("import ctypes\nctypes.string_at(0)", Outcome.ERROR),
    "passed": ('print(\'["passed", ""]\')', Outcome.FAILED),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SlotSandbox]:
    with opened("namespaces") as opened_sandbox:
        yield opened_sandbox


@pytest.mark.parametrize("way", RIGHT)
def test_a_right_program_passes(sandbox: SlotSandbox, way: str) -> None:
    from textwrap import dedent

    verdict = judge(sandbox, dedent(RIGHT[way]), DOUBLED)

    assert verdict.outcome is Outcome.PASSED, verdict.detail


@pytest.mark.parametrize("way", WRONG)
def test_a_wrong_program_gets_its_outcome(sandbox: SlotSandbox, way: str) -> None:
    program, outcome = WRONG[way]
    verdict = judge(sandbox, program, DOUBLED)

    assert verdict.outcome is outcome, verdict.detail


def test_large_output_below_the_limit_arrives_whole(sandbox: SlotSandbox) -> None:
    size = 3_000_000
    verdict = judge(sandbox, f"print('x' * {size})", StdioTests((StdioCase("", "x" * size),)))

    assert verdict.outcome is Outcome.PASSED


def test_large_input_arrives_whole(sandbox: SlotSandbox) -> None:
    text = "1 " * 1_000_000
    tests = StdioTests((StdioCase(text, "1000000"),))

    assert judge(sandbox, "print(len(input().split()))", tests).outcome is Outcome.PASSED


def test_input_that_is_no_text_does_not_stop_the_judge(sandbox: SlotSandbox) -> None:
    tests = StdioTests((StdioCase("\ud83d", "1"),))

    assert judge(sandbox, "print(1)", tests).outcome is Outcome.PASSED


def test_the_failing_case_is_named(sandbox: SlotSandbox) -> None:
    verdict = judge(sandbox, "print('6\\n8')", DOUBLED)

    assert verdict.outcome is Outcome.FAILED
    assert verdict.detail.startswith("case 2:")
