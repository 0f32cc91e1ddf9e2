"""Where the lines of a chat come from: a terminal whose line can be edited, or anything else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crucible_infra.settings import Settings

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

_PROMPT, _MORE = "> ", ". "

#: opens and closes what has more than one line
_QUOTES = '"""'

#: of the history: what was typed may be private
_MODE = 0o600

#: terminals that cannot move a cursor
_DUMB = ("", "dumb", "unknown")


class Input(Protocol):
    """Reads what the user says."""

    def read(self) -> str:
        """The next prompt or command.

        Raises EOFError at the end, and KeyboardInterrupt for Ctrl-C on an empty line.
        """


def open_input(settings: Settings, *, is_logged: bool) -> Input:
    """The best that this terminal can do."""
    is_terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    if not is_terminal or settings.terminal in _DUMB:
        return _Lines()
    return _Editor(settings.state_directory / "chat-history" if is_logged else None)


class _Lines:
    """One line after the other, as `input` reads them."""

    def read(self) -> str:
        return _quoted(self._line)

    def _line(self, prompt: str) -> str:
        if sys.stdin is None:
            raise EOFError
        if sys.stdin.isatty():
            sys.stderr.write(prompt)
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.removesuffix("\n")


class _Editor:
    """Lines that can be edited, with those of earlier chats to go back to."""

    def __init__(self, history: Path | None) -> None:
        self._session = _session(history)

    def read(self) -> str:
        return _quoted(self._line)

    def _line(self, prompt: str) -> str:
        while True:
            try:
                return self._session.prompt(prompt)
            except KeyboardInterrupt:
                # a line that is thrown away is no wish to leave
                if not self._session.default_buffer.text:
                    raise


def _quoted(line: Callable[[str], str]) -> str:
    """A line, or all lines from three quotes to three quotes."""
    text = line(_PROMPT)
    if not text.lstrip().startswith(_QUOTES):
        return text
    text = text.lstrip().removeprefix(_QUOTES)
    while not text.rstrip().endswith(_QUOTES):
        text += f"\n{line(_MORE)}"
    return text.rstrip().removesuffix(_QUOTES).strip("\n")


def _session(history: Path | None) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory, InMemoryHistory
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    kept = FileHistory(str(history)) if history and _is_ready(history) else InMemoryHistory()
    return PromptSession(history=kept, key_bindings=keys, enable_open_in_editor=True)


def _is_ready(history: Path) -> bool:
    """Whether lines can be kept there, by nobody but the user; a chat goes on without."""
    try:
        history.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(history, os.O_CREAT | os.O_RDWR | os.O_APPEND, _MODE))
        history.chmod(_MODE)
    except OSError:
        return False
    return True
