"""Energy: what is measured while samples are under way is shared among them, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from threading import Barrier, Thread

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible_infra.gpu_energy import meter_of
from crucible_tasks.completion import Completion, Form
from crucible_tasks.generation import Generation
from crucible_tasks.router import READ_SIGNALS, Member, Policy, Router
from crucible_workers.models import open_model
from crucible_workers.models.energy import Call, EnergyAccount, measured
from crucible_workers.models.http import HttpClient
from model_requests import CHAT, RAW, Waits, samples
from model_server import ModelServer, OpenAi
from scripted_gpus import Board, ScriptedGpus

#: a call begins, the first of those under way ends, or the boards take so many millijoules
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(1, 8)),
        st.tuples(st.just("end"), st.integers(0, 3)),
        st.tuples(st.just("spend"), st.integers(0, 5000)),
    ),
    max_size=30,
)


@pytest.fixture
def gpus() -> ScriptedGpus:
    return ScriptedGpus(Board("GPU-a", millijoules=700), Board("GPU-b", millijoules=0))


def account_of(gpus: ScriptedGpus) -> EnergyAccount:
    return EnergyAccount(lambda: meter_of(gpus, ("0", "1")))


@given(STEPS)
def test_the_shares_add_up_to_what_was_taken_while_anything_was_under_way(
    steps: list[tuple[str, int]],
) -> None:
    gpus = ScriptedGpus(Board("GPU-a", millijoules=700), Board("GPU-b", millijoules=0))
    account = account_of(gpus)
    calls: list[Call] = []
    under_way: list[ExitStack] = []
    taken = 0
    for step, number in steps:
        if step == "begin":
            stack = ExitStack()
            calls.append(stack.enter_context(account.call(number)))
            under_way.append(stack)
        elif step == "spend":
            gpus.spend(number % 2, number)
            taken += number if under_way else 0
        elif under_way:
            under_way.pop(number % len(under_way)).close()
    for stack in under_way:
        stack.close()
    assert sum(one.joules or 0.0 for one in calls) == pytest.approx(taken / 1000)
    assert None not in [one.joules for one in calls]


def test_each_sample_under_way_gets_as_much_as_every_other(gpus: ScriptedGpus) -> None:
    account = account_of(gpus)
    with account.call(1) as early:
        gpus.spend(0, 1000)
        with account.call(3) as late:
            gpus.spend(1, 4000)
        gpus.spend(0, 10_000)
    gpus.spend(0, 9999)
    assert (early.joules, late.joules) == (12.0, 3.0)


def test_a_call_that_fails_ends_too(gpus: ScriptedGpus) -> None:
    account = account_of(gpus)
    with pytest.raises(ZeroDivisionError), account.call(5):
        raise ZeroDivisionError
    with account.call(1) as call:
        gpus.spend(0, 1000)
    assert call.joules == 1.0


@pytest.mark.parametrize("counter", [None, 3])
def test_what_a_lost_or_restarted_counter_hid_is_unknown_and_the_next_is_not(
    gpus: ScriptedGpus, counter: int | None
) -> None:
    account = account_of(gpus)
    with account.call(1) as call:
        gpus.spend(1, 1000)
        with account.call(1) as inner:
            gpus.tell(0, counter)
        gpus.tell(0, 5)
    assert (call.joules, inner.joules) == (None, None)
    with account.call(1) as after:
        gpus.spend(0, 2000)
    assert after.joules == 2.0


def test_threads_that_begin_and_end_together_lose_nothing(gpus: ScriptedGpus) -> None:
    account, together = account_of(gpus), Barrier(4)
    calls: list[Call] = []

    def sample() -> None:
        with account.call(2) as call:
            together.wait()
            if together.wait() == 0:
                gpus.spend(0, 8000)
            together.wait()
        calls.append(call)

    threads = [Thread(target=sample) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum(one.joules or 0.0 for one in calls) == pytest.approx(8.0)


@pytest.fixture
def server(gpus: ScriptedGpus) -> Iterator[ModelServer]:
    """Whose every request takes four joules."""

    def answers(_prompt: str, seed: int) -> str:
        gpus.spend(0, 4000)
        # every second one has no code
        return "I do not know." if seed % 2 else "```python\ndef f(a):\n    return a\n```"

    with ModelServer(OpenAi(answers, ("small", "large"))) as server:
        yield server


@pytest.fixture
def sampled(gpus: ScriptedGpus, monkeypatch: pytest.MonkeyPatch) -> EnergyAccount:
    account = account_of(gpus)
    monkeypatch.setattr(
        "crucible_workers.models.router.measured", partial(measured, account=account)
    )
    return account


def test_a_completion_of_a_server_here_tells_its_share(
    server: ModelServer, gpus: ScriptedGpus
) -> None:
    model = open_model(f"openai:{server.url}/v1#small", None, Waits().patience())
    found = measured(model, samples(0, 1, prompt=CHAT), account_of(gpus))
    untold = measured(model, samples(0, prompt=CHAT), EnergyAccount(lambda: None))
    model.close()
    assert [one.joules for one in found] == [4.0, 4.0]
    assert [one.joules for one in untold] == [None]


def test_what_is_sampled_without_a_gpu_or_elsewhere_tells_none(gpus: ScriptedGpus) -> None:
    nano = open_model("nano", None)
    (found,) = measured(nano, samples(0, prompt=RAW), account_of(gpus))
    nano.close()
    assert found.joules is None
    for url, is_here in (
        ("http://127.0.0.1:1/v1", True),
        ("http://localhost:1", True),
        ("http://gpu-2:8000/v1", False),
        ("https://10.0.0.7", False),
    ):
        client = HttpClient(url, Waits().patience())
        assert client.is_here is is_here
        client.close()


def test_a_routers_completion_took_what_all_its_draws_took(
    server: ModelServer, sampled: EnergyAccount
) -> None:
    members = tuple(
        Member(role, f"openai:{server.url}/v1#{name}")
        for role, name in (("fast", "small"), ("quality", "large"))
    )
    router = Router("hybrid", Policy.CASCADE, members, READ_SIGNALS)
    model = open_model(router.spec, None, Waits().patience())
    found = measured(model, samples(0, 1, prompt=CHAT), sampled)
    model.close()
    assert sorted(len(one.draws) for one in found) == [1, 2]
    for one in found:
        assert [draw.joules for draw in one.draws] == [4.0] * len(one.draws)
        assert one.joules == 4.0 * len(one.draws)


def test_a_meter_is_looked_for_by_the_first_call_alone() -> None:
    looked: list[None] = []
    account = EnergyAccount(lambda: looked.append(None))
    assert looked == []
    for _ in range(2):
        with account.call(1) as call:
            pass
        assert call.joules is None
    assert looked == [None]


def test_a_message_of_a_version_that_measured_nothing_is_read() -> None:
    old = msgspec.to_builtins(Generation("run", "T/0", (Completion(0, Form.RESPONSE, "x"),)))
    (completion,) = old["completions"]
    del completion["joules"]
    assert msgspec.convert(old, Generation).completions[0].joules is None
