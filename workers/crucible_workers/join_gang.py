"""A worker's wait for its gang: it reports where it is until all are there, or it is sent away."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

from crucible_infra import log, settings
from crucible_infra.errors import CrucibleError
from crucible_tasks.fine_tuning import FineTuneRequest
from crucible_tasks.gang import JOIN_GANG, GangOrder, GangReport, GangWord
from crucible_tasks.membership import own_name
from crucible_tasks.sending import send_and_wait
from crucible_workers.gang_member import address_towards

#: seconds an answer may take; the report is made again
_ANSWER_SECONDS = 5.0

#: of who reaches its broker by a file, and so shares a host with it
_LOOPBACK = "127.0.0.1"

Ask = Callable[[GangReport], GangOrder]


def new_token() -> str:
    """A name for whoever holds a message now, which nobody else has."""
    return uuid.uuid4().hex


def wait_for_gang(
    request: FineTuneRequest, token: str, pause: Callable[[], None], ask: Ask | None = None
) -> GangOrder:
    """Report until the controller says to begin or to go; `pause` may raise, to leave.

    Raises InvalidInput where the broker's address leads nowhere.
    """
    # nobody else gets the port while this host waits; a trainer binds it ten seconds later
    with socket.socket() as port:
        port.bind(("", 0))
        report = GangReport(
            *(request.fine_tune_id, request.attempt, request.member or 0, token),
            *(socket.gethostname(), own_name(), _own_address(), port.getsockname()[1]),
        )
        while True:
            order = _answer(report, ask or _ask)
            if order is not None and order.word is not GangWord.WAIT:
                return order
            pause()


def _answer(report: GangReport, ask: Ask) -> GangOrder | None:
    try:
        return ask(report)
    except CrucibleError as error:
        log.warning("gang_not_joined", problem=error.message)
        return None


def _ask(report: GangReport) -> GangOrder:
    return send_and_wait(JOIN_GANG, report, _ANSWER_SECONDS)


def _own_address() -> str:
    """Where the others reach this host: by the way on which it reaches the broker."""
    broker = urlsplit(settings.current().broker_url).hostname
    return address_towards(broker) if broker else _LOOPBACK
