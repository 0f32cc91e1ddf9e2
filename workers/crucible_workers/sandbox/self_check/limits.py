"""Programs that take too much, and what stops them."""

from __future__ import annotations

from textwrap import dedent

from crucible_tasks.verdict import Outcome
from crucible_workers.sandbox.self_check.check import Check, attack, hurried


def _excess(name: str, outcome: Outcome, program: str, test: str = "attempt()") -> Check:
    expected = frozenset({outcome})
    check = Check(name, "resources", dedent(program), test, expected, is_universal=True)
    return hurried(check)


_TIME = (
    _excess(
        "endless loop", Outcome.TIMED_OUT, "def attempt():\n    while True: pass", "attempt()"
    ),
    _excess("endless loop at the top", Outcome.TIMED_OUT, "while True: pass"),
    _excess(
        "ignores signals",
        Outcome.TIMED_OUT,
        """
        import signal
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True: pass
        """,
    ),
    _excess(
        "catches everything",
        Outcome.TIMED_OUT,
        """
        def attempt():
            while True:
                try:
                    while True: pass
                except BaseException:
                    pass
        """,
    ),
    _excess("one long instruction", Outcome.TIMED_OUT, "def attempt(): return 7 ** 10**9 % 10"),
    _excess("endless threads", Outcome.TIMED_OUT, "import threading\nfor _ in range(4):\n"
        "    threading.Thread(target=lambda: any(iter(int, 1))).start()\nany(iter(int, 1))"),
    _excess(
        "leaves the work to its children",
        Outcome.TIMED_OUT,
        """
        import os, time
        def attempt():
            for _ in range(3):
                if os.fork() == 0:
                    while time.process_time() < 0.15: pass
                    os._exit(0)
                os.wait()
        """,
    ),
)  # fmt: skip

_SPACE = (
    _excess(
        "takes all memory", Outcome.OUT_OF_MEMORY, "def attempt(): return len(bytearray(2 << 30))"
    ),
    _excess(
        "takes memory in small pieces",
        Outcome.OUT_OF_MEMORY,
        "def attempt():\n    x = []\n    while True: x.append(bytes(1 << 20))",
    ),
    _excess(
        "answers without end",
        Outcome.OUT_OF_MEMORY,
        "def attempt(): return range(10 ** 12)",
        "assert list(attempt()) == [1]",
    ),
    _excess(
        "prints without end",
        Outcome.OUTPUT_LIMIT,
        "def attempt():\n    while True: print('x' * 10000)",
    ),
    _excess("returns too much", Outcome.OUTPUT_LIMIT, "def attempt(): return 'x' * (66 << 20)"),
    attack(
        "fills the disk", "resources", "open('/tmp/x', 'wb').write(bytes(32 << 20))\nreturn True"
    ),
    attack(
        "fills the disk with many files",
        "resources",
        """
        for number in range(32):
            open(f'/tmp/{number}', 'wb').write(bytes(1 << 20))
        return True
        """,
    ),
    attack(
        "makes a sparse file", "resources", "open('/tmp/x', 'wb').truncate(1 << 50)\nreturn True"
    ),
    attack(
        "makes files without end",
        "resources",
        "for n in range(20000): open(f'/tmp/{n}', 'w').close()\nreturn True",
    ),
    attack(
        "makes links without end",
        "resources",
        "import os\nfor n in range(20000): os.symlink('x', f'/tmp/{n}')\nreturn True",
    ),
    attack(
        "makes directories without end",
        "resources",
        """
        import os
        for number in range(20000):
            # the kernel walks up to the root each time where landlock asks it to
            if number % 50 == 0:
                os.chdir('/tmp')
            os.mkdir(f'd{number}')
            os.chdir(f'd{number}')
        return True
        """,
    ),
    attack(
        "opens files without end",
        "resources",
        "keep = [open('/dev/null') for _ in range(5000)]\nreturn True",
    ),
)

_PROCESSES = (
    attack(
        "forks without end",
        "resources",
        """
        import os, time
        for _ in range(200):
            if os.fork() == 0:
                time.sleep(60)
        return True
        """,
    ),
    attack(
        "starts threads without end",
        "resources",
        """
        import threading, time
        for _ in range(200):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        return True
        """,
    ),
    # the program after this one runs only if the places of these are free again
    attack(
        "leaves daemons",
        "resources",
        """
        import os, time
        for _ in range(25):
            if os.fork() == 0:
                os.setsid()
                time.sleep(60)
        return False
        """,
    ),
    attack(
        "finds those daemons",
        "resources",
        """
        import os, time
        for _ in range(25):
            if os.fork() == 0:
                os.setsid()
                time.sleep(60)
        os.kill(-1, 0)
        return False
        """,
    ),
)
#: seconds of sleep each, so no part of what every host is asked
SLOW_CHECKS = (
    _excess("sleeps", Outcome.TIMED_OUT, "import time\ndef attempt(): time.sleep(600)"),
    _excess(
        "waits for a stopped child",
        Outcome.TIMED_OUT,
        """
        import os, signal
        def attempt():
            child = os.fork()
            if child == 0:
                os.kill(os.getpid(), signal.SIGSTOP)
                os._exit(0)
            os.waitpid(child, 0)
        """,
    ),
    _excess(
        "stops in the middle of a message",
        Outcome.TIMED_OUT,
        "import os, time\nos.write(3, b'\\0\\0\\0\\x10')\ntime.sleep(600)",
    ),
    # tests beside the program: there it is the host that reads this message
    _excess(
        "stops in the middle of a message beside its tests",
        Outcome.TIMED_OUT,
        "import os, time\nos.write(3, b'\\0\\0\\0\\x10')\ntime.sleep(600)\nclass Shape: pass",
        "class Square(Shape): pass",
    ),
    _excess(
        "stops its whole group",
        Outcome.TIMED_OUT,
        "import os\ndef attempt():\n    if os.fork() == 0:\n        os.kill(0, 19)\n"
        "    import time\n    time.sleep(600)",
    ),
)

RESOURCES = (*_TIME, *_SPACE, *_PROCESSES)
