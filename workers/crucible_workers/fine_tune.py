"""Implements the contract of fine-tuning: run the trainer beside this process, and tell of it.

The task stays held as long as its training lasts, hours or days. What makes that safe:

- The trainer is a process of its own, on one GPU, that dies with this one (`tether`).
- Every second the controller is told of new steps and whole checkpoints, and says whether the
  fine-tune is still wanted. Where it is away, the training goes on and is told of later.
- This worker killed: it is missed within half a minute, its message goes to another one, who asks
  for the checkpoints and goes on from the last.
- This worker told to end: the trainer leaves a checkpoint, the message goes back to its queue.
- Begun twice (a message that was thought lost): only the last attempt's ticket is right, and the
  other one is told that it is over.

One of a gang waits for the others first (`join_gang`), and runs the trainer as their member. The
first member tells of the training, keeps its checkpoints and its model; the others tell that they
are there. Their trainers end together: asked to stop, all leave the same checkpoint, and where one
dies, the others end and the controller calls the next attempt together.
"""

from __future__ import annotations

import math
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
from crucible_tasks.gang import GangWord
from crucible_tasks.sending import send_and_wait
from crucible_workers.gang_member import Membership
from crucible_workers.join_gang import new_token, wait_for_gang
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

#: seconds between reports of who waits for its gang
_JOIN_SECONDS = 1.0

#: seconds in which whoever is to blame for the end of a gang may say why, and the first member may
#: store a last checkpoint, before the others tell that they were left alone
_BLAME_SECONDS = 5.0

#: set when this worker was told to end
_is_leaving = threading.Event()

Ask = Callable[[TrainingNews], TrainingOrder]


class _HandedBack(Exception):
    """This worker ends; another one goes on."""


@FINE_TUNE.implement
def fine_tune(request: FineTuneRequest) -> Done:
    """Train to the end, or until it is stopped, and tell the controller, which stores it."""
    teller = Teller(request, _ask)
    try:
        try:
            _take_part(request, teller)
        except CrucibleError as error:
            teller.end(failure=_failure(error))
    except _HandedBack:
        raise Reject("this worker ends", requeue=True) from None
    return Done()


def _take_part(request: FineTuneRequest, teller: Teller) -> None:
    current = settings.current()
    start = _start(request, teller)
    if start is None:
        log.info("training_not_wanted", fine_tune=request.fine_tune_id)
        return
    name = request.fine_tune_id
    if request.member is not None:
        # workers of one host may be in the same gang
        name = f"{name}-{request.member}"
    # the store holds what the first has written
    is_shared = not current.is_embedded and _leads(request)
    root = current.data_directory / "fine-tunes" / name
    store = open_store(current.artifacts_url)
    with training_place(root, store, is_shared=is_shared) as place:
        train(request, start.checkpoints, place, teller, start.trainer)


@dataclass(frozen=True, slots=True)
class _Start:
    """How an attempt begins here."""

    checkpoints: tuple[SavedCheckpoint, ...]
    trainer: Sequence[str]


def _start(request: FineTuneRequest, teller: Teller) -> _Start | None:
    """Where to begin and with what; None when this host is not wanted. Raises _HandedBack."""
    if request.member is None:
        order = teller.ask()
        return _Start(order.checkpoints, TRAINER) if order.goes_on else None
    token = new_token()
    told = wait_for_gang(request, token, lambda: _pause(_JOIN_SECONDS))
    if told.word is not GangWord.BEGIN:
        return None
    teller.sit_down(token)
    member = Membership(request.member, told.hosts, told.address, told.port)
    # the others get theirs from the first, as it goes on
    checkpoints = told.checkpoints if _leads(request) else ()
    return _Start(checkpoints, member.words(TRAINER))


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
    if teller.is_over:
        return
    teller.hear(process, place)
    failure = process.failure()
    if process.has_stopped and (process.was_asked or request.member is not None):
        _end_stopped(request, place, teller)
    elif failure is not None:
        if process.is_left_alone:
            teller.tell_on(_BLAME_SECONDS)
        teller.end(failure=failure)
    elif _leads(request):
        teller.end(adapter=place.adapter())
        place.clear()
    else:
        teller.tell_on()
        place.clear()


def _end_stopped(request: FineTuneRequest, place: TrainingPlace, teller: Teller) -> None:
    if request.member is None and teller.is_wanted:
        teller.tell()
        raise _HandedBack
    if _leads(request):
        teller.end(has_stopped=True)
        place.forget_replaced(teller.known)
    else:
        teller.tell_on()


def _leads(request: FineTuneRequest) -> bool:
    """Whether the training is told of from here."""
    return not request.member


def _follow(process: TrainingProcess, place: TrainingPlace, teller: Teller) -> None:
    while process.is_alive:
        time.sleep(_LOOK_SECONDS)
        teller.hear(process, place)
        teller.tell_in_time()
        place.forget_replaced(teller.known)
        if teller.is_over:
            # nobody would go on from what it might leave
            process.end()
        elif _is_leaving.is_set() or not teller.is_wanted:
            process.stop()


def _ask(news: TrainingNews) -> TrainingOrder:
    return send_and_wait(STORE_TRAINING, news, _ANSWER_SECONDS)


def _failure(error: CrucibleError) -> TrainingFailure:
    # a store may be back soon; a full disk is emptied by a person
    may_pass = isinstance(error, StorageError) and not isinstance(error, DiskFull)
    hint = f" ({error.hint})" if error.hint else ""
    return TrainingFailure(error.message + hint, may_pass, error.exit_code)


def _pause(seconds: float) -> None:
    """Wait between two tries. Raises _HandedBack."""
    if _is_leaving.wait(seconds):
        raise _HandedBack
    _live_on()


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
    #: whether nothing of this attempt is taken any more
    is_over: bool = False
    #: the checkpoints that the controller knows
    known: tuple[SavedCheckpoint, ...] = ()
    #: as whom a gang's member reported
    _token: str | None = None
    _pending: TrainingNews = field(init=False)
    _told_at: float = field(default=0.0, init=False)
    _saved_at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._pending = self._nothing()

    def ask(self) -> TrainingOrder:
        """Whether to begin, and where; waits for the answer. Raises _HandedBack."""
        return self._until_heard(self._pending)

    def sit_down(self, token: str) -> None:
        """Speak as this member of a gang from now on."""
        self._token = token
        self._pending = self._nothing()

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
        self._take(order)

    def tell_on(self, seconds: float = math.inf) -> None:
        """Say that this host is still there, until others have ended the attempt or it is time."""
        deadline = time.monotonic() + seconds
        self.tell()
        while self.is_wanted and time.monotonic() < deadline:
            time.sleep(_TELL_SECONDS)
            _live_on()
            self.tell()

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
                order = self.send(news)
            except CrucibleError as error:
                log.warning("training_not_told", problem=error.message)
            else:
                self._take(order)
                return order
            _pause(_RETRY_SECONDS)

    def _take(self, order: TrainingOrder) -> None:
        self.is_wanted, self.is_over, self.known = order.goes_on, order.is_over, order.checkpoints

    def _nothing(self) -> TrainingNews:
        request = self.request
        own = (request.fine_tune_id, request.attempt, socket.gethostname())
        return TrainingNews(*own, member=request.member, token=self._token)
