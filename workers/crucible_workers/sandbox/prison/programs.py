"""In a child: run the program that an order brings, and the next one where nothing is left.

A plain program (`plainness`) leaves the process as good as new, so its driver may send another one.
What the child says of itself is the first word after an order, before the program runs: all that
ran until then was plain, so it is this code that speaks. Whatever goes wrong in a child that has
run another program before is no verdict: its driver asks again, of a new child.
"""

from __future__ import annotations

import marshal
import os
import resource
import signal
import sys
import time
import types
from typing import Any

from .candidate import MODULE_NAME, Candidate
from .frames import FrameReader, send_frame, to_json
from .placed import Placed
from .plainness import is_plain
from .requests import DECLINED, OWN, PLAIN, WHOLE
from .script import run_script

CHANNEL = 3
#: CPU time after which a program that is not the child's first is judged again, in a new child
_MOST_SECONDS = 0.5
#: CPU time and memory that the next program would miss
_WORN_SECONDS = 0.3
_WORN_KIB = 16 << 10
#: what the compiler says to a text that is none
_NO_PROGRAM = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)


def run_programs() -> int:
    """Serve the driver at the other end of the channel; the exit status of this process."""
    reader = FrameReader(CHANNEL)
    message = marshal.loads(reader.receive())
    if message["style"] == "script":
        os.close(CHANNEL)
        return run_script(message["source"])
    if message["style"] == "shared":
        _run_beside(reader, message)
    elif message["style"] == "repository":
        _run_placed(reader, message)
    else:
        _serve(reader, message)
    return 0


def _run_beside(reader: FrameReader, message: dict[str, Any]) -> None:
    program = Candidate(CHANNEL, reader, frozenset(message["classes"]))
    code = _compiled(message["source"])
    if not isinstance(code, types.CodeType):
        program.refuse(code)
    elif program.load(code):
        program.run_beside(message["tests"], message["nonce"])


def _run_placed(reader: FrameReader, message: dict[str, Any]) -> None:
    """Run a program that defines one function of a repository. Raises ChannelClosed at the end."""
    send_frame(CHANNEL, OWN)
    program = Placed(CHANNEL, reader, message)
    try:
        filling = program.compiled()
    except _NO_PROGRAM as error:
        program.refuse(error)
        program.skip()
        return
    if program.place(filling):
        program.announce(message["names"])
        program.serve()
    else:
        program.skip()


def _serve(reader: FrameReader, message: dict[str, Any]) -> None:
    """One program after another while they are plain. Raises ChannelClosed at the end."""
    size = _resident_kib()
    is_new = True
    while True:
        begun = time.process_time()
        if not is_new:
            signal.setitimer(signal.ITIMER_PROF, _MOST_SECONDS)
        program = Candidate(CHANNEL, reader, frozenset(message["classes"]))
        if not _run(program, message, is_new=is_new):
            return
        program.forget()
        sys.stdout.flush()
        ended = time.process_time()
        is_worn = ended > _WORN_SECONDS or _resident_kib() - size > _WORN_KIB
        send_frame(CHANNEL, to_json([WHOLE, ended - begun, is_worn]))
        is_new = False
        message = marshal.loads(reader.receive())


def _run(program: Candidate, message: dict[str, Any], *, is_new: bool) -> bool:
    """Run one program until the driver has seen enough; whether it left the process as it was."""
    code = _compiled(message["source"])
    may_stay = is_plain(code) if isinstance(code, types.CodeType) else _is_harmless(code)
    if not (may_stay or is_new):
        send_frame(CHANNEL, DECLINED)
        return False
    send_frame(CHANNEL, PLAIN if may_stay else OWN)
    if not isinstance(code, types.CodeType):
        program.refuse(code)
        program.skip()
    elif not program.load(code):
        program.skip()
    else:
        program.announce(message["names"])
        program.serve()
    return may_stay


def _compiled(source: str) -> types.CodeType | Exception:
    try:
        return compile(source, f"<{MODULE_NAME}>", "exec", dont_inherit=True)
    except _NO_PROGRAM as error:
        return error


def _is_harmless(error: Exception) -> bool:
    """Whether the compiler would say so in a new process too."""
    return isinstance(error, (SyntaxError, ValueError))


def _resident_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
