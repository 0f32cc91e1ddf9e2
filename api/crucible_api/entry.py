"""The console script: the version at once, everything else through the commands.

Nothing but `sys` is imported until it is known that more than the version is wanted: TAB
completion and scripts start this program often.
"""

from __future__ import annotations

import sys

from crucible_api import __version__

#: 128 + SIGPIPE, what a shell reports for `yes | head -1`
EXIT_CLOSED_PIPE = 141


def main(arguments: list[str] | None = None) -> int:
    """Run `crucible` with these arguments (default: the process' own) and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    code = 0
    try:
        code = _print_version() if words[:1] in (["--version"], ["-V"]) else _dispatch(words)
        _flush()
    except BrokenPipeError:
        _silence()
        return EXIT_CLOSED_PIPE
    except OSError as error:
        # a command that failed to write has said so, and what it wrote is still in the buffer
        if not code:
            sys.stderr.write(f"error: the answer could not be written: {error.strerror}\n")
        _silence()
        return code or 1
    return code


def _print_version() -> int:
    sys.stdout.write(f"crucible {__version__}\n")
    return 0


def _dispatch(words: list[str]) -> int:
    from crucible_api.cli.dispatch import dispatch  # noqa: PLC0415 -- click costs 50 ms to import

    return dispatch(words)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # None when the shell closed it: `crucible >&-`
        if stream is not None:
            stream.flush()


def is_reader_gone() -> bool:
    """Whether stdout or stderr is a pipe nobody reads; other broken pipes are real failures."""
    import select  # noqa: PLC0415 -- only needed on the way out

    poll = select.poll()
    for number in (1, 2):
        poll.register(number, 0)
    return any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))


def _silence() -> None:
    """Point both streams at nothing, so that Python's own flush at exit stays quiet."""
    import os  # noqa: PLC0415 -- only needed on the way out

    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
