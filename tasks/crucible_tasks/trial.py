"""Contract: is a function with its tests fit to be a challenge?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crucible_tasks.contract import Contract
from crucible_tasks.evaluation import QUEUE


class Flaw(StrEnum):
    """Why a function is no challenge, found by judging programs in its place."""

    UNDRIVABLE = "its tests give or want what cannot leave their process"
    SLOW = "its tests take more CPU time than a program has"
    FLAKY = "the original does not always pass"
    EMPTY_PASSES = "an empty body passes"
    TOOTHLESS = "too many mutants pass, or none can be made"
    BROKEN = "it cannot be replaced, or its tests cannot be run"


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """Ask for one function to be tried."""

    #: digest of the dataset with all candidates in the artifact store
    dataset: str
    task_id: str
    #: a program whose function does nothing
    empty: str
    #: programs that are wrong in one place
    mutants: tuple[str, ...]
    #: how many of them must fail
    least_mutants: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found; a function without a flaw is a challenge."""

    task_id: str
    flaw: Flaw | None
    #: what the flaw looked like
    detail: str = ""
    #: those of the challenge that can be driven from outside the program's process
    tests: tuple[str, ...] = ()
    #: mutants that failed, of those that were judged
    killed: int = 0
    tried: int = 0
    #: CPU time of the original
    cpu_seconds: float = 0.0


TRIAL = Contract("crucible.try_challenge", QUEUE, TrialRequest, Trial, keeps_result=True)
