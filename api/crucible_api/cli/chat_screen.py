"""How a chat shows an answer that comes: as Markdown on a terminal, as it is elsewhere.

The block that is being said (a paragraph, a list, a fenced block) is shown as it stands, below what
is finished; as soon as it is whole it is printed for good, with its formatting. Nothing a model
says reaches the terminal unfiltered, so what it means as an escape sequence is seen as text.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from crucible_api.cli.harmless import harmless
from crucible_api.cli.output import Voice, is_animated
from crucible_api.cli.plain_screen import PlainScreen, Screen, is_terminal
from crucible_infra.settings import current

if TYPE_CHECKING:
    from rich.live import Live
    from rich.segment import Segment

_FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})")
#: redraws of the unfinished block a second: a person sees no more
_PER_SECOND = 10
#: rows of a terminal that an unfinished block leaves free
_FREE_ROWS = 4


def open_screen(voice: Voice) -> Screen:
    """What this terminal, pipe or file can show."""
    if is_terminal() and _can_move(voice):
        return _Painted(voice)
    return PlainScreen(voice)


def blocks_of(text: str) -> tuple[list[str], str]:
    """The Markdown blocks that are whole, and the rest, which more text may belong to."""
    blocks: list[str] = []
    lines: list[str] = []
    fence = ""
    # what follows the last line end is not known to be a line
    *whole, rest = text.split("\n")
    for line in whole:
        mark = _FENCE.match(line)
        if not fence and mark and lines:
            # a fence may interrupt a paragraph
            blocks.append("\n".join(lines))
            lines = []
        lines.append(line)
        if not fence and mark:
            fence = mark[1]
        elif fence and mark and mark[1].startswith(fence) and line.strip() == mark[1]:
            fence = ""
            blocks.append("\n".join(lines))
            lines = []
        elif not fence and not line.strip():
            blocks.append("\n".join(lines))
            lines = []
    return [block for block in blocks if block.strip()], "\n".join([*lines, rest])


class _Painted:
    """Prints whole blocks as Markdown, above the one that is being said."""

    def __init__(self, voice: Voice) -> None:
        from rich.console import Console

        self._voice = voice
        self._console = Console(
            file=sys.stdout, no_color=not voice.paints(sys.stdout), highlight=False
        )
        self._live: Live | None = None
        self._pending = self._thought = ""

    def say(self, text: str) -> None:
        self._end_thought()
        whole, self._pending = blocks_of(self._pending + harmless(text))
        for block in whole:
            self._print(block)
        self._show(self._pending)

    def think(self, text: str) -> None:
        if not self._voice.is_quiet:
            self._thought += harmless(text)
            self._show(self._thought, style="dim")

    def restart(self, reason: str) -> None:
        self.finish()
        self._voice.announce(reason)

    def finish(self) -> None:
        self._end_thought()
        self._show("")
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._pending.strip():
            self._print(self._pending)
        self._pending = ""

    def _end_thought(self) -> None:
        if not self._thought:
            return
        from rich.text import Text

        self._show("")
        self._console.print(Text(self._thought.strip(), style="dim"))
        self._thought = ""

    def _print(self, block: str) -> None:
        from rich.markdown import Markdown
        from rich.segment import Segment, Segments

        markdown = Markdown(block.strip("\n"), code_theme="ansi_dark")
        rows = self._console.render_lines(markdown, pad=False)
        # each kind of block has its own idea of how much room it needs
        while rows and _is_empty(rows[0]):
            del rows[0]
        while rows and _is_empty(rows[-1]):
            del rows[-1]
        ended = [part for row in rows for part in (*row, Segment.line())]
        self._console.print(Segments([*ended, Segment.line()]))

    def _show(self, text: str, style: str = "") -> None:
        """Show an unfinished text below what is printed, its last rows where it has too many."""
        from rich.live import Live
        from rich.text import Text

        if self._live is None:
            if not text:
                return
            self._live = Live(console=self._console, transient=True, refresh_per_second=_PER_SECOND)
            self._live.start()
        rows = Text(text.rstrip(), style=style).wrap(self._console, self._console.width)
        shown = rows[-max(1, self._console.height - _FREE_ROWS) :] if text else []
        self._live.update(Text("\n").join(shown), refresh=not text)


def _is_empty(row: list[Segment]) -> bool:
    return not "".join(part.text for part in row).strip()


def _can_move(voice: Voice) -> bool:
    return is_animated(is_terminal=True, is_quiet=False, settings=current()) and (
        voice.color != "never"
    )
