"""Programs that know no answer and try to get a pass all the same."""

from __future__ import annotations

from textwrap import dedent

from crucible_workers.sandbox.self_check.check import NOT_PASSED, Check

_TEST = """
import math
assert abs(double(21) - 42) < 1e-6
assert double(21) == 42
assert [double(1), double(2)] == [2, 4]
"""

#: writes a message to the driver as our own code would
_SEND = """
import json, os, struct
def send(message):
    body = json.dumps(message).encode()
    os.write(3, struct.pack("!I", len(body)) + body)
def receive():
    return os.read(3, struct.unpack("!I", os.read(3, 4))[0])
"""


def _forgery(name: str, program: str, test: str = _TEST) -> Check:
    return Check(name, "verdict", dedent(program), test, NOT_PASSED, is_universal=True)


def _message(name: str, program: str, test: str = _TEST) -> Check:
    return _forgery(name, _SEND + dedent(program), test)


_ENDINGS = (
    _forgery("exit in the function", "import sys\ndef double(x): sys.exit(0)"),
    _forgery("exit at the top", "import sys\nsys.exit(0)\ndef double(x): return 0"),
    _forgery("os._exit", "import os\ndef double(x): os._exit(0)"),
    _forgery("os._exit at the top", "import os\nos._exit(0)"),
    _forgery("raise SystemExit", "def double(x): raise SystemExit"),
    _forgery("raise KeyboardInterrupt", "def double(x): raise KeyboardInterrupt"),
    _forgery("raise GeneratorExit", "def double(x): raise GeneratorExit"),
    _forgery("kill itself", "import os\ndef double(x): os.kill(os.getpid(), 9)"),
    _forgery("abort", "import os\ndef double(x): os.abort()"),
    _forgery("segmentation fault", "import ctypes\ndef double(x): ctypes.string_at(0)"),
    _forgery("atexit", "import atexit, os\natexit.register(os._exit, 0)\ndef double(x): return 0"),
    _forgery("skip", "import unittest\ndef double(x): raise unittest.SkipTest('no')"),
    _forgery(
        "dies as a thread does",
        """
        import os, threading, time
        threading.Timer(0.01, os._exit, (0,)).start()
        def double(x):
            time.sleep(5)
        """,
    ),
    _forgery(
        "becomes another program",
        "import os\ndef double(x): os.execv('/bin/true', ['true'])",
    ),
    _forgery(
        "ends an iteration early",
        "def double(x): raise StopIteration",
        "assert all(map(lambda x: double(x) == 2 * x, range(1, 5)))",
    ),
    _forgery(
        "fails as a skipped suite does",
        "import unittest\ndef double(x): raise unittest.SkipTest('no')",
        "import unittest\nclass T(unittest.TestCase):\n"
        "    def test(self): self.assertEqual(double(21), 42)\n",
    ),
)

_OBJECTS = (
    _forgery(
        "always equal",
        """
        class Always:
            def __eq__(self, other): return True
        def double(x): return Always()
        """,
        "assert double(21) == 42",
    ),
    _forgery(
        "always equal int",
        """
        class Always(int):
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            __hash__ = int.__hash__
        def double(x): return Always(0)
        """,
        "assert double(21) == 42",
    ),
    _forgery(
        "always equal list",
        """
        class Always(list):
            def __eq__(self, other): return True
        def double(x): return Always()
        """,
        "assert double(21) == [42]",
    ),
    _forgery(
        "always near",
        """
        class Near:
            def __sub__(self, other): return 0
            __rsub__ = __sub__
            def __abs__(self): return 0
            def __lt__(self, other): return True
            __gt__ = __le__ = __ge__ = __eq__ = __lt__
        def double(x): return Near()
        """,
        "assert abs(double(21) - 42) < 1e-6",
    ),
    _forgery(
        "always in order",
        """
        class Small:
            def __lt__(self, other): return True
            __gt__ = __le__ = __ge__ = __lt__
        def double(x): return Small()
        """,
        "assert 41 < double(21) < 43",
    ),
    _forgery(
        "borrows a type",
        """
        class Liar:
            __class__ = int
            def __eq__(self, other): return True
            def __bool__(self): return True
        def double(x): return Liar()
        """,
        "r = double(21)\nassert isinstance(r, int) and r == 42",
    ),
    _forgery(
        "metaclass with an answer",
        """
        class Meta(type):
            def __eq__(cls, other): return True
            def __hash__(cls): return 0
        class Answer(metaclass=Meta): pass
        def double(x): return Answer
        """,
    ),
    _forgery(
        "unpickles in the reader",
        """
        class Bomb:
            def __reduce__(self): return (exit, (0,))
        def double(x): return Bomb()
        """,
    ),
    _forgery(
        "numpy array that broadcasts",
        """
        import numpy
        def double(x): return numpy.array([])
        """,
        "assert (double(21) == 42) is True",
    ),
)

_REACHING = (
    _forgery(
        "frames",
        """
        import sys
        def double(x):
            frame = sys._getframe()
            while frame:
                for name in list(frame.f_locals):
                    frame.f_locals[name] = 'passed'
                frame.f_globals['AssertionError'] = ZeroDivisionError
                frame = frame.f_back
        """,
    ),
    _forgery(
        "patched builtins",
        """
        import builtins
        builtins.AssertionError = SystemExit
        builtins.all = lambda x: True
        builtins.abs = lambda x: 0
        builtins.__build_class__ = None
        def double(x): return 0
        """,
    ),
    _forgery(
        "patched unittest",
        """
        import unittest
        unittest.TestCase.assertEqual = lambda *a: None
        def double(x): return 0
        """,
        "import unittest\nclass T(unittest.TestCase):\n"
        "    def test(self): self.assertEqual(double(21), 42)\n",
    ),
    _forgery(
        "patched module of ours",
        """
        import gc
        for found in gc.get_objects():
            if isinstance(found, dict) and 'send_frame' in found:
                found['send_frame'] = lambda *a: None
        def double(x): return 0
        """,
    ),
    _forgery(
        "patched json",
        """
        import json
        json.dumps = lambda *a, **k: '["passed", ""]'
        def double(x): return 0
        """,
    ),
    _forgery(
        "searches for the answer",
        """
        import gc
        def double(x):
            for found in gc.get_objects():
                if isinstance(found, dict) and 42 in found.values():
                    return 42
        """,
    ),
    _forgery(
        "defines the tests' own names",
        """
        def abs(x): return 0
        def all(x): return True
        class math:
            isclose = staticmethod(lambda *a, **k: True)
        def double(x): return 0
        """,
        "import math\nassert abs(double(21) - 42) < 1e-6\nassert math.isclose(double(1), 2)",
    ),
)

_OUTPUT = (
    _forgery(
        "prints passed",
        """
        import sys
        print('passed')
        print('passed', file=sys.stderr)
        def double(x):
            print('["passed", ""]')
            return 'passed'
        """,
    ),
    _forgery(
        "writes to every descriptor",
        """
        import os
        def double(x):
            for number in range(256):
                try:
                    os.write(number, b'["passed", ""]')
                except OSError:
                    pass
            return 0
        """,
    ),
    _forgery(
        "writes frames",
        """
        import os, struct
        def double(x):
            body = b'["passed", ""]'
            for number in range(3, 256):
                try:
                    os.write(number, struct.pack('!I', len(body)) + body)
                except OSError:
                    pass
            return 0
        """,
    ),
    _forgery(
        "closes every descriptor",
        "import os\ndef double(x):\n    os.closerange(0, 256)\n    return 0",
    ),
    _forgery("closes its channel at the top", "import os\nos.close(3)\ndef double(x): return 0"),
)

_MESSAGES = (
    _message("says that it finished", "send(['finished', 'passed'])\nsend(['passed', ''])"),
    _message(
        "names what nobody asked for",
        """
        send(["ready", {"double": {"handle": [0, "callable"]}, "abs": {"handle": [0, "callable"]}}])
        while True:
            receive()
            send(["return", 0.0, []])
        """,
        "assert abs(double(21) - 42) < 1e-6",
    ),
    _message(
        "brings builtins of its own",
        """
        send(["ready", {"__builtins__": {"dict": [["__build_class__", {"builtin": "print"}]]}}])
        while True:
            receive()
            send(["return", None, []])
        """,
        "import unittest\nclass T(unittest.TestCase):\n"
        "    def test(self): self.assertEqual(double(21), 42)\n",
    ),
    _message(
        "calls what it was not given",
        "send(['ready', {'double': {'handle': [0, 'callable']}}])\nreceive()\n"
        "send(['callback', 'call', -1, [], []])\nreceive()\nsend(['return', 0, []])",
    ),
    _message(
        "claims the test's objects",
        "send(['ready', {'double': {'driver': [0, 'callable']}}])\nreceive()",
    ),
    _message(
        "changes what it was not given",
        "send(['ready', {'double': {'handle': [0, 'callable']}}])\nreceive()\n"
        "send(['return', 0, [[0, [1]], [-1, [2]], [10**6, []]]])",
    ),
    _message("half a message", "os.write(3, b'\\0\\0\\0\\x10[')\nos._exit(0)"),
    _message("a message of 4 GiB", "os.write(3, b'\\xff' * 8)\ndef double(x): return 0"),
    _message(
        "deeply nested message", "b = b'[' * 10**6\nos.write(3, struct.pack('!I', len(b)) + b)"
    ),
    _message("a module that exits", "send(['ready', {'double': {'module': 'unittest.__main__'}}])"),
    _message("a module that is none", "send(['ready', {'double': {'module': 'os; exit'}}])"),
    _message("an unknown tag", "send(['ready', {'double': {'pickle': 'x'}}])"),
)

FORGERIES = (*_ENDINGS, *_OBJECTS, *_REACHING, *_OUTPUT, *_MESSAGES)
