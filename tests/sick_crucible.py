"""The real `crucible` on a sick host: `sick_crucible.py KIND HEALTHY WORD…`.

The first HEALTHY programs are judged right, everything after them as `sick_sandboxes.KIND` does.
"""

from __future__ import annotations

import os
import sys

import sick_sandboxes
from crucible_api.entry import main
from crucible_infra import settings
from crucible_workers import evaluate
from crucible_workers.sandbox import open_sandbox


def run(kind: str, healthy: str, *words: str) -> int:
    backend = settings.current().sandbox_backend
    inside = open_sandbox(backend, os.cpu_count() or 1)
    sick: type[sick_sandboxes.SickSandbox] = getattr(sick_sandboxes, kind)
    # where the product keeps the sandbox that it has opened
    evaluate._sandboxes[backend] = sick(inside, int(healthy))
    return main(list(words))


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
