"""Work for the sandbox that a person waits for: in this process, or on a cluster's hosts."""

from __future__ import annotations

from typing import TypeVar

from crucible_infra import log
from crucible_infra.settings import current
from crucible_tasks.contract import Contract

Request = TypeVar("Request")
Result = TypeVar("Result")

#: one program may use seconds of CPU time, on a host that does other things too
_SECONDS = 300.0


def ask_sandbox(contract: Contract[Request, Result], request: Request) -> Result:
    """Have a sandbox do this, and wait. Raises CrucibleError when nobody can."""
    if current().is_embedded:
        # what goes wrong is in the answer, and the command says it in its own words
        log.configure(level="ERROR")
        return contract.here(request)
    from crucible_tasks.sending import send_and_wait  # noqa: PLC0415 -- Celery takes 0.2 s to import

    return send_and_wait(contract, request, _SECONDS)
