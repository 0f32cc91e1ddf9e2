"""Gangs in any weather: whatever is lost, late or killed, no host is in two and all of them end."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible_infra.database import open_database
from crucible_infra.database.fine_tunes import running_fine_tunes, update_fine_tune
from crucible_infra.database.gang_seats import seats_of
from crucible_infra.database.tables import fine_tunes
from crucible_tasks.fine_tuning import (
    FINE_TUNE,
    AdapterRecord,
    FineTuneRequest,
    FineTuneState,
    TrainedAdapter,
    TrainingFailure,
    TrainingNews,
    TrainingStep,
)
from crucible_tasks.gang import GangReport, GangWord
from crucible_tasks.recipe import Recipe
from crucible_workers.control_gangs import FRESH_SECONDS, GATHER_SECONDS
from crucible_workers.control_leases import SILENT_SECONDS
from training_workshop import TrainingWorkshop

#: of the fine-tunes that want four hosts; the last is no gang
SIZES = (2, 3, 2, 1)

HOSTS = 4

#: each most of a second of one core
EXAMPLES = 12

#: rounds of half a minute in calm weather: some doubled limits, and a death that must be missed
CALM_ROUNDS = 400

BROKEN = TrainingFailure("a member is gone", is_transient=True)


@dataclass
class Host:
    """A worker, until it dies."""

    name: str
    held: FineTuneRequest | None = None
    trains: bool = False
    step: int = 0


@dataclass
class Weather:
    """What can happen to hosts and messages, chosen by a seeded source."""

    shop: TrainingWorkshop
    chance: random.Random
    queue: list[FineTuneRequest] = field(default_factory=list)
    #: of workers that have died, until they are missed
    orphans: list[FineTuneRequest] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    lives: int = 0
    #: who was told to begin, by fine-tune, attempt and member
    began: dict[tuple[str, int], str] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hosts = [self._born() for _ in range(HOSTS)]
        self.shop.controller = replace(
            self.shop.controller,
            trainers=lambda: frozenset(host.name for host in self.hosts),
            is_held=lambda fine_tune_id, _: fine_tune_id in self._messages(),
        )

    def take(self) -> None:
        """An idle worker takes the oldest message."""
        idle = [host for host in self.hosts if host.held is None]
        if idle and self.queue:
            self.chance.choice(idle).held = self.queue.pop(0)

    def act(self) -> None:
        """A busy one says what it has to; the answer may be lost."""
        busy = [host for host in self.hosts if host.held is not None]
        if busy:
            self._speak(self.chance.choice(busy), is_heard=self.chance.random() < 0.8)

    def die(self) -> None:
        """A worker is killed; another one begins in its place."""
        number = self.chance.randrange(HOSTS)
        if (held := self.hosts[number].held) is not None:
            self.orphans.append(held)
        self.hosts[number] = self._born()

    def miss(self) -> None:
        """Dead workers are missed: what they held goes to the head of the queue."""
        self.queue[:0], self.orphans = self.orphans, []

    def lose(self) -> None:
        """The broker forgets a message."""
        if self.queue:
            self.queue.pop(self.chance.randrange(len(self.queue)))

    def fail(self) -> None:
        """A trainer is left alone, or its host is."""
        self._end_one(lambda news: replace(news, failure=BROKEN))

    def finish(self) -> None:
        """A training is done."""
        self._end_one(lambda news: replace(news, adapter=_adapter()))

    def interrupt(self) -> None:
        """Somebody stops one, or goes on with what was stopped."""
        one = self.chance.choice(self.ids)
        if not self.shop.fine_tunes.stop(one):
            self.shop.fine_tunes.start(one)

    def wait(self) -> None:
        """Time passes, and the controller looks."""
        seconds = (1.0, FRESH_SECONDS, SILENT_SECONDS, GATHER_SECONDS)
        self.look(self.chance.choice(seconds))

    def look(self, seconds: float) -> None:
        self.shop.clock.now += seconds
        self.shop.controller.reconcile(None)

    def collect(self) -> None:
        """What was sent since waits behind the rest."""
        asked = [one.args[0] for one in self.shop.sent if one.task == FINE_TUNE.name]
        sent = [msgspec.convert(one, FineTuneRequest) for one in asked]
        self.shop.sent.clear()
        self.queue += sent

    def calm(self) -> None:
        """Everybody does what there is to do, and nothing is lost."""
        self.miss()
        for host in self.hosts:
            if host.held is None and self.queue:
                host.held = self.queue.pop(0)
        for host in [host for host in self.hosts if host.held is not None]:
            self._speak(host, is_heard=True)
            if host.trains and host.step > 1 and host.held and not host.held.member:
                self._tell(host, replace(_news(host), adapter=_adapter()), is_heard=True)
        self.look(30.0)
        self.collect()

    def check(self) -> None:
        """One gang gathers at most, and nobody sits in two that have begun."""
        with self.shop.database.reading() as connection:
            rows = [self.shop.fine_tunes.info(one).row for one in running_fine_tunes(connection)]
            begun = [row for row in rows if row.begun_at is not None]
            seats = [seat for row in begun for seat in seats_of(connection, row.id)]
        assert sum(row.is_gathering for row in rows) <= 1
        assert len(seats) == sum(row.hosts for row in begun)
        assert len({seat.worker for seat in seats}) == len(seats)

    def _speak(self, host: Host, *, is_heard: bool) -> None:
        held = host.held
        assert held is not None
        if held.member is not None and not host.trains:
            self._report(host, held, is_heard=is_heard)
            return
        host.trains = True
        if not held.member:
            host.step += 1
        self._tell(host, _news(host), is_heard=is_heard)

    def _report(self, host: Host, held: FineTuneRequest, *, is_heard: bool) -> None:
        token = f"{host.name} {held.attempt}"
        order = self.shop.controller.gangs.join(
            GangReport(
                *(held.fine_tune_id, held.attempt, held.member or 0, token),
                *(host.name, host.name, "10.0.0.1", 4711),
            )
        )
        if not is_heard:
            return
        if order.word is GangWord.GO:
            host.held = None
        elif order.word is GangWord.BEGIN:
            # each message of an attempt is begun by one
            assert self.began.setdefault((held.fine_tune_id, held.attempt), token) == token
            host.trains = True

    def _tell(self, host: Host, news: TrainingNews, *, is_heard: bool) -> None:
        order = self.shop.controller.store(news)
        if is_heard and not order.goes_on:
            host.held, host.trains, host.step = None, False, 0

    def _end_one(self, change: Callable[[TrainingNews], TrainingNews]) -> None:
        training = [host for host in self.hosts if host.trains]
        if training:
            host = self.chance.choice(training)
            self._tell(host, change(_news(host)), is_heard=self.chance.random() < 0.8)

    def _messages(self) -> set[str]:
        held = [host.held for host in self.hosts if host.held is not None]
        return {one.fine_tune_id for one in (*self.queue, *self.orphans, *held)}

    def _born(self) -> Host:
        self.lives += 1
        return Host(f"w{self.lives}")


#: what moves a training on is the rule
HAPPENINGS: tuple[Callable[[Weather], None], ...] = (
    *(Weather.take,) * 4,
    *(Weather.act,) * 10,
    *(Weather.wait,) * 2,
    *(Weather.die, Weather.miss, Weather.lose, Weather.fail, Weather.finish, Weather.interrupt),
)


def _news(host: Host) -> TrainingNews:
    held = host.held
    assert held is not None
    told = TrainingStep(host.step, 9, 1.0, None, None, 1, None, None, None, 0.1)
    return TrainingNews(
        *(held.fine_tune_id, held.attempt, host.name),
        steps=() if held.member else (told,),
        member=held.member,
        token=None if held.member is None else f"{host.name} {held.attempt}",
    )


def _adapter() -> TrainedAdapter:
    record = AdapterRecord(
        *("tiny", "b", "c", Recipe(), 9, 9, False, 90, 1.0),
        *(2.0, 1.0, 7.4, 2.7, (), {}),
    )
    return TrainedAdapter("a" * 64, record)


def _begin(weather: Weather) -> list[str]:
    shop, ids = weather.shop, []
    with shop.database.writing() as connection:
        connection.execute(fine_tunes.delete())
    for number, hosts in enumerate(SIZES):
        ids.append(shop.begin(f"model-{number}", hosts=hosts))
        weather.collect()
        with shop.database.writing() as connection:
            # doors know no time but the real one
            update_fine_tune(connection, ids[-1], created_at=shop.clock.now + number)
    return ids


def _check(shop: TrainingWorkshop, happenings: list[int], seed: int) -> None:
    weather = Weather(shop, random.Random(seed))
    ids = _begin(weather)
    weather.ids = ids
    # a gang that has begun and one that waits: more to disturb than messages
    for _ in range(HOSTS):
        weather.take()
        weather.act()
    for happening in happenings:
        HAPPENINGS[happening](weather)
        weather.collect()
        weather.check()
    # what the weather has cost two attempts may be given up for a third, of which calm learns late
    resumed = [one for one in ids if _resume(shop, one, FineTuneState.STOPPED)]
    for _ in range(CALM_ROUNDS):
        if all(shop.fine_tunes.info(one).state is FineTuneState.FINISHED for one in ids):
            return
        given_up = [one for one in ids if one not in resumed]
        resumed += [one for one in given_up if _resume(shop, one, FineTuneState.FAILED)]
        weather.calm()
        weather.check()
    pytest.fail(f"{[shop.fine_tunes.info(one).row for one in ids]} {weather.hosts}")


def _resume(shop: TrainingWorkshop, one: str, state: FineTuneState) -> bool:
    """Let a person go on with it, where it is in this state; each once."""
    is_so = shop.fine_tunes.info(one).state is state
    if is_so:
        shop.fine_tunes.start(one)
    return is_so


@pytest.fixture
def shop(tmp_path: Path, crucible_home: Path) -> Iterator[TrainingWorkshop]:
    assert crucible_home
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    yield TrainingWorkshop(database, tmp_path)
    database.close()


def test_in_any_weather_no_host_is_in_two_gangs_and_all_of_them_end(
    shop: TrainingWorkshop,
) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, database=None)
    @given(
        st.lists(st.integers(0, len(HAPPENINGS) - 1), min_size=100, max_size=140),
        st.integers(0, 2**32),
    )
    def check(happenings: list[int], seed: int) -> None:
        _check(shop, happenings, seed)

    check()
