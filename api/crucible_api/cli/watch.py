"""Runs under observation: what is known of each, and whether anything will still happen."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from crucible_api.cli.progress import Standing

if TYPE_CHECKING:
    from crucible_api.reports import Progress
    from crucible_api.run_service import ProgressTeller


class Watch:
    """Looks at runs in the database, and begins them in turn where that is wanted."""

    def __init__(
        self,
        runs: ProgressTeller,
        run_ids: Sequence[str],
        begin: Callable[[str], object] | None = None,
    ) -> None:
        self._runs = runs
        self._run_ids = tuple(run_ids)
        self._begin = begin
        self._waiting = deque(run_ids if begin is not None else ())
        #: what is known of each run
        self.found: dict[str, Progress] = {}

    def look(self) -> None:
        """Ask for every run that can still change, then begin the next one if it is its turn."""
        for run_id in self._run_ids:
            known = self.found.get(run_id)
            if known is None or (run_id not in self._waiting and _is_live(known)):
                self.found[run_id] = self._runs.progress(run_id)
        while self._begin is not None and self._waiting and self._is_idle():
            run_id = self._waiting.popleft()
            self._begin(run_id)
            self.found[run_id] = self._runs.progress(run_id)

    @property
    def begun(self) -> dict[str, Progress]:
        """What is known of each run that is not still to be begun."""
        return {one: self.found[one] for one in self._run_ids if one not in self._waiting}

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return not self._waiting and self._is_idle()

    @property
    def standing(self) -> Standing:
        """All of it together."""
        found = self.found.values()
        to_begin = (self.found[run_id] for run_id in self._waiting)
        return Standing(
            planned=sum(one.planned for one in found),
            generated=sum(one.generated for one in found),
            judged=sum(one.judged for one in found),
            left=sum(one.left for one in self.begun.values() if _is_live(one))
            + sum(one.planned - one.judged for one in to_begin),
        )

    @property
    def done_text(self) -> str:
        """How many of several runs are over: 3/12 runs."""
        if len(self._run_ids) == 1:
            return ""
        over = sum(not _is_live(one) for one in self.begun.values())
        return f"{over}/{len(self._run_ids)} runs"

    def _is_idle(self) -> bool:
        return not any(_is_live(one) for one in self.begun.values())


def _is_live(progress: Progress) -> bool:
    """Whether a run goes on by itself, or when somebody resumes it on its cluster."""
    if progress.state == "planned":
        # a cluster's run that was never started has nobody who would
        return progress.is_owned
    return progress.state == "running" or (progress.state == "paused" and not progress.is_owned)
