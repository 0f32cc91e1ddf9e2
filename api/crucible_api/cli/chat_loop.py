"""The loop of a chat: reads, lets do, and survives whatever goes wrong on the way."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from crucible_api.cli.chat_commands import Commands
from crucible_api.cli.chat_input import Input
from crucible_api.cli.chat_talk import Talk
from crucible_api.cli.output import Voice
from crucible_infra.errors import CrucibleError

#: two Ctrl-C within this time leave
_TWICE_SECONDS = 2.0


class Loop:
    """From the first prompt until the user leaves."""

    def __init__(self, talk: Talk, commands: Commands, lines: Input, voice: Voice) -> None:
        self._talk = talk
        self._commands = commands
        self._lines = lines
        self._voice = voice
        self._stopped_at = float("-inf")
        #: whether there is something to stop
        self._is_busy = False

    def run(self, first: str = "") -> None:
        """Talk. Raises KeyboardInterrupt when Ctrl-C is pressed twice."""
        # each Ctrl-C stops one thing only; a shell may have had it ignored for a background job
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        identity = self._talk.answerer.identity()
        self._voice.talk(
            f"{identity.name} on {identity.server}; /help lists commands, Ctrl-D leaves"
        )
        if first:
            self._is_busy = True
            self._survive(lambda: self._talk.say(first))
        try:
            while True:
                self._survive(self._turn)
        except EOFError:
            return

    def _turn(self) -> None:
        self._is_busy = False
        text = self._lines.read()
        self._is_busy = True
        self._stopped_at = float("-inf")
        if not self._commands.take(text) and text.strip():
            self._talk.say(text.removeprefix("/") if text.startswith("//") else text)

    def _survive(self, step: Callable[[], None]) -> None:
        """Do one thing; a failure or a Ctrl-C ends it and not the chat."""
        try:
            step()
        except CrucibleError as error:
            self._voice.fail(error.message, error.hint)
        except KeyboardInterrupt as interrupt:
            # SIGTERM comes with its number
            if interrupt.args and interrupt.args[0] == signal.SIGTERM:
                raise
            now = time.monotonic()
            if now - self._stopped_at < _TWICE_SECONDS:
                # so that nothing more is said of it
                interrupt.add_note("left")
                raise
            self._stopped_at = now
            stopped = "stopped; " if self._is_busy else ""
            self._voice.announce(f"[{stopped}Ctrl-C again or Ctrl-D leaves]")
