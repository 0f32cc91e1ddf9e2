"""Rows of fine-tunes, their steps and what they made, for doors without a database, too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FineTuneRow:
    """One fine-tune; see `tables.fine_tunes` for what the columns mean."""

    id: str
    name: str
    model: str
    base: str
    corpus: str
    recipe: dict[str, Any]
    manifest: dict[str, Any]
    state: str
    created_at: float
    proof: dict[str, Any] | None = None
    owner: str | None = None
    attempt: int = 0
    failures: int = 0
    reason: str | None = None
    exit_code: int | None = None
    host: str | None = None
    checkpoints: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sent_at: float | None = None
    started_at: float | None = None
    heard_at: float | None = None
    finished_at: float | None = None
    seconds_before: float = 0.0
    hosts: int = 1
    waits_for: str | None = None
    begun_at: float | None = None
    given_back: int = 0
    gave_back_at: float | None = None

    @property
    def is_gathering(self) -> bool:
        """Whether its gang may hold hosts that wait for others."""
        is_wanted = self.state == "running" and self.sent_at is not None
        return is_wanted and self.hosts > 1 and self.begun_at is None


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a training; see `tables.training_steps`."""

    fine_tune_id: str
    step: int
    steps: int
    loss: float | None
    held_out_loss: float | None
    learning_rate: float | None
    tokens: int
    tokens_per_second: float | None
    mfu: float | None
    memory_bytes: int | None
    seconds: float


@dataclass(frozen=True, slots=True)
class AdapterRow:
    """One registered model; see `tables.adapters` for what the columns mean."""

    name: str
    fine_tune_id: str
    base: str
    artifact: str
    is_whole: bool
    record: dict[str, Any]
    created_at: float
