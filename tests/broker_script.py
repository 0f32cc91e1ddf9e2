"""Runs a few lines of Python that speak to a Redis of a test's own, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from services import RedisServer

#: a slow machine under load, in seconds
_PATIENCE_SECONDS = 60.0


def start(script: str, server: RedisServer, home: Path) -> subprocess.Popen[str]:
    """Start them; whoever does ends them."""
    environment = {
        **os.environ,
        "CRUCIBLE_BROKER_URL": server.url,
        "CRUCIBLE_HOME": str(home),
    }
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run(script: str, server: RedisServer, home: Path) -> str:
    """What they print; they must end well."""
    with start(script, server, home) as child:
        out, _ = child.communicate(timeout=_PATIENCE_SECONDS)
    assert child.returncode == 0
    return out.strip()
