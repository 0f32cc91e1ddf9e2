"""A fine-tune whose controller and worker meet in one process: real, but for broker and trainer."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from celery.canvas import Signature

from crucible_api.fine_tune_reports import FineTunePlan
from crucible_api.fine_tunes import FineTunes
from crucible_infra.artifacts import open_store
from crucible_infra.database import Database
from crucible_infra.errors import BrokerUnavailable
from crucible_tasks.fine_tuning import (
    FINE_TUNE,
    FineTuneRequest,
    TrainingNews,
    TrainingOrder,
)
from crucible_tasks.recipe import Recipe
from crucible_workers import control_fine_tunes
from crucible_workers.control_tickets import Tickets
from crucible_workers.fine_tune import Teller, train
from crucible_workers.training_place import training_place
from scripted_run import Clock

SCRIPT = Path(__file__).with_name("scripted_trainer.py")

STEPS = 12


@dataclass
class TrainingWorkshop:
    """The door's service, the controller's part, and what a worker does with a message."""

    database: Database
    directory: Path
    #: whether hosts share nothing but the store
    is_shared: bool = False
    clock: Clock = field(default_factory=Clock)
    sent: list[Signature] = field(default_factory=list)
    #: answers that the broker loses before it answers again
    outage: int = 0

    def __post_init__(self) -> None:
        self.store = open_store(str(self.directory / "artifacts"))
        self.fine_tunes = FineTunes(self.database, self.sent.append)
        self.controller = control_fine_tunes.FineTunes(
            self.database, self.sent.append, Tickets(), None, adopts=True, now=self.clock
        )

    def begin(self, name: str = "mine", *, steps: int = STEPS, hosts: int = 1) -> str:
        """Plan and start one; its message waits."""
        corpus = self.store.put(b"a corpus\n")
        recipe = Recipe(max_steps=steps)
        plan = FineTunePlan(name, "hf:tiny", "tiny", corpus, recipe, {}, None, hosts)
        fine_tune_id = self.fine_tunes.plan(plan)
        self.start(fine_tune_id)
        return fine_tune_id

    def start(self, fine_tune_id: str) -> None:
        """Start or resume it, as the controller does when it is asked."""
        self.fine_tunes.start(fine_tune_id)
        self.sent.clear()
        self.controller.reconcile(fine_tune_id)

    def take(self) -> FineTuneRequest:
        """The message that waits, as a worker would read it."""
        (message,) = self.sent
        self.sent.clear()
        assert message.task == FINE_TUNE.name
        return msgspec.convert(message.args[0], FineTuneRequest)

    def work(self, *, manner: str = "well", seconds: float = 0.0, host: str = "one") -> None:
        """Do the message that waits, on this host."""
        request = self.take()
        teller = Teller(request, self.tell)
        order = teller.ask()
        if not order.goes_on:
            return
        place = self.directory / host / request.fine_tune_id
        script = (sys.executable, str(SCRIPT), str(seconds), manner)
        with training_place(place, self.store, is_shared=self.is_shared) as found:
            train(request, order.checkpoints, found, teller, script)

    @contextmanager
    def working(self, *, seconds: float, host: str = "one") -> Iterator[None]:
        """The same beside a block."""
        worker = threading.Thread(target=lambda: self.work(seconds=seconds, host=host))
        worker.start()
        try:
            yield
        finally:
            worker.join()

    def tell(self, news: TrainingNews) -> TrainingOrder:
        """What a worker's news come to."""
        if self.outage:
            self.outage -= 1
            raise BrokerUnavailable
        return self.controller.store(news)

    def losses(self, fine_tune_id: str) -> list[float]:
        """What is stored of its training, without step 0."""
        return [step.loss for step in self.fine_tunes.steps(fine_tune_id, 0) if step.loss]
