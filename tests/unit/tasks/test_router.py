"""A router decides by the request, its configuration and what is seen; nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible_infra.configured_models import RouterEntry, RouterMember
from crucible_infra.errors import InvalidInput, InvalidModelSpec
from crucible_tasks.generation import ModelIdentity
from crucible_tasks.model_spec import parse
from crucible_tasks.router import (
    READ_SIGNALS,
    Member,
    Policy,
    Router,
    Signal,
    checked,
    freeze,
    identity_of,
    read_router,
    restyled,
    router_in,
    router_of,
    shown,
)

ROLES = ("fast", "quality", "third", "fourth")

SIGNALS = st.frozensets(st.sampled_from(Signal))


@st.composite
def routers(draw: st.DrawFn) -> Router:
    """Any router that means something."""
    count = draw(st.integers(2, len(ROLES)))
    names = draw(
        st.lists(
            st.from_regex(r"[a-z0-9é]{1,8}", fullmatch=True),
            unique=True,
            min_size=count,
            max_size=count,
        )
    )
    members = tuple(
        Member(role, f"ollama:{name}") for role, name in zip(ROLES, names, strict=False)
    )
    return checked(
        Router(
            name=draw(st.from_regex(r"[a-z.-]{1,10}", fullmatch=True)),
            policy=draw(st.sampled_from(Policy)),
            members=members,
            escalate_on=tuple(draw(SIGNALS)),
            max_draws=draw(st.integers(1, 6)),
            falls_back=draw(st.booleans()),
        )
    )


def identities(router: Router, style: str = "chat") -> list[ModelIdentity]:
    return [
        ModelIdentity(one.spec, one.spec, "ollama 0.5", f"{place:064x}", style)
        for place, one in enumerate(router.members)
    ]


def pair(policy: Policy = Policy.CASCADE, **rest: object) -> Router:
    members = (Member("fast", "ollama:small"), Member("quality", "ollama:large"))
    return replace(Router("hybrid", policy, members, READ_SIGNALS), **rest)  # type: ignore[arg-type]


@given(routers(), st.integers(1, 6), SIGNALS)
def test_an_answer_is_turned_down_only_by_a_cascade_for_a_signal_it_names(
    router: Router, draws: int, seen: frozenset[Signal]
) -> None:
    is_turned_down = not router.accepts(draws, seen)
    assert is_turned_down == (
        router.policy is Policy.CASCADE
        and draws < min(router.max_draws, len(router.members))
        and bool(seen & set(router.escalate_on))
    )


@given(routers())
def test_each_member_is_asked_at_most_once_and_no_more_of_them_than_draws(router: Router) -> None:
    order = router.order
    assert len(set(order)) == len(order)
    assert set(order) <= set(range(len(router.members)))
    if router.falls_back:
        assert len(order) == len(router.members)
    else:
        assert len(order) == router.most_draws
    if router.policy in (Policy.FAST, Policy.QUALITY):
        assert router.members[order[0]].role == router.policy


@given(routers())
def test_a_spec_carries_all_of_a_router(router: Router) -> None:
    frozen = freeze(router, identities(router))
    for one in (router, frozen):
        assert str(parse(one.spec)) == one.spec
        assert router_in(one.spec) == one
    assert frozen.is_frozen
    assert not router.is_frozen
    assert shown(frozen.spec) == frozen.label
    assert identity_of(frozen).spec == frozen.spec


@given(routers(), routers())
def test_two_routers_have_one_digest_only_if_they_are_the_same(a: Router, b: Router) -> None:
    assert (a.digest == b.digest) == (a == b)


def test_other_weights_make_another_router() -> None:
    before = freeze(pair(), identities(pair()))
    after = freeze(pair(), [replace(one, digest="f" * 64) for one in identities(pair())])
    assert before.label.startswith("hybrid@")
    assert before.label != after.label


def test_members_that_are_prompted_differently_cannot_be_one_model() -> None:
    chat, base = identities(pair())[0], identities(pair(), "base")[1]
    with pytest.raises(InvalidInput, match=r"ollama:large \(base\)") as caught:
        freeze(pair(), [chat, base])
    assert "--style" in str(caught.value.hint)
    assert [one.spec for one in restyled(pair(), "base").members] == [
        "ollama:small?style=base",
        "ollama:large?style=base",
    ]


def test_what_must_be_said_of_a_member_must_be_said_of_its_router() -> None:
    toy, real = identities(pair())
    frozen = freeze(pair(), [replace(toy, caution="toy model"), real])
    assert identity_of(frozen).caution == "toy model"


@pytest.mark.parametrize(
    ("router", "problem"),
    [
        (pair(name="two words"), "two words"),
        (pair(members=()), "0 members"),
        (pair(members=(Member("fast", "nano"),)), "a cascade of one"),
        (pair(members=(Member("x", "nano"), Member("x", "m"))), "one role"),
        (pair(members=(Member("a", "openai:h#m"), Member("b", "openai:http://h/v1#m"))), "twice"),
        (pair(members=(Member("a", pair().spec), Member("b", "nano"))), "another router"),
        (pair(members=(Member("a", "reference"), Member("b", "nano"))), "own solutions"),
        (pair(Policy.FAST, members=(Member("small", "nano"),)), "policy fast"),
        (pair(max_draws=0), "max_draws"),
    ],
)
def test_a_router_that_means_nothing_is_refused(router: Router, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        checked(router)


def test_a_configuration_is_read_with_its_words_checked() -> None:
    members = (RouterMember("fast", "ollama:small"), RouterMember("quality", "big"))
    router = router_of("mine", RouterEntry("cascade", members))
    assert router.escalate_on == READ_SIGNALS
    assert router.most_draws == 2
    assert router_of("mine", RouterEntry("fast", members)).escalate_on == ()
    with pytest.raises(InvalidInput, match="router mine: policy: there is no 'clever'"):
        router_of("mine", RouterEntry("clever", members))
    with pytest.raises(InvalidInput, match="escalate_on: there is no 'tests_failed'"):
        router_of("mine", RouterEntry("cascade", members, ("tests_failed",)))


@pytest.mark.parametrize("text", ["", "{}", "hybrid", '{"name":1}', "[" * 5000])
def test_what_is_no_router_is_told_in_a_line(text: str) -> None:
    with pytest.raises(InvalidModelSpec) as caught:
        read_router(text)
    assert "\n" not in caught.value.message


def test_a_router_of_other_rules_is_not_guessed_at() -> None:
    with pytest.raises(InvalidModelSpec, match="router/0"):
        router_in(pair(rules="router/0").spec)


def test_a_member_is_meant_by_role_spec_or_name() -> None:
    for text in ("quality", "ollama:large", "large"):
        assert pair().member(text) == pair().members[1]
    assert pair().member("larger") is None
