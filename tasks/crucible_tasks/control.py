"""Contracts of the controller: store what workers found, and look for what is missing."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_tasks.contract import Contract
from crucible_tasks.evaluation import Evaluation
from crucible_tasks.generation import Generation

QUEUE = "controller"


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Send whatever the database says is missing of one run or fine-tune, or of all live ones."""

    run_id: str | None = None
    fine_tune_id: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to say."""


STORE_COMPLETIONS = Contract("crucible.store_completions", QUEUE, Generation, Done)
STORE_VERDICTS = Contract("crucible.store_verdicts", QUEUE, Evaluation, Done)
RECONCILE = Contract("crucible.reconcile", QUEUE, Reconcile, Done)
