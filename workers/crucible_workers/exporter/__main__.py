"""Runs one export: `python -m crucible_workers.exporter JOB.json`; the report is its output."""

from __future__ import annotations

import errno
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import msgspec

from crucible_infra import log, settings
from crucible_infra.errors import CrucibleError, DiskFull, InvalidInput
from crucible_tasks.model_export import ExportReport, read_job
from crucible_workers.models import in_process


def main(words: list[str]) -> ExportReport:
    """Do the job in the file these words name; the report says what went wrong."""
    # nothing may be fetched behind anybody's back
    settings.prefer("HF_HUB_OFFLINE", "1")
    log.configure(level="ERROR")
    try:
        job = read_job(Path(words[0]))
        if not in_process.is_installed() or find_spec("gguf") is None:
            hint = "pip install 'codecrucible[train]'"
            raise InvalidInput("an export needs torch, transformers and gguf", hint=hint)
        from crucible_workers.exporter.export import export  # noqa: PLC0415 -- seconds of imports

        return export(job)
    except CrucibleError as error:
        return _failed(error)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        place = error.filename or "the disk"
        return _failed(DiskFull() if full else CrucibleError(f"{place}: {error.strerror}"))


def _failed(error: CrucibleError) -> ExportReport:
    return ExportReport(problem=error.message, hint=error.hint, exit_code=error.exit_code)


if __name__ == "__main__":
    # libraries print; the report must be alone on the real output
    output = os.dup(1)
    os.dup2(2, 1)
    report = main(sys.argv[1:])
    os.write(output, msgspec.json.encode(report))
    sys.exit(report.exit_code)
