"""Contracts: requests and results cross the wire as checked JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

from crucible_tasks import evaluation, generation
from crucible_tasks.celery_app import CONTRACTS, app
from crucible_tasks.completion import Completion, Form
from crucible_tasks.contract import Contract


@dataclass(frozen=True, slots=True)
class Halves:
    """Two numbers."""

    left: int
    right: int = 0


KEPT = Contract("crucible.test_kept", generation.QUEUE, Halves, Halves, keeps_result=True)
DROPPED = Contract("crucible.test_dropped", generation.QUEUE, Halves, Halves)


@pytest.fixture(autouse=True)
def _unregister() -> Iterator[None]:
    yield
    for contract in (KEPT, DROPPED):
        app.tasks.pop(contract.name, None)


def swap(halves: Halves) -> Halves:
    return Halves(halves.right, halves.left)


def test_a_request_travels_as_plain_json() -> None:
    completion = Completion(index=0, form=Form.RESPONSE, text="```python\n```")
    request = evaluation.EvaluationRequest("r", "d", "HumanEval/0", (completion,))
    signature = evaluation.EVALUATION.signature(request)

    (message,) = json.loads(json.dumps(signature.args))
    assert msgspec.convert(message, evaluation.EvaluationRequest) == request
    assert signature.options["queue"] == evaluation.QUEUE


def test_an_implementation_stays_a_plain_function() -> None:
    assert KEPT.implement(swap) is swap
    assert swap(Halves(1, 2)) == Halves(2, 1)


def test_a_kept_result_is_read_back_as_what_it_was() -> None:
    KEPT.implement(swap)
    message = app.tasks[KEPT.name]({"left": 1, "right": 2})

    assert KEPT.result_of(json.loads(json.dumps(message))) == Halves(2, 1)


def test_a_dropped_result_never_leaves_the_worker() -> None:
    DROPPED.implement(swap)

    assert app.tasks[DROPPED.name]({"left": 1}) is None
    assert app.tasks[DROPPED.name].ignore_result
    assert DROPPED.signature(Halves(1)).options["ignore_result"]
    assert not KEPT.signature(Halves(1)).options["ignore_result"]


@pytest.mark.parametrize("message", [{}, {"left": "1"}, {"left": 1, "right": None}, [], None])
def test_a_malformed_request_never_reaches_the_implementation(message: object) -> None:
    KEPT.implement(swap)
    with pytest.raises(msgspec.ValidationError):
        app.tasks[KEPT.name](message)


def test_every_name_on_the_wire_is_ours_and_unique() -> None:
    names = [contract.name for contract in CONTRACTS]

    assert len(set(names)) == len(names)
    assert all(name.startswith("crucible.") for name in names)
