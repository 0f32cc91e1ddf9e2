"""Honest programs that a careless sandbox fails, and must pass."""

from __future__ import annotations

from dataclasses import replace

from crucible_tasks.challenge import Limits
from crucible_workers.sandbox.self_check.check import NOT_PASSED, Check, promise

_VALUES = (
    promise("plain answer", "def double(x): return 2 * x", "assert double(21) == 42"),
    promise(
        "exact types",
        "def same(x): return x",
        """
        for value in (
            True, 1, 1.0, -0.0, 10**5000, '\\ud83d', b'\\xff', (1, [2]), {1: 'a'}, {1, 2}, None,
            frozenset([1]), range(3), 1j, 2**64, float('inf'), '', (), [], {}, ..., slice(1, 2),
        ):
            answer = same(value)
            assert answer == value and type(answer) is type(value), value
        assert str(same(-0.0)) == '-0.0'
        assert same(float('nan')) != same(float('nan'))
        """,
    ),
    promise(
        "standard types",
        "def same(x): return x",
        """
        from collections import deque
        from datetime import date, datetime, time, timedelta
        from decimal import Decimal
        from fractions import Fraction
        for value in (
            Decimal('1.10'), Fraction(1, 3), date(2024, 2, 29), datetime(2024, 1, 1, 1, 2, 3, 4),
            time(1, 2), timedelta(-1, 5), deque([1, 2], 3), bytearray(b'x'),
        ):
            answer = same(value)
            assert answer == value and type(answer) is type(value), value
        assert str(same(Decimal('1.10'))) == '1.10'
        """,
    ),
    promise(
        "keys of two types",
        "def table(): return {1: 'a', '1': 'b', (1, 2): 'c', None: 'd'}",
        "assert table() == {1: 'a', '1': 'b', (1, 2): 'c', None: 'd'}",
    ),
    promise(
        "large arguments",
        "def total(xs): return sum(xs)\ndef grow(xs): xs.append(1)",
        "xs = list(range(200_000))\nassert total(xs) == 19999900000\ngrow(xs)\nassert xs[-1] == 1",
    ),
    promise(
        "arguments changed in place",
        "def grow(x): x.append(len(x)); x[0].clear(); return x",
        "a = [[1], 2]\nb = grow(a)\nassert a == [[], 2, 2]\nassert b is a",
    ),
    promise(
        "shared and cyclic structure",
        "def twist(x):\n    x.append(x)\n    return [x, x]",
        "a = []\nr = twist(a)\nassert a[0] is a\nassert r[0] is r[1] is a",
    ),
    promise(
        "plain base of a subclass",
        """
        from collections import Counter, OrderedDict, defaultdict, namedtuple
        from enum import IntEnum
        P = namedtuple('P', 'x y')
        class E(IntEnum):
            A = 3
        def kinds():
            return Counter('aab'), OrderedDict(a=1), defaultdict(int, b=2), P(1, 2), E.A
        """,
        "assert kinds() == ({'a': 2, 'b': 1}, {'a': 1}, {'b': 2}, (1, 2), 3)",
    ),
    promise(
        "numpy",
        "import numpy as np\ndef mean(x): return np.mean(x)\ndef twice(x): return np.array(x) * 2",
        "assert mean([1, 2, 3]) == 2.0\nassert twice([1, 2]).tolist() == [2, 4]",
    ),
)

_CALLS = (
    promise(
        "generators",
        "def count(n):\n    for i in range(n): yield i\n    raise ValueError('end')",
        """
        g = count(3)
        assert next(g) == 0
        assert next(g) == 1 and next(g) == 2
        try:
            next(g)
        except ValueError as error:
            assert str(error) == 'end'
        else:
            assert False
        """,
    ),
    promise(
        "endless generator",
        "def primes():\n    n = 2\n    while True:\n        yield n\n        n += 1",
        "from itertools import islice\nassert list(islice(primes(), 3)) == [2, 3, 4]",
    ),
    promise(
        "callbacks",
        """
        def apply(f, xs): return [f(x) for x in xs]
        def compose(f, g): return lambda x: f(g(x))
        """,
        """
        assert apply(lambda x: x + 1, [1, 2]) == [2, 3]
        assert compose(lambda x: x * 2, lambda x: x + 1)(3) == 8
        """,
    ),
    promise(
        "coroutines",
        "import asyncio\nasync def wait(x):\n    await asyncio.sleep(0)\n    return x",
        "import asyncio\nassert asyncio.run(wait(5)) == 5",
    ),
    promise(
        "exceptions by name",
        """
        class Odd(Exception): pass
        def check(x):
            if x < 0: raise ValueError('negative', x)
            if x == 7: raise Odd('seven')
            return {}[x]
        """,
        """
        try:
            check(-1)
        except ValueError as error:
            assert error.args == ('negative', -1)
        try:
            check(1)
        except KeyError:
            pass
        try:
            check(7)
        except Exception as error:
            assert type(error).__name__ == 'Odd' and str(error) == 'seven'
        """,
    ),
    promise(
        "state between calls",
        "n = 0\ndef tick():\n    global n\n    n += 1\n    return n",
        "assert [tick(), tick()] == [1, 2]",
    ),
    promise(
        "keyword arguments",
        "def area(*, width, height=2, **more): return width * height + sum(more.values())",
        "assert area(width=3) == 6 and area(width=3, height=1, depth=4) == 7",
    ),
    promise(
        "deep recursion",
        """
        import sys
        sys.setrecursionlimit(10**6)
        def depth(n): return 0 if n == 0 else 1 + depth(n - 1)
        """,
        "assert depth(50_000) == 50_000",
    ),
)

_OBJECTS = (
    promise(
        "objects of the program",
        """
        class Node:
            def __init__(self, v): self.v = v; self.next = None
            def depth(self): return 1 + (self.next.depth() if self.next else 0)
            def __repr__(self): return f'Node({self.v})'
        def total(n): return n.v + (total(n.next) if n.next else 0)
        """,
        """
        a = Node(1)
        a.next = Node(2)
        assert total(a) == 3 and a.depth() == 2 and a.next.v == 2
        assert repr(a) == 'Node(1)'
        """,
    ),
    promise(
        "objects with each other",
        """
        class Vector:
            def __init__(self, x): self.x = x
            def __add__(self, other): return Vector(self.x + other.x)
            def __eq__(self, other): return self.x == other.x
            def __lt__(self, other): return self.x < other.x
        """,
        "assert Vector(1) + Vector(2) == Vector(3)\nassert Vector(1) < Vector(2)\n"
        "assert [v.x for v in sorted([Vector(2), Vector(1)])] == [1, 2]",
    ),
    promise(
        "dataclass and pickle",
        """
        from __future__ import annotations
        import pickle
        from dataclasses import dataclass
        @dataclass
        class Point:
            x: int = 3
        def again(): return pickle.loads(pickle.dumps(Point())).x
        """,
        "assert again() == 3 and Point(4).x == 4",
    ),
    promise(
        "needs its class",
        "class Shape:\n    def area(self): return 1",
        """
        class Square(Shape):
            pass
        assert isinstance(Square(), Shape) and Square().area() == 1
        """,
    ),
    promise(
        "needs its exception",
        "class Odd(Exception): pass\ndef check(): raise Odd('x')",
        """
        import unittest
        class T(unittest.TestCase):
            def test(self):
                with self.assertRaises(Odd): check()
        t = T('test').run()
        assert t is None or t.wasSuccessful()
        """,
    ),
    promise(
        "needs its output",
        "def greet(): print('hi')",
        """
        import contextlib, io
        with contextlib.redirect_stdout(io.StringIO()) as out:
            greet()
        assert out.getvalue() == 'hi\\n'
        """,
    ),
    Check(
        "exit beside its tests",
        "promises",
        "import sys\nclass Shape:\n    def area(self): sys.exit(0)",
        "class Square(Shape):\n    pass\nSquare().area()",
        NOT_PASSED,
        is_universal=True,
    ),
)

_SURROUNDINGS = (
    promise(
        "standard output",
        """
        import sys
        print('x' * 200000)
        sys.stderr.write('\\0\\n')
        def double(x):
            print('\\ud83d', '\\udc80', 'é', flush=True)
            return 2 * x
        """,
        "assert double(21) == 42",
    ),
    promise("no input", "import sys\ndef read(): return sys.stdin.read()", "assert read() == ''"),
    promise(
        "multiprocessing",
        """
        from multiprocessing import get_context
        def square(x): return x * x
        def run():
            with get_context('fork').Pool(2) as pool:
                return pool.map(square, [1, 2, 3])
        """,
        "assert run() == [1, 4, 9]",
    ),
    promise(
        "threads",
        """
        from concurrent.futures import ThreadPoolExecutor
        def run():
            with ThreadPoolExecutor(4) as pool:
                return list(pool.map(lambda x: x * x, range(10)))
        """,
        "assert run() == [x * x for x in range(10)]",
    ),
    promise(
        "lingering thread and child",
        """
        import os, threading, time
        threading.Thread(target=time.sleep, args=(60,)).start()
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        def double(x): return 2 * x
        """,
        "assert double(21) == 42",
    ),
    promise(
        "temporary files",
        """
        import tempfile
        def run():
            with tempfile.TemporaryFile('w+') as file:
                file.write('x')
                file.seek(0)
                return file.read()
        """,
        "assert run() == 'x'",
    ),
    replace(
        promise("nearly all its time",
                "import time\ndef work():\n    while time.process_time() < 0.6: pass\n    return 1",
                "assert work() == 1"),
        limits=Limits(cpu_seconds=1.0),
    ),
    promise(
        "time zones",
        "from zoneinfo import ZoneInfo\ndef zone(): return str(ZoneInfo('UTC'))",
        "assert zone() == 'UTC'",
    ),
    promise("exit is defined", "def f(): return callable(exit) and callable(quit)", "assert f()"),
)  # fmt: skip

PROMISES = (*_VALUES, *_CALLS, *_OBJECTS, *_SURROUNDINGS)
