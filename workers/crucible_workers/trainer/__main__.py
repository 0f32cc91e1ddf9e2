"""Runs one training job: `python -m crucible_workers.trainer JOB.json`, alone or by torchrun.

Ends with 0 when the adapter is complete, 143 when it was asked to stop and has left a checkpoint,
75 when another member of its gang is gone, else with the exit code of the error that its last line
on stderr tells. Started again with the same job it goes on from the last whole checkpoint.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from crucible_infra import settings
from crucible_infra.errors import CrucibleError, GangBroken
from crucible_tasks.fine_tuning import EXIT_GANG_BROKEN, EXIT_STOPPED, read_job
from crucible_workers.trainer.stopping import StopRequest

#: what libraries look up before or while they are imported
_ENVIRONMENT = {
    # a training must not begin with a download nobody asked for
    "HF_HUB_OFFLINE": "1",
    # tokenizers warns after a fork, which the data loader does
    "TOKENIZERS_PARALLELISM": "false",
    # cuBLAS is repeatable only with a workspace of its own
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}


def main(words: list[str]) -> int:
    """Run the job in the file these words name and return the exit code."""
    stop = StopRequest()
    stop.listen()
    for name, value in _ENVIRONMENT.items():
        settings.prefer(name, value)
    # libraries talk to whoever reads their code; stderr's last line belongs to the user
    warnings.simplefilter("ignore")
    try:
        job = read_job(Path(words[0]))
        from crucible_workers.trainer.training import train  # noqa: PLC0415 -- seconds of imports

        return 0 if train(job, stop, _note) else EXIT_STOPPED
    except CrucibleError as error:
        return _fail(error)
    except Exception as error:  # noqa: BLE001 -- whatever libraries raise becomes one line
        from crucible_workers.trainer.failures import told  # noqa: PLC0415 -- as above

        return _fail(told(error))


def _note(text: str) -> None:
    sys.stderr.write(f"note: {text}\n")


def _fail(error: CrucibleError) -> int:
    hint = f" ({error.hint})" if error.hint else ""
    sys.stderr.write(f"error: {error.message}{hint}\n")
    return EXIT_GANG_BROKEN if isinstance(error, GangBroken) else error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
