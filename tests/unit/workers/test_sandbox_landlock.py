"""Landlock on this kernel: what is left open stays so, everything else is refused."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from crucible_infra import settings
from crucible_workers import sandbox
from crucible_workers.sandbox.prison import landlock
from crucible_workers.sandbox.prison.system_calls import StepFailed

_FOLDER = Path(sandbox.__file__).parent
_START = f"""
import os, socket, sys
sys.path.insert(0, {str(_FOLDER)!r})
from prison import landlock
"""


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A writable directory beside one that is not."""
    if landlock.abi_version() == 0:
        if settings.read(os.environ).is_ci:
            pytest.fail("no landlock in this kernel")
        pytest.skip("no landlock in this kernel")
    (tmp_path / "box").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("secret")
    return tmp_path / "box"


def confined(box: Path, body: str, readable: tuple[str, ...] = ("/",)) -> str:
    """What `body` prints in a process that may write in `box` alone."""
    restrict = f"assert landlock.restrict([{str(box)!r}, '/dev/null', '/nowhere'], {readable!r})\n"
    program = f"{_START}outside = {str(box.parent / 'outside')!r}\nbox = {str(box)!r}\n"
    said = subprocess.run(
        [sys.executable, "-c", program + restrict + dedent(body)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return said.stdout.strip()


def refused(action: str) -> str:
    """A body that says whether `action` was refused."""
    lines = f"try:\n    {action}\nexcept PermissionError:\n    print('refused')\n"
    return f"{lines}else:\n    print('done')\n"


@pytest.mark.parametrize(
    "action",
    [
        "open(f'{outside}/file', 'a')",
        "open(f'{outside}/file', 'r+')",
        "open(f'{outside}/new', 'w')",
        "os.truncate(f'{outside}/file', 0)",
        "os.unlink(f'{outside}/file')",
        "os.mkdir(f'{outside}/d')",
        "os.rmdir(outside)",
        "os.symlink('x', f'{outside}/l')",
        "os.mkfifo(f'{outside}/p')",
        "socket.socket(socket.AF_UNIX).bind(f'{outside}/s')",
        "os.mknod(f'{outside}/n', 0o20666, os.makedev(1, 3))",
    ],
)
def test_nothing_outside_the_box_can_be_changed(box: Path, action: str) -> None:
    assert confined(box, refused(action)) == "refused"


def test_a_file_of_the_outside_cannot_be_moved_or_linked_into_the_box(box: Path) -> None:
    body = """
    for move in (os.rename, os.link):
        try:
            move(f'{outside}/file', f'{box}/file')
        except OSError as error:
            print(type(error).__name__, error.errno)
    """
    # rename is EACCES; a link that would gain rights is EXDEV
    assert len(confined(box, body).splitlines()) == 2
    assert (box.parent / "outside" / "file").read_text() == "secret"


def test_everything_can_be_done_inside_the_box(box: Path) -> None:
    body = """
    os.makedirs(f'{box}/a/b')
    with open(f'{box}/a/x', 'w') as file:
        file.write('hello')
    os.rename(f'{box}/a/x', f'{box}/a/b/y')
    os.link(f'{box}/a/b/y', f'{box}/z')
    os.truncate(f'{box}/z', 2)
    os.symlink('z', f'{box}/l')
    os.mkfifo(f'{box}/p')
    with open('/dev/null', 'w') as null:
        null.write('x')
    print(open(f'{box}/l').read(), open(f'{outside}/file').read())
    """
    assert confined(box, body) == "he secret"


def test_files_in_the_box_cannot_be_executed(box: Path) -> None:
    (box / "tool").write_text("#!/bin/sh\n")
    (box / "tool").chmod(0o755)

    readable = ("/usr", "/lib", "/lib64", "/bin")
    body = refused("os.posix_spawn(f'{box}/tool', ['tool'], {})")
    assert confined(box, body, readable) == "refused"


def test_only_what_is_named_can_be_read(box: Path) -> None:
    readable = ("/usr", "/lib", "/lib64", str(Path(sys.base_prefix)))

    assert confined(box, refused("open(f'{outside}/file')"), readable) == "refused"
    assert confined(box, refused("os.listdir('/proc')"), readable) == "refused"
    assert confined(box, "import decimal\nprint('done')", readable) == "done"


def test_children_inherit_it(box: Path) -> None:
    body = """
    if os.fork() == 0:
        try:
            open(f'{outside}/file', 'a')
        except PermissionError:
            print('refused', flush=True)
        os._exit(0)
    os.wait()
    """
    assert confined(box, body) == "refused"


def test_a_mount_is_refused_even_to_root(box: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount at all")
    mount = f"mount(b'x', {str(box).encode()!r}, b'tmpfs', 0, None)"

    assert confined(box, f"import ctypes\nprint(ctypes.CDLL(None).{mount})") == "-1"


_MOUNTS_LATER = """
import ctypes
libc = ctypes.CDLL(None)
assert libc.unshare(0x20000) == 0
assert libc.mount(None, b"/", None, (1 << 18) | 16384, None) == 0
ready, done = os.pipe(), os.pipe()
if os.fork() == 0:
    os.read(ready[0], 1)
    assert libc.mount(b"x", os.environb[b"TARGET"], b"tmpfs", 0, None) == 0
    os.write(done[1], b"x")
    os._exit(0)
assert landlock.restrict([os.environ["BOX"]])
os.write(ready[1], b"x")
os.read(done[0], 1)
"""


@pytest.mark.parametrize(("place", "expected"), [("box/place", "done"), ("box", "refused")])
def test_what_another_mounts_later_is_covered_below_a_named_directory(
    box: Path, place: str, expected: str
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount without a user namespace")
    (box / "place").mkdir()
    write = refused("open(os.environ['TARGET'] + '/x', 'w')")
    said = subprocess.run(
        [sys.executable, "-c", f"{_START}{_MOUNTS_LATER}{write}"],
        env={"BOX": str(box), "TARGET": str(box.parent / place)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
        check=True,
    )

    assert said.stdout.strip() == expected


def test_tcp_ports_are_refused_since_abi_4(box: Path) -> None:
    _needs(4)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = refused(f"socket.create_connection(('127.0.0.1', {port}), 1)")
        assert confined(box, connect) == "refused"
    assert confined(box, refused("socket.create_server(('127.0.0.1', 0))")) == "refused"


def test_signals_to_the_outside_are_refused_since_abi_6(box: Path) -> None:
    _needs(6)
    assert confined(box, refused(f"os.kill({os.getpid()}, 0)")) == "refused"
    assert confined(box, refused(f"os.kill({os.getpid()}, {int(signal.SIGTERM)})")) == "refused"


def test_abstract_sockets_of_the_outside_are_refused_since_abi_6(box: Path) -> None:
    _needs(6)
    name = f"\0codecrucible-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        body = refused(f"socket.socket(socket.AF_UNIX).connect({name!r})")
        assert confined(box, body) == "refused"


def test_a_kernel_without_it_is_told_and_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # a number that no kernel has answers as a kernel without landlock does: ENOSYS
    monkeypatch.setattr(landlock, "_CREATE_RULESET", 0x3FFF)

    assert landlock.abi_version() == 0
    assert landlock.restrict(["/box"]) is False


def test_a_kernel_that_has_it_and_refuses_is_an_error(
    box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert box
    monkeypatch.setattr(landlock, "ruleset_attributes", lambda _version: bytes(8))

    with pytest.raises(StepFailed, match="landlock_create_ruleset"):
        landlock.restrict([])


@pytest.mark.parametrize(
    ("version", "expected"),
    [(1, "ff1f"), (2, "ff3f"), (3, "ff7f"), (4, "ff7f"), (5, "ffff"), (6, "ffff"), (9, "ffff")],
)
def test_each_abi_version_handles_the_rights_it_knows(version: int, expected: str) -> None:
    attributes = landlock.ruleset_attributes(version)

    assert attributes[:8].hex() == f"{expected}000000000000"
    assert len(attributes) == (24 if version >= 6 else 16 if version >= 4 else 8)
    assert set(attributes[8:].hex()) <= {"0", "3"}


def _needs(version: int) -> None:
    if landlock.abi_version() < version:
        pytest.skip(f"landlock here is ABI {landlock.abi_version()}")
