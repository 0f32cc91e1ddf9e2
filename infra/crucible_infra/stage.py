"""The two stages of a completion: it is sampled, then judged."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """What was asked for."""

    GENERATION = "generation"
    EVALUATION = "evaluation"
