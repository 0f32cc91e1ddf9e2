"""Where an answer is shown as it comes: text to stdout, thoughts to stderr, nothing is obeyed."""

from __future__ import annotations

import sys
from typing import Protocol

import click

from crucible_api.cli.harmless import harmless
from crucible_api.cli.output import Voice


class Screen(Protocol):
    """Where an answer is shown."""

    def say(self, text: str) -> None:
        """Show some more of the answer."""

    def think(self, text: str) -> None:
        """Show some more of what comes before the answer."""

    def restart(self, reason: str) -> None:
        """Say that the answer begins anew."""

    def finish(self) -> None:
        """Show what is left; a line that has begun ends here."""


def is_terminal() -> bool:
    """Whether a person reads stdout as it is written."""
    return sys.stdout is not None and sys.stdout.isatty()


class HiddenScreen:
    """Shows nothing but that an answer begins anew."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice

    def say(self, text: str) -> None:
        """Keep it back."""

    def think(self, text: str) -> None:
        """Keep that back too."""

    def restart(self, reason: str) -> None:
        """Tell people why this takes so long."""
        self._voice.announce(reason)

    def finish(self) -> None:
        """Nothing has begun."""


class PlainScreen:
    """Writes what comes."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._is_terminal = is_terminal()
        #: whether stderr stands behind a thought that has not ended its line
        self._is_thinking = False
        #: whether stdout stands behind text that has not ended its line
        self._is_mid_line = False

    def say(self, text: str) -> None:
        """Write it, behind the thought's last line."""
        self._end_thought()
        self._write(text)

    def think(self, text: str) -> None:
        """Write it dimly, unless quiet is wanted."""
        stream = sys.stderr
        if stream is None or self._voice.is_quiet:
            return
        shown = harmless(text)
        stream.write(click.style(shown, dim=True) if self._voice.paints(stream) else shown)
        stream.flush()
        self._is_thinking = True

    def restart(self, reason: str) -> None:
        """End the line, and say why another one begins."""
        self.finish()
        self._voice.announce(reason)

    def finish(self) -> None:
        """End both lines."""
        self._end_thought()
        if self._is_mid_line:
            self._write("\n")

    def _write(self, text: str) -> None:
        if sys.stdout is not None and text:
            sys.stdout.write(harmless(text) if self._is_terminal else text)
            sys.stdout.flush()
            self._is_mid_line = not text.endswith("\n")

    def _end_thought(self) -> None:
        if self._is_thinking and sys.stderr is not None:
            sys.stderr.write("\n")
            sys.stderr.flush()
        self._is_thinking = False
