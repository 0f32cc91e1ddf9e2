"""An interruption that falls where nobody hears it is not lost."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: the signal comes inside the callback of a weak reference, as SQLAlchemy has them
_UNHEARD = """
import os, signal, sys, time, weakref
from crucible_api.cli import interruption

class Gone: pass

def callback(_):
    os.kill(os.getpid(), signal.{name})
    time.sleep(60)

interruption.install()
gone = Gone()
held = weakref.ref(gone, callback)
try:
    del gone
    time.sleep(60)
except KeyboardInterrupt as interrupt:
    sys.exit(interruption.exit_code(interrupt))
"""

_OTHER = """
from crucible_api.cli import interruption

class Broken:
    def __del__(self): raise ValueError("broken")

interruption.install()
Broken()
"""


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_an_interruption_inside_a_callback_is_raised_again(name: str, code: int) -> None:
    done = _run(_UNHEARD.format(name=name))

    assert (done.returncode, done.stderr) == (code, "")


def test_what_else_a_destructor_raises_is_told_as_ever() -> None:
    done = _run(_OTHER)

    assert done.returncode == 0
    assert "ValueError: broken" in done.stderr


def _run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=50
    )
