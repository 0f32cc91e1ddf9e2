"""Contract: run a program as a whole in the sandbox, and say what it printed."""

from __future__ import annotations

from dataclasses import dataclass, field

from crucible_tasks.challenge import Language, Limits
from crucible_tasks.contract import Contract
from crucible_tasks.evaluation import QUEUE
from crucible_tasks.verdict import Outcome


@dataclass(frozen=True, slots=True)
class ExecutionRequest:
    """Ask for one program to be run; nothing is on its standard input."""

    language: Language
    program: str
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Execution:
    """How it ended; `failure` is set when the host, not the program, failed."""

    #: PASSED when it ended with exit status 0, whatever it printed
    outcome: Outcome
    #: one line for people
    detail: str = ""
    #: the beginning of what it printed, and the end of what it complained about
    stdout: str = ""
    stderr: str = ""
    cpu_seconds: float = 0.0
    failure: str | None = None
    #: what kept it from the host
    isolation: str | None = None


EXECUTION = Contract("crucible.execute", QUEUE, ExecutionRequest, Execution, keeps_result=True)
