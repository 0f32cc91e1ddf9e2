"""Programs whose text is odd or broken, and what each must be called."""

from __future__ import annotations

from crucible_tasks.verdict import Outcome
from crucible_workers.sandbox.self_check.check import PASSED, Check

_ANSWER = "def double(x): return 2 * x\n"
_TEST = "assert double(21) == 42"


def _odd(name: str, program: str, test: str = _TEST) -> Check:
    return Check(name, "promises", program, test, PASSED, is_universal=True)


def _broken(name: str, program: str, outcome: Outcome = Outcome.SYNTAX_ERROR) -> Check:
    return Check(name, "promises", program, _TEST, frozenset({outcome}), is_universal=True)


SOURCES = (
    _odd(
        "coding cookie",
        f"# -*- coding: latin-1 -*-\ns = 'é'\n{_ANSWER}",
        f"{_TEST}\nassert s == 'é'",
    ),
    _odd("form feeds", f"\x0c{_ANSWER}\x0c\n"),
    _odd("CR LF", "def double(x):\r\n    s = '''a\r\nb'''\r\n    return 2 * x\r\n"),
    _odd("CR alone", "def double(x):\r    return 2 * x\r"),
    _odd("no line end", "def double(x): return 2 * x"),
    _odd("ten million characters", f"s = '{'x' * 10_000_000}'\n{_ANSWER}"),
    _odd("a hundred thousand lines", "x = 1\n" * 100_000 + _ANSWER),
    _odd("other scripts", f"def größe(λ): return λ\n名 = '😀'\n{_ANSWER}"),
    _odd("main guard", f"{_ANSWER}if __name__ == '__main__':\n    raise SystemExit(1)\n"),
    _odd("future import", f"from __future__ import annotations\n{_ANSWER}"),
    _odd("star import", f"from math import *\nfrom typing import *\n{_ANSWER}"),
    _odd(
        "a test of its own", f"{_ANSWER}def check(f): raise AssertionError\nassert double(1) == 2\n"
    ),
    _broken("nothing", "", Outcome.ERROR),
    _broken("only a comment", "# nothing", Outcome.ERROR),
    _broken("another function", "def triple(x): return 3 * x", Outcome.ERROR),
    _broken("wrong answer", "def double(x): return x", Outcome.FAILED),
    _broken("null byte", f"{_ANSWER}\0"),
    _broken("lone surrogate", f"s = '\ud83d'\n{_ANSWER}"),
    _broken("unclosed bracket", f"{_ANSWER}x = ("),
    _broken("prose", "Here is the solution you asked for:"),
    _broken("mixed indentation", "def double(x):\n\tif x:\n        return 2 * x\n"),
    _broken("deep nesting", f"x = {'(' * 5000}{')' * 5000}\n{_ANSWER}"),
    _broken("a hundred thousand signs", f"x = {'-' * 100_000}1\n{_ANSWER}"),
    _broken("a hundred thousand attributes", f"x = a{'.b' * 100_000}\n{_ANSWER}"),
    _broken("error at the top", f"{_ANSWER}1 / 0\n", Outcome.ERROR),
)
