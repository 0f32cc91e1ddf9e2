"""Runs a whole program as `python solution.py` would."""

from __future__ import annotations

import atexit
import sys
import threading
import traceback
import types


def run_script(source: str) -> int:
    """Run the program as the main module, with real descriptors; returns its exit status."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv[:] = ["solution.py"]
    status = 0
    try:
        exec(compile(source, "solution.py", "exec", dont_inherit=True), vars(module))
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException as error:
        # without the line above, which is ours
        own = error.__traceback__
        traceback.print_exception(error.with_traceback(own.tb_next if own else None))
        status = 1
    # what the interpreter does at its end, which os._exit leaves out
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return status & 0xFF
