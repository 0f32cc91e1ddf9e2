"""Programs that litter, linger and break, put in front of right answers."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from crucible_tasks.verdict import Outcome

_PASSED = frozenset({Outcome.PASSED})
_ERROR = frozenset({Outcome.ERROR})


@dataclass(frozen=True, slots=True)
class Nastiness:
    """What a program does before it answers, and what the verdict may be."""

    name: str
    code: str
    outcomes: frozenset[Outcome] = _PASSED

    def before(self, program: str) -> str:
        """The nasty program that answers as this one does."""
        # the program may begin with a `from __future__ import`, which nothing may precede
        return f"{program.rstrip()}\n{dedent(self.code)}"


HONEST = Nastiness("honest", "")

NASTY = (
    Nastiness(
        "leaves daemons",
        """
        import os, signal, time
        if os.fork() == 0:
            os.setsid()
            for number in (1, 2, 3, 15):
                signal.signal(number, signal.SIG_IGN)
            if os.fork() == 0:
                time.sleep(3600)
            time.sleep(3600)
        """,
    ),
    Nastiness(
        "burns in a daemon",
        """
        import os
        if os.fork() == 0:
            os.setsid()
            while True:
                pass
        """,
    ),
    Nastiness(
        "litters files",
        """
        import os
        for number in range(200):
            open(f"/tmp/{number}", "w").write("x" * 5000)
        os.symlink("/tmp", "/tmp/loop")
        os.mkfifo("/tmp/fifo")
        os.chmod("/tmp/0", 0)
        """,
    ),
    Nastiness(
        "digs deep",
        """
        import os
        for _ in range(300):
            os.mkdir("d")
            os.chdir("d")
        os.chmod(".", 0)
        """,
    ),
    Nastiness(
        "fills its disk",
        """
        import contextlib
        with contextlib.suppress(OSError), open("/tmp/full", "wb") as file:
            while True:
                file.write(b"x" * (1 << 20))
        """,
    ),
    Nastiness(
        "shares memory",
        """
        import contextlib, multiprocessing, os
        from multiprocessing import shared_memory
        with contextlib.suppress(OSError):
            kept = [shared_memory.SharedMemory(create=True, size=1 << 16) for _ in range(4)]
        with contextlib.suppress(OSError):
            lock = multiprocessing.Semaphore()
        open("/dev/shm/left", "wb").write(bytes(1 << 20))
        """,
    ),
    Nastiness(
        "asks for System V memory",
        """
        import ctypes
        libc = ctypes.CDLL(None)
        libc.shmget(0x1234, 4096, 0o1666)
        libc.semget(0x1234, 1, 0o1666)
        libc.msgget(0x1234, 0o1666)
        """,
    ),
    Nastiness(
        "opens sockets",
        """
        import contextlib, socket
        listening = []
        for number in range(20):
            server = socket.socket(socket.AF_UNIX)
            server.bind(f"\\0left{number}")
            server.listen()
            listening.append(server)
        with contextlib.suppress(OSError):
            listening.append(socket.create_server(("127.0.0.1", 8080)))
        pairs = [socket.socketpair() for _ in range(20)]
        """,
    ),
    Nastiness(
        "opens every descriptor",
        """
        import contextlib, os
        descriptors = []
        with contextlib.suppress(OSError):
            while True:
                descriptors.append(os.open("/dev/null", os.O_RDONLY))
        for number in descriptors[-20:]:
            os.close(number)
        """,
    ),
    Nastiness(
        "starts threads",
        """
        import threading, time
        for _ in range(10):
            threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
        """,
    ),
    Nastiness(
        "maps memory",
        """
        import mmap
        maps = [mmap.mmap(-1, 4 << 20) for _ in range(8)]
        for one in maps:
            one[::4096] = b"x" * len(one[::4096])
        """,
    ),
    Nastiness(
        "locks files",
        """
        import contextlib, fcntl, os
        held = []
        for path in (os.__file__, "/tmp/lock", "/dev/null"):
            with contextlib.suppress(OSError):
                file = open(path, "r" if path != "/tmp/lock" else "w")
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held.append(file)
        """,
    ),
    Nastiness("prints a lot", "print('x' * (2 << 20))\nimport os\nos.write(2, b'y' * (1 << 20))"),
    Nastiness(
        "prints too much",
        """
        for _ in range(40):
            print("x" * (1 << 20))
        """,
        frozenset({Outcome.PASSED, Outcome.OUTPUT_LIMIT, Outcome.ERROR}),
    ),
    Nastiness("exits", "import os\nos._exit(0)", _ERROR),
    Nastiness("raises SystemExit", "raise SystemExit", _ERROR),
    Nastiness("closes everything", "import os\nos.closerange(0, 256)", _ERROR),
    # the first process of a namespace cannot be killed from inside
    Nastiness("kills itself", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
    Nastiness(
        "kills everybody",
        """
        import contextlib, os, signal
        with contextlib.suppress(OSError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.killpg(0, signal.SIGTERM)
        with contextlib.suppress(OSError):
            os.kill(os.getppid() or 2, signal.SIGKILL)
        """,
    ),
    Nastiness("crashes", "import ctypes\nctypes.string_at(0)", _ERROR),
    Nastiness("aborts", "import os\nos.abort()", _ERROR),
    Nastiness("wants all memory", "x = bytearray(1 << 40)", frozenset({Outcome.OUT_OF_MEMORY})),
    Nastiness(
        "forks to its limit",
        """
        import contextlib, os, time
        with contextlib.suppress(OSError):
            for _ in range(100):
                if os.fork() == 0:
                    time.sleep(3600)
                    os._exit(0)
        """,
    ),
    Nastiness(
        "calls what is forbidden",
        "import ctypes\nctypes.CDLL(None).unshare(0x10000000)",
        frozenset({Outcome.FORBIDDEN}),
    ),
    Nastiness(
        "uses a pool",
        """
        import multiprocessing
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.map(abs, range(4))
        """,
    ),
    Nastiness("stops itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
)

#: ends only at the CPU limit
ENDLESS = Nastiness("never ends", "while True:\n    pass", frozenset({Outcome.TIMED_OUT}))
