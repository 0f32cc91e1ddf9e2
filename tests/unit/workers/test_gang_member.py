"""A host's part of a gang: every process knows where to meet, and the part ends as they end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crucible_infra.errors import InvalidInput
from crucible_workers.gang_member import Membership, card_towards

#: runs a part whose processes are this Python program
RUNNER = """
import os, sys
from crucible_workers.gang_member import Membership, run
program = (sys.executable, "-c", sys.argv[2], sys.argv[1])
code = run(Membership(1, 3, "127.0.0.1", 4711, 2), program)
print(code)
"""

FIRST = "import os, sys, time; first = os.environ['LOCAL_RANK'] == '0'\n"


def _start(directory: Path, program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(directory), FIRST + program],
        stdout=subprocess.PIPE,
        text=True,
    )


def _code(directory: Path, program: str) -> int:
    output, _ = _start(directory, program).communicate(timeout=60)
    return int(output)


def test_each_process_knows_its_rank_and_where_to_meet(tmp_path: Path) -> None:
    program = "import json; json.dump(dict(os.environ), open(f'{sys.argv[1]}/{first}', 'w'))"
    assert _code(tmp_path, program) == 0

    for name, local in (("True", "0"), ("False", "1")):
        found = json.loads((tmp_path / name).read_text())
        assert found["LOCAL_RANK"] == local
        assert found["RANK"] == str(2 + int(local))
        assert (found["WORLD_SIZE"], found["LOCAL_WORLD_SIZE"]) == ("6", "2")
        assert (found["MASTER_ADDR"], found["MASTER_PORT"]) == ("127.0.0.1", "4711")
        assert found["GLOO_SOCKET_IFNAME"] == found["NCCL_SOCKET_IFNAME"] == "lo"


def test_it_ends_as_the_first_that_failed(tmp_path: Path) -> None:
    assert _code(tmp_path, "sys.exit(2) if first else time.sleep(0.5)") == 2


def test_a_killed_process_explains_the_others(tmp_path: Path) -> None:
    program = "os.kill(os.getpid(), 9) if first else time.sleep(0.5)"
    assert _code(tmp_path, program) == -signal.SIGKILL


def test_all_are_asked_to_stop(tmp_path: Path) -> None:
    process = _start(
        tmp_path,
        "import signal\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "open(f'{sys.argv[1]}/{first}', 'w').close()\n"
        "time.sleep(60)\n",
    )
    deadline = time.monotonic() + 60
    while len([*tmp_path.iterdir()]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.terminate()
    output, _ = process.communicate(timeout=60)

    assert output == "143\n"


def test_the_command_of_a_part_is_its_membership() -> None:
    words = Membership(1, 3, "10.0.0.1", 4711, 2).words(("python", "trainer.py"))

    assert words[1:] == [
        *("-m", "crucible_workers.gang_member"),
        *("1", "3", "10.0.0.1", "4711", "2", "python", "trainer.py"),
    ]


def test_an_address_nothing_leads_to_is_named() -> None:
    assert card_towards("127.0.0.1") == "lo"
    with pytest.raises(InvalidInput, match="no way to nowhere"):
        card_towards("nowhere.invalid")
