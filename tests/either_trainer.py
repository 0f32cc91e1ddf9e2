"""A training process of one's choice: `either_trainer.py SECONDS MANNER JOB.json`.

A recipe whose seed is SCRIPTED gets the scripted trainer, which needs no torch; any other the real.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import scripted_trainer
from crucible_tasks.fine_tuning import read_job

SCRIPTED = 77


def main(seconds: str, manner: str, path: str) -> int:
    if read_job(Path(path)).recipe.seed == SCRIPTED:
        return scripted_trainer.main(seconds, manner, path)
    return os.execv(sys.executable, [sys.executable, "-m", "crucible_workers.trainer", path])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
