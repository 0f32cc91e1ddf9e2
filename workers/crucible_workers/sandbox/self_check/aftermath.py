"""Programs that try to leave something for the program judged after them."""

from __future__ import annotations

from textwrap import dedent

from crucible_workers.sandbox.self_check.check import Check


def _after(name: str, before: str, program: str) -> Check:
    """A program that must pass although another one ran just before it."""
    return Check(
        f"after one that {name}",
        "aftermath",
        dedent(program).strip(),
        "assert right()",
        before=dedent(before).strip(),
        is_universal=True,
    )


_COUNTS = """
from collections import Counter
def right():
    return Counter("aab").most_common(1) == [("a", 2)] and len([1]) == 1
"""
_RECURSES = """
def right(depth=500):
    return depth == 0 or right(depth - 1)
"""
_PRINTS = """
def right():
    for _ in range(30):
        print("x" * 100_000)
    return True
"""
_REMEMBERS = """
def right():
    numbers = list(range(1_000_000))
    return len(numbers) == 1_000_000
"""

AFTERMATH = (
    _after(
        "changed a module",
        "import math\nmath.pi = 3\ndef right():\n    return True",
        "import math\ndef right():\n    return math.pi > 3",
    ),
    _after(
        "changed a builtin",
        "import builtins\nbuiltins.len = lambda _: 0\ndef right():\n    return True",
        _COUNTS,
    ),
    _after(
        "changed a builtin by its frame",
        """
        def walk():
            yield
        def right():
            walk().gi_frame.f_builtins["len"] = lambda _: 0
            return True
        """,
        _COUNTS,
    ),
    _after(
        "changed a builtin by another module's modules",
        """
        from typing import sys
        sys.modules["builtins"].len = lambda _: 0
        def right():
            return True
        """,
        _COUNTS,
    ),
    _after(
        "changed a class",
        """
        from collections import Counter
        def right():
            Counter.most_common = lambda self, n: []
            return True
        """,
        _COUNTS,
    ),
    _after(
        "made the recursion limit small",
        "import sys\nsys.setrecursionlimit(60)\ndef right():\n    return True",
        _RECURSES,
    ),
    _after("printed much", _PRINTS, _PRINTS),
    _after("used much memory", "def right():\n    return len([0] * 90_000_000) > 0", _REMEMBERS),
    _after(
        "keeps its memory",
        """
        kept = []
        def right():
            kept.append([kept] * 50_000_000)
            return True
        """,
        _REMEMBERS,
    ),
    _after("never ends", "def right():\n    while True:\n        pass", _COUNTS),
    _after(
        "never ends when it is forgotten",
        """
        def walk():
            try:
                yield 1
            finally:
                while True:
                    pass
        walking = walk()
        def right():
            return next(walking) == 1
        """,
        _COUNTS,
    ),
    _after("ends its process", "def right():\n    raise SystemExit", _COUNTS),
    _after("overflows its stack", "def right():\n    return right()", _RECURSES),
    _after("does not compile", "def right(:\n", _COUNTS),
    _after("returns what cannot be told", "def right():\n    return [b'x' * 70_000_000]", _COUNTS),
)
