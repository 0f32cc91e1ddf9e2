"""Contract: a worker reports for duty in a gang, and is told to wait, to begin or to go.

A fine-tune of N hosts is N messages of the fine_tune queue, one for each member. Whoever takes one
reports every second where the others would meet it. The controller gives the word to begin when
all N are there, and sends away whoever waits for a gang that will not come together now. Which
hosts a gang gets, and who goes first, is the controller's (`control_gangs`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crucible_tasks import control
from crucible_tasks.contract import Contract
from crucible_tasks.fine_tuning import SavedCheckpoint


class GangWord(StrEnum):
    """What a member is told."""

    #: the others are not there yet: report again in a second
    WAIT = "wait"
    #: all are there
    BEGIN = "begin"
    #: this host is free for other work: the message is done with
    GO = "go"


@dataclass(frozen=True, slots=True)
class GangReport:
    """Say that a host is here for a gang."""

    fine_tune_id: str
    #: of the request, as it was there
    attempt: int
    #: which of the attempt's messages this worker holds; its rank, when the gang begins
    member: int
    #: made up by this worker for this message, so that nobody else is taken for it
    token: str
    host: str
    #: its name on the roster
    worker: str | None
    #: where the others reach this host, and a port that is free there
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class GangOrder:
    """What the controller says to that."""

    word: GangWord
    #: how many there are, and where they meet: at the first member's
    hosts: int = 0
    address: str = ""
    port: int = 0
    #: where to go on from
    checkpoints: tuple[SavedCheckpoint, ...] = ()


JOIN_GANG = Contract("crucible.join_gang", control.QUEUE, GangReport, GangOrder, keeps_result=True)
