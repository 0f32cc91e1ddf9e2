"""What the doors ask of fine-tunes, and tell about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crucible_infra.fine_tune_rows import AdapterRow, FineTuneRow
from crucible_tasks.fine_tuning import FineTuneState
from crucible_tasks.recipe import Method, Recipe
from crucible_tasks.registered import spec_of_trained


@dataclass(frozen=True, slots=True)
class FineTunePlan:
    """What is to be trained."""

    #: of the new model
    name: str
    #: the spec it was asked for with
    model: str
    #: see `tables.fine_tunes`
    base: str
    #: digest of the encoded corpus in the artifact store
    corpus: str
    recipe: Recipe
    manifest: dict[str, Any]
    #: None where nothing is to be proved
    proof: dict[str, Any] | None
    #: that train it together
    hosts: int = 1


@dataclass(frozen=True, slots=True)
class FineTuneInfo:
    """How a fine-tune stands."""

    row: FineTuneRow
    state: FineTuneState
    #: None until it is registered
    adapter: AdapterRow | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.state not in (FineTuneState.PLANNED, FineTuneState.RUNNING)

    @property
    def can_go_on(self) -> bool:
        """Whether resuming it gets a model: it was stopped, killed or has failed."""
        return self.is_over and self.state != FineTuneState.FINISHED

    @property
    def is_resting(self) -> bool:
        """Whether no worker has it."""
        return self.row.sent_at is None

    @property
    def waits(self) -> str | None:
        """What its gang waits for before it can begin, in words; None when for nothing."""
        is_waiting = self.state == FineTuneState.RUNNING and self.row.waits_for is not None
        return f"waits for {self.row.waits_for}" if is_waiting else None

    @property
    def seconds(self) -> float | None:
        """Worked on so far; None before the start."""
        row = self.row
        if row.started_at is None:
            return None
        last = row.finished_at or row.heard_at or row.started_at
        return row.seconds_before + max(0.0, last - row.started_at)


def spec_of(adapter: AdapterRow) -> str:
    """The spec that samples a registered model, on any host of its cluster."""
    method = Method(adapter.record["recipe"]["method"])
    return spec_of_trained(adapter.base, method, adapter.artifact, is_whole=adapter.is_whole)
