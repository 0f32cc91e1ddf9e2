"""From the words of a command line to one exit code.

0 done (a low score is no error) · 1 failed · 2 usage, configuration, a file's content ·
3 a gate was not met · 4 incomplete · 130 Ctrl-C · 141 closed pipe (see entry.py) · 143 SIGTERM.
click's own `main` is not used: it turns every signal and closed pipe into 1.
"""

from __future__ import annotations

import errno
import io
import sys
import traceback

import click

from crucible_api.cli import interruption
from crucible_api.cli.output import Speaker, Voice
from crucible_api.cli.root import root
from crucible_api.entry import is_reader_gone
from crucible_infra.errors import CrucibleError, DiskFull
from crucible_infra.settings import of_environment

_PROGRAM = "crucible"


def dispatch(words: list[str]) -> int:
    """Run one command; every failure becomes one or two lines on stderr and its exit code."""
    interruption.install()
    _speak_utf8()
    # the command says how it speaks before it can fail
    speaker = Speaker()
    is_debugging = of_environment().is_debugging or "--debug" in words
    try:
        return _invoke(words, speaker)
    except KeyboardInterrupt as interrupt:
        return _interrupted(interrupt)
    # the outermost boundary: nothing may reach the user as a bare traceback
    except Exception as error:
        if isinstance(error, BrokenPipeError) and is_reader_gone():
            raise
        if is_debugging:
            traceback.print_exception(error)
        return _failed(error, speaker.voice)


def _invoke(words: list[str], speaker: Speaker) -> int:
    instruction = of_environment().completion
    if instruction is not None:
        return _complete(instruction)
    try:
        with root.make_context(_PROGRAM, list(words), obj=speaker) as context:
            root.invoke(context)
    except click.exceptions.Exit as request:
        return request.exit_code
    return 0


def _complete(instruction: str) -> int:
    from click.shell_completion import shell_complete

    return shell_complete(root, {}, _PROGRAM, "_CRUCIBLE_COMPLETE", instruction)


def _interrupted(interrupt: KeyboardInterrupt) -> int:
    if not interruption.is_told(interrupt):
        interruption.say(interrupt, "stopped", Voice())
    return interruption.exit_code(interrupt)


def _failed(error: Exception, voice: Voice) -> int:
    if isinstance(error, click.ClickException):
        return _misused(error, voice)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" while writing {error.filename}" if error.filename else ""
        error = DiskFull(f"no space is left on the device{where}", hint="free some space")
    if isinstance(error, CrucibleError):
        voice.fail(error.message, error.hint)
        return error.exit_code
    summary = " ".join(str(error).split()) or "no message"
    voice.fail(
        f"unexpected {type(error).__name__}: {summary}",
        "this is a bug; the same command with --debug shows where it happened",
    )
    return 1


def _misused(error: click.ClickException, voice: Voice) -> int:
    message, _, hint = error.format_message().partition("\n")
    if "\t" in hint:
        # the choices of a missing option, one a line
        message, hint = f"{message} {' '.join(hint.split())}", ""
    context = getattr(error, "ctx", None)
    if not hint and context is not None:
        hint = f"{context.command_path} --help shows what it takes"
    voice.fail(_as_sentence(message), hint or None)
    return error.exit_code


def _as_sentence(message: str) -> str:
    """Click's messages in our style: no capital, no full stop."""
    return message[:1].lower() + message[1:].rstrip(".")


def _speak_utf8() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
