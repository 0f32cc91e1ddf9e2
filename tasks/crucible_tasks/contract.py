"""A contract: what sender and worker agree on for one kind of task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from crucible_infra import settings
from crucible_tasks import starts
from crucible_tasks.decoding import decoder
from crucible_tasks.shown import arguments

if TYPE_CHECKING:
    from celery.canvas import Signature

Request = TypeVar("Request")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Contract(Generic[Request, Result]):
    """The name on the wire, the queue, what goes in and what comes out.

    Requests and results are frozen dataclasses; msgspec turns them into plain JSON and checks
    every field on the way back, so a worker runs nothing but a well-formed request.
    """

    name: str
    queue: str
    request: type[Request]
    result: type[Result]
    #: whether the sender waits for the result; else the backend stores nothing
    keeps_result: bool = False
    #: the queue that reaches a host with what this request needs; None: any host of `queue`
    route: Callable[[Request], str] | None = None

    def queue_for(self, request: Request) -> str:
        """Where this request waits; a command that does its own work has one queue per kind."""
        if self.route is None or settings.current().is_embedded:
            return self.queue
        return self.route(request)

    def signature(self, request: Request) -> Signature:
        """Ask for this work; the caller decides when to send it."""
        from crucible_tasks.celery_app import (  # noqa: PLC0415 -- Celery costs 0.2 s to import
            app,
            know_queue,
        )

        queue = self.queue_for(request)
        know_queue(queue)
        message = msgspec.to_builtins(request)
        return app.signature(
            self.name,
            args=(message,),
            queue=queue,
            argsrepr=arguments(message),
            # else the sender subscribes to a result that never comes
            ignore_result=not self.keeps_result,
        )

    def implement(self, function: Callable[[Request], Result]) -> Callable[[Request], Result]:
        """Let a worker do this work with a plain function, which stays plain.

        Raises msgspec.ValidationError in the worker when the message is not a valid request.
        """
        from crucible_tasks.celery_app import app  # noqa: PLC0415 -- Celery costs 0.2 s to import

        # before several threads convert their first messages
        decoder(self.request)

        def run(message: dict[str, Any]) -> Any:
            request = msgspec.convert(message, self.request)
            with starts.counted(app.current_task.request.id) as may_begin:
                if may_begin:
                    result = function(request)
                    return msgspec.to_builtins(result) if self.keeps_result else None
            return self._park(request)

        app.task(
            run, name=self.name, ignore_result=not self.keeps_result, contract_queue=self.queue
        )
        return function

    def here(self, request: Request) -> Result:
        """Do this work in this process, which loads what does it; the result must be kept."""
        from crucible_tasks.celery_app import app  # noqa: PLC0415 -- Celery costs 0.2 s to import

        app.loader.import_default_modules()
        return self.result_of(app.tasks[self.name](msgspec.to_builtins(request)))

    def result_of(self, message: object) -> Result:
        """Read what the worker returned."""
        return msgspec.convert(message, self.result)

    def _park(self, request: Request) -> None:
        from crucible_tasks.parking import park  # noqa: PLC0415 -- it needs the contracts

        park(self.name, request, keeps_result=self.keeps_result)
