"""The leak table sees what it is there to see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: its grandchild outlives it and is nobody's child any more
ORPHAN = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(600)"


def test_what_was_left_is_named(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from leak_table import LeakWatch, grown\n"
        "import subprocess\n"
        "watch = LeakWatch(Path(sys.argv[2]))\n"
        "before = watch.look('before')\n"
        "assert grown(before, watch.look('again')) == []\n"
        f"subprocess.run([sys.executable, '-c', {ORPHAN!r}])\n"
        "kept = os.open('/dev/null', os.O_RDONLY)\n"
        "Path(sys.argv[2], 'left').touch()\n"
        "memory = b'x' * (64 << 20)\n"
        "print(*grown(before, watch.look('after')), sep='\\n')\n"
        "[orphan] = map(int, Path(f'/proc/self/task/{os.getpid()}/children').read_text().split())\n"
        "os.kill(orphan, 9)\n"
    )
    # in a process of its own, because it becomes the parent of orphans
    tests = str(Path(__file__).parents[1])
    said = subprocess.run(
        [sys.executable, "-c", code, tests, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    names = {line.partition(":")[0] for line in said}
    assert names >= {"processes", "threads", "descriptors", "files", "parent kib"}
    assert names.isdisjoint({"mounts", "strays", "ipc", "cgroups"})
