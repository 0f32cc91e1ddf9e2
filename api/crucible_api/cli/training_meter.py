"""A training's progress on stderr: one line that changes on a terminal, else one now and then."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from crucible_api.cli.output import Voice, duration
from crucible_api.cli.progress import BAR_EVERY_SECONDS, LINE_EVERY_SECONDS, LINE_EVERY_SHARE
from crucible_api.cli.status_line import Drawing

if TYPE_CHECKING:
    from crucible_infra.fine_tune_rows import StepRow

#: steps that the time left is told from: enough that an evaluation among them does not double it
_RECENT = 20

_BAR_CELLS = 16

_COLUMNS = 110


class TrainingMeter(Drawing):
    """Shows the last step; closes with its line wiped away."""

    def __init__(self, voice: Voice, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._voice = voice
        self._clock = clock
        self._recent: deque[StepRow] = deque(maxlen=_RECENT)
        self._held_out: float | None = None
        self._told_at = clock()
        self._told_share = 0.0

    def say(self, text: str) -> None:
        """Tell something above the line."""
        self._line.wipe()
        self._voice.talk(text)

    def warn(self, text: str) -> None:
        """Tell something above the line that must not be missed."""
        self._line.wipe()
        self._voice.warn(text)

    def hear(self, steps: Iterable[StepRow]) -> None:
        """Take the steps that are new, and show the last of them if it is time to."""
        is_first, is_new = not self._recent, False
        for step in steps:
            self._recent.append(step)
            self._held_out = step.held_out_loss or self._held_out
            is_new = True
        # what was told already is no news, however long ago
        if not is_new:
            return
        now, share = self._clock(), self._share
        if self._voice.has_bar:
            if now - self._told_at >= BAR_EVERY_SECONDS or is_first:
                self._told_at = now
                self._draw()
            return
        is_due = share - self._told_share >= LINE_EVERY_SHARE - 1e-9 or share >= 1
        if is_due or now - self._told_at >= LINE_EVERY_SECONDS:
            self._told_at, self._told_share = now, share
            self._voice.talk(self._text())

    @property
    def _share(self) -> float:
        last = self._recent[-1]
        return min(1.0, last.step / last.steps) if last.steps else 1.0

    def _text(self) -> str:
        last = self._recent[-1]
        parts = [f"step {last.step}/{last.steps}"]
        if last.loss is not None:
            parts.append(f"loss {last.loss:.4f}")
        if self._held_out is not None:
            parts.append(f"held out {self._held_out:.4f}")
        if last.tokens_per_second is not None:
            parts.append(f"{last.tokens_per_second:,.0f} tokens/s")
        if last.mfu is not None:
            parts.append(f"MFU {100 * last.mfu:.0f} %")
        left = self._seconds_left()
        if left is not None:
            parts.append(f"about {duration(left)} left")
        return "  ".join(parts)

    def _seconds_left(self) -> float | None:
        first, last = self._recent[0], self._recent[-1]
        # a resumed training counts its seconds anew
        if last.step <= first.step or last.seconds <= first.seconds:
            return None
        pace = (last.seconds - first.seconds) / (last.step - first.step)
        return pace * (last.steps - last.step)

    def _draw(self) -> None:
        full = round(_BAR_CELLS * self._share)
        text = f"{'█' * full}{'░' * (_BAR_CELLS - full)} {self._text()}"[:_COLUMNS]
        self._line.draw(text)
