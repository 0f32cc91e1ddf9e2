"""Implements the contract of fine-tuning: run the trainer beside this process, and tell of it.

The task stays held as long as its training lasts, hours or days. What makes that safe:

- The trainer is a process of its own, on one GPU, that dies with this one (`tether`).
- Every second the controller is told of new steps and whole checkpoints, and says whether the
  fine-tune is still wanted. Where it is away, the training goes on and is told of later.
- This worker killed: it is missed within half a minute, its message goes to another one, who asks
  for the checkpoints and goes on from the last.
- This worker told to end: the trainer leaves a checkpoint, the message goes back to its queue.
- Begun twice (a message that was thought lost): only the last attempt's ticket is right, and the
  other one is told to stop.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from celery import current_task, signals
from celery.exceptions import Reject

from crucible_infra import log, settings
from crucible_infra.artifacts import open_store
from crucible_infra.errors import CrucibleError, DiskFull, StorageError
from crucible_tasks import starts
from crucible_tasks.control import Done
from crucible_tasks.fine_tuning import (
    FINE_TUNE,
    STORE_TRAINING,
    FineTuneRequest,
    SavedCheckpoint,
    TrainedAdapter,
    TrainingFailure,
    TrainingNews,
    TrainingOrder,
)
from crucible_tasks.sending import send_and_wait
from crucible_workers.training_place import TrainingPlace, training_place
from crucible_workers.training_process import TRAINER, TrainingProcess

#: seconds between looks at the training process
_LOOK_SECONDS = 0.2

#: seconds between news, when there are any
_TELL_SECONDS = 1.0

#: seconds between signs of life: well below those after which the controller asks who has it
_SIGN_SECONDS = 5.0

#: seconds an answer may take while the training goes on; it is told again
_ANSWER_SECONDS = 5.0

#: seconds between looks for new checkpoints; a store that is away is not asked without end
_SAVE_SECONDS = 2.0

#: steps in one message, some 200 bytes each
_MOST_STEPS = 500

#: seconds between tries while nothing can go on without an answer
_RETRY_SECONDS = 2.0

#: set when this worker was told to end
_is_leaving = threading.Event()

Ask = Callable[[TrainingNews], TrainingOrder]


class _HandedBack(Exception):
    """This worker ends; another one goes on."""


@FINE_TUNE.implement
def fine_tune(request: FineTuneRequest) -> Done:
    """Train to the end, or until it is stopped, and tell the controller, which stores it."""
    current = settings.current()
    place = current.data_directory / "fine-tunes" / request.fine_tune_id
    store = open_store(current.artifacts_url)
    teller = Teller(request, _ask)
    try:
        order = teller.ask()
        if not order.goes_on:
            log.info("training_not_wanted", fine_tune=request.fine_tune_id)
            return Done()
        try:
            with training_place(place, store, is_shared=not current.is_embedded) as found:
                train(request, order.checkpoints, found, teller)
        except CrucibleError as error:
            teller.end(failure=_failure(error))
    except _HandedBack:
        raise Reject("this worker ends", requeue=True) from None
    return Done()


def train(
    request: FineTuneRequest,
    checkpoints: Sequence[SavedCheckpoint],
    place: TrainingPlace,
    teller: Teller,
    trainer: Sequence[str] = (),
) -> None:
    """One attempt, from the last checkpoint to whatever ends it, told. Raises CrucibleError."""
    place.prepare(request, checkpoints)
    process = TrainingProcess(place.job, place.progress, place.log, trainer or TRAINER)
    try:
        _follow(process, place, teller)
    finally:
        process.end()
    teller.hear(process, place)
    failure = process.failure()
    if process.was_stopped:
        if teller.is_wanted:
            teller.tell()
            raise _HandedBack
        teller.end(has_stopped=True)
    elif failure is not None:
        teller.end(failure=failure)
    else:
        teller.end(adapter=place.adapter())
        place.clear()


def _follow(process: TrainingProcess, place: TrainingPlace, teller: Teller) -> None:
    while process.is_alive:
        time.sleep(_LOOK_SECONDS)
        teller.hear(process, place)
        teller.tell_in_time()
        if _is_leaving.is_set() or not teller.is_wanted:
            process.stop()


def _ask(news: TrainingNews) -> TrainingOrder:
    return send_and_wait(STORE_TRAINING, news, _ANSWER_SECONDS)


def _failure(error: CrucibleError) -> TrainingFailure:
    # a store may be back soon; a full disk is emptied by a person
    may_pass = isinstance(error, StorageError) and not isinstance(error, DiskFull)
    hint = f" ({error.hint})" if error.hint else ""
    return TrainingFailure(error.message + hint, may_pass, error.exit_code)


def _live_on() -> None:
    if current_task:
        starts.live_on(current_task.request.id)


@signals.worker_shutting_down.connect
def _leave(**_: Any) -> None:
    _is_leaving.set()


@dataclass(slots=True)
class Teller:
    """What the controller has still to be told, and what it has said."""

    request: FineTuneRequest
    #: raises CrucibleError when there is no answer
    send: Ask
    #: until the controller says otherwise
    is_wanted: bool = True
    _pending: TrainingNews = field(init=False)
    _told_at: float = field(default=0.0, init=False)
    _saved_at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._pending = self._nothing()

    def ask(self) -> TrainingOrder:
        """Whether to begin, and where; waits for the answer. Raises _HandedBack."""
        return self._until_heard(self._pending)

    def hear(self, process: TrainingProcess, place: TrainingPlace) -> None:
        """Take what is new of a training."""
        _live_on()
        old = self._pending
        found = None
        now = time.monotonic()
        if not process.is_alive or now - self._saved_at > _SAVE_SECONDS:
            self._saved_at = now
            found = place.new_checkpoints()
        self._pending = replace(
            old,
            steps=(*old.steps, *process.steps()),
            checkpoints=old.checkpoints if found is None else found,
            notes=(*old.notes, *process.notes()),
        )

    def tell_in_time(self) -> None:
        """Tell, unless that was just done."""
        is_new = self._pending != self._nothing()
        if time.monotonic() - self._told_at > (_TELL_SECONDS if is_new else _SIGN_SECONDS):
            self.tell()

    def tell(self) -> None:
        """Tell what there is; what nobody hears is told the next time."""
        part = self._part()
        self._told_at = time.monotonic()
        try:
            order = self.send(part)
        except CrucibleError as error:
            log.warning("training_not_told", problem=error.message)
            return
        self._drop_part()
        self.is_wanted = order.goes_on

    def end(
        self,
        *,
        adapter: TrainedAdapter | None = None,
        failure: TrainingFailure | None = None,
        has_stopped: bool = False,
    ) -> None:
        """Tell the last news; waits until they are heard. Raises _HandedBack."""
        while len(self._pending.steps) > _MOST_STEPS:
            self._until_heard(self._part())
            self._drop_part()
        last = replace(self._pending, adapter=adapter, failure=failure, has_stopped=has_stopped)
        self._until_heard(last)

    def _part(self) -> TrainingNews:
        """What fits in one message."""
        return replace(self._pending, steps=self._pending.steps[:_MOST_STEPS])

    def _drop_part(self) -> None:
        self._pending = replace(self._nothing(), steps=self._pending.steps[_MOST_STEPS:])

    def _until_heard(self, news: TrainingNews) -> TrainingOrder:
        while True:
            try:
                return self.send(news)
            except CrucibleError as error:
                log.warning("training_not_told", problem=error.message)
            if _is_leaving.wait(_RETRY_SECONDS):
                raise _HandedBack
            _live_on()

    def _nothing(self) -> TrainingNews:
        request = self.request
        return TrainingNews(request.fine_tune_id, request.attempt, socket.gethostname())
