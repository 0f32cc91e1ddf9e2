from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from crucible_infra.errors import EndpointDown, RateLimited
from crucible_tasks.completion import Completion, Form
from crucible_tasks.generation import ModelIdentity
from crucible_workers.models.interface import Model, SampleRequest
from crucible_workers.models.leases import Leases


@dataclass
class Canned(Model):
    """Answers with its name, until it is closed."""

    name: str
    closed: int = 0

    def identity(self) -> ModelIdentity:
        return ModelIdentity(self.name, self.name, "canned", self.name, "chat")

    def sample(self, request: SampleRequest) -> tuple[Completion, ...]:
        return tuple(Completion(index, Form.RESPONSE, self.name) for index in request.indices)

    def close(self) -> None:
        self.closed += 1


class Opener:
    """Remembers what it opened."""

    def __init__(self) -> None:
        self.opened: list[Canned] = []

    def __call__(self, spec: str, _dataset: str | None) -> Model:
        time.sleep(0.01)
        self.opened.append(Canned(spec))
        return self.opened[-1]


def test_a_model_is_opened_once_and_shared() -> None:
    opener = Opener()
    leases = Leases(opener)

    def use(_number: int) -> Model:
        with leases.model("a", None) as model:
            return model

    with ThreadPoolExecutor(8) as pool:
        models = set(map(id, pool.map(use, range(50))))
    assert len(models) == len(opener.opened) == 1
    leases.close()
    leases.close()
    assert opener.opened[0].closed == 1


def test_a_dataset_makes_another_model() -> None:
    opener = Opener()
    leases = Leases(opener)
    for dataset in ("x", "y", "x"):
        with leases.model("reference", dataset):
            pass
    assert len(opener.opened) == 2
    leases.close()


def test_the_least_used_is_closed_when_there_are_too_many() -> None:
    opener = Opener()
    leases = Leases(opener, limit=2)
    for spec in ("a", "b", "a", "c", "a"):
        with leases.model(spec, None):
            pass
    assert [(model.name, model.closed) for model in opener.opened] == [("a", 0), ("b", 1), ("c", 0)]
    leases.close()
    assert [model.closed for model in opener.opened] == [1, 1, 1]


def test_a_model_in_use_is_closed_only_after_its_user() -> None:
    opener = Opener()
    leases = Leases(opener, limit=1)
    with leases.model("a", None) as model:
        with leases.model("b", None):
            pass
        leases.close()
        assert isinstance(model, Canned)
        assert model.closed == 0
    assert model.closed == 1


@pytest.mark.parametrize(("error", "opened"), [(EndpointDown(), 2), (RateLimited(), 1)])
def test_a_server_that_went_away_is_opened_anew(error: Exception, opened: int) -> None:
    opener = Opener()
    leases = Leases(opener)
    with pytest.raises(type(error)), leases.model("a", None):
        raise error
    with leases.model("a", None):
        pass
    leases.close()
    assert len(opener.opened) == opened
    assert all(model.closed == 1 for model in opener.opened)


def test_a_slow_opening_holds_up_nobody_else() -> None:
    opener = Opener()
    gate = threading.Event()

    def slow(spec: str, dataset: str | None) -> Model:
        if spec == "slow":
            gate.wait(5)
        return opener(spec, dataset)

    leases = Leases(slow)

    def use(spec: str) -> None:
        with leases.model(spec, None):
            pass

    waiting = threading.Thread(target=use, args=("slow",))
    waiting.start()
    started = time.monotonic()
    use("quick")
    assert time.monotonic() - started < 2
    gate.set()
    waiting.join()
    leases.close()
