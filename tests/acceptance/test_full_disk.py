"""A disk that fills up during a run: one clear line within seconds, and nothing that spins."""

from __future__ import annotations

import subprocess
from pathlib import Path

from commandline import PATIENCE_SECONDS, PROGRAM

#: room for the schema and the plan of a run, not for its 30 kB answers
_ROOM = "700k"


def test_a_disk_that_fills_ends_the_run_with_one_line(tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    rows = (
        f'{{"task_id": "HumanEval/{number}", "solution": "x = {"1" * 30_000!r}"}}\n'
        for number in range(164)
    )
    samples.write_text("".join(rows))
    home = tmp_path / "home"
    home.mkdir()
    said = _in_a_small_home(home, "benchmark", "-m", f"replay:{samples}", "-q")
    assert said.returncode == 1, said.stderr
    assert "full" in said.stderr.splitlines()[-2] + said.stderr.splitlines()[-1]
    assert "Traceback" not in said.stderr


def _in_a_small_home(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program with a home of its own size, in a mount namespace that ends with it."""
    script = f'mount -t tmpfs -o size={_ROOM} small {home} && exec "$@"'
    return subprocess.run(
        [
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
            *PROGRAM,
            *words,
        ],
        env={"CRUCIBLE_HOME": str(home), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
