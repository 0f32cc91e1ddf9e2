from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

from crucible_infra.owner import has_ended, own_mark

WAITING = "from crucible_infra.owner import own_mark; print(own_mark(), flush=True); input()"


def test_this_process_has_not_ended() -> None:
    mark = own_mark()
    assert mark is not None
    assert not has_ended(mark)


def test_a_killed_process_has_ended_even_before_its_parent_noticed() -> None:
    command = [sys.executable, "-c", WAITING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        mark = child.stdout.readline().decode().strip()
        assert not has_ended(mark)
        child.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert has_ended(mark)
    assert has_ended(mark)


def test_another_process_under_the_same_number_is_not_the_one() -> None:
    mark = own_mark()
    assert mark is not None
    place, _, started = mark.rpartition(" ")
    assert has_ended(f"{place} {int(started) - 1}")


def test_nothing_is_known_about_another_host() -> None:
    mark = own_mark()
    assert mark is not None
    elsewhere = mark.replace(socket.gethostname(), "elsewhere", 1)
    assert not has_ended(f"{elsewhere.rpartition(' ')[0]} 1")
    assert not has_ended("nonsense")
