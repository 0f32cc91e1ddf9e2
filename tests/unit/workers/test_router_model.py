"""A router as a model, over real servers: who answers, what is kept, and what failures mean."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from crucible_infra.errors import EndpointDown, InvalidInput, ModelError, RequestRefused
from crucible_tasks.completion import Completion, Finish
from crucible_tasks.router import READ_SIGNALS, Member, Policy, Router, Signal, router_in
from crucible_workers.models import open_model
from crucible_workers.models.breaker import BREAKERS, FAILURES
from crucible_workers.models.patience import Patience
from crucible_workers.models.router import RouterModel
from model_requests import CHAT, RAW, samples
from model_server import ModelServer, Ollama, OpenAi, Reply

QUICK = Patience(retries=1, sleep=lambda _seconds: None)

GOOD = "```python\ndef f(a):\n    return a\n```"
SILENT = "I do not know."


def half(prompt: str, seed: int) -> str:
    """Every second sample has no code."""
    del prompt
    return GOOD if seed % 2 else SILENT


def large(prompt: str, seed: int) -> str:
    del prompt
    return f"{GOOD}\nThis was number {seed}."


@pytest.fixture
def small_server() -> Iterator[ModelServer]:
    with ModelServer(OpenAi(half, ("small",))) as server:
        yield server


@pytest.fixture
def large_server() -> Iterator[ModelServer]:
    with ModelServer(Ollama(large, ("large:1b",), template="{{ .Messages }}")) as server:
        yield server


@pytest.fixture
def router(small_server: ModelServer, large_server: ModelServer) -> Router:
    fast = Member("fast", f"openai:{small_server.url}/v1#small")
    quality = Member("quality", f"ollama:{large_server.url}#large:1b")
    return Router("hybrid", Policy.CASCADE, (fast, quality), READ_SIGNALS)


def opened(router: Router) -> RouterModel:
    model = open_model(router.spec, None, QUICK)
    assert isinstance(model, RouterModel)
    return model


def sample(router: Router, *indices: int) -> tuple[Completion, ...]:
    model = opened(router)
    try:
        return model.sample(samples(*indices, prompt=CHAT))
    finally:
        model.close()


def answered(found: Sequence[Completion]) -> list[list[int]]:
    """Which members were drawn from, completion by completion."""
    return [[draw.member for draw in one.draws] for one in found]


def test_a_cascade_asks_the_next_member_for_what_shows_a_signal(router: Router) -> None:
    found = sample(router, 0, 1, 2, 3)
    assert answered(found) == [[0], [0, 1], [0], [0, 1]]
    assert [one.text for one in found[:2]] == [GOOD, f"{GOOD}\nThis was number 4712."]
    turned_down, kept = found[1].draws
    assert (turned_down.text, turned_down.signals) == (SILENT, ("no_code",))
    assert (kept.text, kept.signals) == (None, ())
    assert found[1].prompt_tokens == 20
    assert found[1].seconds == pytest.approx((turned_down.seconds or 0) + (kept.seconds or 0))


def test_each_draw_is_what_its_member_alone_would_have_answered(router: Router) -> None:
    found = sample(router, *range(4))
    for place, member in enumerate(router.members):
        alone = open_model(member.spec, None, QUICK)
        texts = {one.index: one.text for one in alone.sample(samples(*range(4), prompt=CHAT))}
        alone.close()
        drawn = {
            one.index: one.text if draw.text is None else draw.text
            for one in found
            for draw in one.draws
            if draw.member == place
        }
        assert drawn.items() <= texts.items()
        assert place or drawn == texts


def test_fixed_policies_ask_one_member_whatever_it_says(
    router: Router, small_server: ModelServer
) -> None:
    fast = sample(replace(router, policy=Policy.FAST), 0, 1)
    assert answered(fast) == [[0], [0]]
    small_server.requests.clear()
    assert answered(sample(replace(router, policy=Policy.QUALITY), 0, 1)) == [[1], [1]]
    assert small_server.sampled == []


def test_the_last_answer_stands_whatever_it_looks_like(router: Router) -> None:
    reverse = replace(router, members=router.members[::-1], escalate_on=(Signal.TRUNCATED,))
    assert answered(sample(reverse, 1)) == [[0]]
    found = sample(replace(router, max_draws=1), 1)
    assert answered(found) == [[0]]
    assert (found[0].text, found[0].draws[0].signals) == (SILENT, ())


def test_an_answer_is_cut_at_its_stop_words_before_anybody_looks_at_it(
    router: Router, small_server: ModelServer
) -> None:
    small_server.behaviour = OpenAi(lambda *_: "a = 1\n\nclass (:\n", ("small",))
    base = replace(
        router,
        members=tuple(replace(one, spec=f"{one.spec}?style=base") for one in router.members),
    )
    model = opened(base)
    (found,) = model.sample(samples(0, prompt=RAW))
    model.close()
    assert [draw.member for draw in found.draws] == [0]
    assert (found.text, found.finish) == ("a = 1\n", Finish.STOP)


def test_a_failure_is_nobody_elses_answer(router: Router, small_server: ModelServer) -> None:
    model = opened(router)
    refuses = Reply({"error": {"message": "no", "code": 400}}, 400)
    small_server.behaviour = OpenAi(half, ("small",), faults=deque([refuses]))
    with pytest.raises(RequestRefused):
        model.sample(samples(0, prompt=CHAT))
    model.close()


def test_where_it_may_fall_back_the_next_member_answers(
    router: Router, small_server: ModelServer
) -> None:
    frozen = frozen_of(replace(router, policy=Policy.FALLBACK, falls_back=True))
    model = opened(frozen)
    assert answered(model.sample(samples(0, prompt=CHAT))) == [[0]]
    small_server.stop()
    for _ in range(FAILURES):
        assert answered(model.sample(samples(0, prompt=CHAT))) == [[1]]
    # known to be away, so nobody looks whether it is back already
    port = int(small_server.url.rpartition(":")[2])
    with ModelServer(OpenAi(half, ("small",)), port) as back:
        assert answered(model.sample(samples(0, prompt=CHAT))) == [[1]]
        assert back.requests == []
        BREAKERS.answered(frozen.members[0].spec)
        assert answered(model.sample(samples(0, prompt=CHAT))) == [[0]]
    assert model.identity().spec == frozen.spec
    model.close()
    again = opened(frozen)
    assert answered(again.sample(samples(0, prompt=CHAT))) == [[1]]
    again.close()


def test_the_answer_that_is_there_stands_when_the_next_member_is_gone(
    router: Router, large_server: ModelServer
) -> None:
    model = opened(replace(router, falls_back=True))
    large_server.stop()
    (found,) = model.sample(samples(1, prompt=CHAT))
    assert (found.text, answered([found])) == (SILENT, [[0]])
    model.close()


def test_when_nobody_answers_the_failure_is_told(
    router: Router, small_server: ModelServer, large_server: ModelServer
) -> None:
    model = opened(replace(router, falls_back=True))
    small_server.stop()
    large_server.stop()
    with pytest.raises(EndpointDown):
        model.sample(samples(0, prompt=CHAT))
    model.close()


def test_a_frozen_router_asks_the_same_weights_or_nobody(
    router: Router, large_server: ModelServer
) -> None:
    frozen = frozen_of(router)
    other = {"digest": "f" * 64}
    large_server.behaviour = Ollama(large, ("large:1b",), "{{ .Messages }}", extra=other)
    with pytest.raises(RequestRefused, match=r"#large:1b is not what it was"):
        opened(frozen)


def frozen_of(router: Router) -> Router:
    model = opened(router)
    model.close()
    frozen = router_in(model.identity().spec)
    assert frozen is not None
    assert frozen.is_frozen
    return frozen


def test_members_of_two_styles_are_refused_before_anything_is_sampled(
    router: Router, small_server: ModelServer
) -> None:
    mixed = replace(router.members[1], spec=f"{router.members[1].spec}?style=base")
    with pytest.raises(InvalidInput, match="prompted differently"):
        opened(replace(router, members=(router.members[0], mixed)))
    assert small_server.sampled == []


def test_a_member_that_does_not_exist_is_told_when_it_is_opened(router: Router) -> None:
    nobody = replace(router.members[0], spec=router.members[0].spec.replace("#small", "#smaller"))
    with pytest.raises(ModelError, match="smaller"):
        opened(replace(router, members=(nobody, router.members[1])))
