"""Real cgroups on this host: limits hold, the kernel's kills are counted, nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crucible_infra import settings
from crucible_workers.sandbox import cgroups
from crucible_workers.sandbox.cgroup_places import find_places, leftovers, own_directory
from crucible_workers.sandbox.cgroups import Cgroup, open_cgroup, remove_leftovers, tree_bytes

MEBIBYTE = 1 << 20
#: others may run the same tests on the same host
NAME = f"test-{os.getpid()}"
WAITS = "import sys; sys.stdin.readline()"


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    """Of 64 MiB and 8 processes; a skip at home where the host grants none."""
    made = open_cgroup(NAME, 64 * MEBIBYTE, 8)
    if made is None or made.controllers != {"memory", "pids"}:
        if settings.read(os.environ).is_ci:
            pytest.fail("this host grants no cgroups")
        pytest.skip("this host grants no cgroups")
    yield made
    made.close()


def inside(cgroup: Cgroup, program: str) -> subprocess.Popen[str]:
    """A Python that runs `program` once it is in the cgroup."""
    child = subprocess.Popen(
        [sys.executable, "-c", f"{WAITS}\n{program}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    cgroup.add(child.pid)
    return child


def outcome(child: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = child.communicate("go\n", timeout=30)
    return child.returncode, said


def test_a_program_that_takes_too_much_is_killed_and_counted(cgroup: Cgroup) -> None:
    assert cgroup.oom_kills() == 0

    status, _ = outcome(inside(cgroup, "x = b'x' * (200 << 20)"))

    assert status == -signal.SIGKILL
    assert cgroup.oom_kills() == 1


def test_another_kill_is_not_counted(cgroup: Cgroup) -> None:
    child = inside(cgroup, "import os\nos.kill(os.getpid(), 9)")

    assert outcome(child)[0] == -signal.SIGKILL
    assert cgroup.oom_kills() == 0


def test_many_small_processes_are_counted_together(cgroup: Cgroup) -> None:
    program = (
        "import os\nfor _ in range(4):\n    if os.fork() == 0:\n"
        "        x = b'x' * (30 << 20)\n        import time; time.sleep(1)\n        os._exit(0)\n"
        "print(sum(os.WIFSIGNALED(os.wait()[1]) for _ in range(4)))"
    )
    status, said = outcome(inside(cgroup, program))

    assert status == 0
    assert int(said) >= 1
    assert cgroup.oom_kills() == int(said)


def test_shared_memory_is_counted_too(cgroup: Cgroup) -> None:
    program = "import os\nos.write(os.memfd_create('x'), b'x' * (200 << 20))"
    status, _ = outcome(inside(cgroup, program))

    assert status == -signal.SIGKILL


def test_processes_beyond_the_limit_are_refused(cgroup: Cgroup) -> None:
    program = (
        "import os, time\nmade = 0\ntry:\n    for _ in range(50):\n"
        "        if os.fork() == 0:\n            os.close(1)\n            time.sleep(600)\n"
        "        made += 1\nexcept BlockingIOError:\n    print(made)\n"
    )
    status, said = outcome(inside(cgroup, program))

    assert (status, said) == (0, "7\n")


def test_closing_kills_what_is_left_and_removes_the_cgroup(cgroup: Cgroup) -> None:
    child = inside(cgroup, "import time\ntime.sleep(600)")
    assert _ours()

    cgroup.close()

    assert child.wait(5) == -signal.SIGKILL
    assert not _ours()
    child.communicate()


def test_limits_can_be_raised_and_lowered(cgroup: Cgroup) -> None:
    cgroup.limit(512 * MEBIBYTE, 8)
    assert outcome(inside(cgroup, "x = b'x' * (200 << 20); print(len(x) >> 20)")) == (0, "200\n")

    cgroup.limit(64 * MEBIBYTE, 8)
    assert outcome(inside(cgroup, "x = b'x' * (200 << 20)"))[0] == -signal.SIGKILL


def test_what_a_living_worker_made_is_not_swept_away(cgroup: Cgroup) -> None:
    remove_leftovers()

    assert cgroup.controllers
    assert _ours()


def test_what_a_dead_worker_left_is_swept_away_with_its_processes(cgroup: Cgroup) -> None:
    cgroup.close()
    owner = subprocess.run(
        [sys.executable, "-c", _DYING_WORKER, NAME], check=True, stdout=subprocess.PIPE, text=True
    )
    orphan = int(owner.stdout)
    assert _is_running(orphan)
    assert len(_ours()) == len({place.directory for place in find_places()})

    assert remove_leftovers() >= 1

    assert not _is_running(orphan)
    assert not _ours()


_DYING_WORKER = """
import os, subprocess, sys
from crucible_workers.sandbox.cgroups import open_cgroup
made = open_cgroup(sys.argv[1], 1 << 28, 16)
child = subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL)
made.add(child.pid)
print(child.pid, flush=True)
os._exit(0)
"""


@pytest.mark.parametrize(
    ("root", "path", "expected"),
    [
        ("/", "/a/b", "/mnt/a/b"),
        ("/docker/x", "/docker/x", "/mnt"),
        ("/docker/x", "/docker/x/y", "/mnt/y"),
        ("/docker/x", "/docker/xy", None),
        ("/", "/../b", None),
        ("/", None, None),
    ],
)
def test_our_cgroup_is_found_below_any_mount(
    root: str, path: str | None, expected: str | None
) -> None:
    found = own_directory(root, "/mnt", path)

    assert (str(found) if found else None) == expected


def test_in_version_2_a_worker_alone_in_its_cgroup_makes_room_for_children(
    unified: tuple[Path, str],
) -> None:
    directory, controller = unified
    said = subprocess.run(
        [sys.executable, "-c", _DELEGATED_WORKER, str(directory), controller],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )

    # no process may live in a cgroup that hands a controller down, so the worker moved to a leaf
    assert said.stdout.split() == [f"{directory}", "2", "codecrucible-worker", "made"]


def test_in_version_2_a_cgroup_with_others_in_it_is_left_alone(
    unified: tuple[Path, str],
) -> None:
    directory, controller = unified
    with subprocess.Popen(["sleep", "600"]) as stranger:
        (directory / "cgroup.procs").write_text(str(stranger.pid))
        said = subprocess.run(
            [sys.executable, "-c", _CROWDED_WORKER, str(directory), controller],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        stranger.kill()

    assert str(directory) not in said.stdout.split()


@pytest.fixture
def unified() -> Iterator[tuple[Path, str]]:
    """An empty cgroup of version 2, and a controller that its children could have."""
    root = next((Path(p) for p in _UNIFIED if (Path(p) / "cgroup.controllers").exists()), None)
    controllers = (root / "cgroup.controllers").read_text().split() if root else []
    if root is None or not controllers or not os.access(root, os.W_OK):
        pytest.skip("no writable cgroups of version 2")
    directory = root / NAME
    handed_down = (root / "cgroup.subtree_control").read_text().split()
    (root / "cgroup.subtree_control").write_text(f"+{controllers[0]}")
    directory.mkdir()
    yield directory, controllers[0]
    for leaf in (*directory.glob("*/"), directory):
        leaf.rmdir()
    if controllers[0] not in handed_down:
        (root / "cgroup.subtree_control").write_text(f"-{controllers[0]}")


_UNIFIED = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
_DELEGATED_WORKER = """
import os, pathlib, sys
from crucible_workers.sandbox import cgroup_places
directory, controller = sys.argv[1:]
pathlib.Path(directory, "cgroup.procs").write_text(str(os.getpid()))
place = cgroup_places._find_place(controller)
lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
print(place.directory, place.version, next(x for x in lines if x[:3] == "0::").split("/")[-1])
# a second look finds the same place, from within the leaf
assert cgroup_places._find_place(controller).directory == place.directory
child = place.directory / "codecrucible-child"
child.mkdir()
assert controller in (child / "cgroup.controllers").read_text().split()
print("made")
"""
_CROWDED_WORKER = """
import os, pathlib, sys
from crucible_workers.sandbox import cgroup_places
directory, controller = sys.argv[1:]
pathlib.Path(directory, "cgroup.procs").write_text(str(os.getpid()))
place = cgroup_places._find_place(controller)
print(place.directory if place else None)
"""


def test_the_files_of_version_2_are_spoken_too(tmp_path: Path) -> None:
    for name, text in (("memory.max", "max"), ("memory.swap.max", "max"), ("pids.max", "max")):
        (tmp_path / name).write_text(text)
    (tmp_path / "memory.events").write_text("low 0\noom 4\noom_kill 3\noom_group_kill 0\n")
    made = Cgroup({"memory": tmp_path, "pids": tmp_path})

    made.limit(5 * MEBIBYTE, 7)

    assert made.oom_kills() == 3
    found = [(tmp_path / f"{name}.max").read_text() for name in ("memory", "memory.swap", "pids")]
    assert found == [str(5 * MEBIBYTE), "0", "7"]
    for file in tmp_path.iterdir():
        file.unlink()
    made.close()


def test_a_host_that_grants_nothing_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "find_places", tuple)

    assert open_cgroup("test", MEBIBYTE, 1) is None
    assert remove_leftovers() == 0


def test_the_tree_gets_more_than_one_program() -> None:
    assert tree_bytes(1024) > 1024 * MEBIBYTE


def _ours() -> list[Path]:
    return [path for place in find_places() for path in leftovers(place) if NAME in path.name]


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
