"""A router: a named, versioned policy over models, and its decisions as pure functions.

One request goes through the router's members in their order, by its policy:

fast, quality   the member of that role answers.
fallback        the first member answers.
cascade         the first member answers; the next is asked when the answer shows one of the
                signals of `escalate_on`, until `max_draws` have been asked. The last one's answer
                stands, whatever it looks like, and is not looked at.

`falls_back` says what a member that fails means, whatever the policy: its turn passes to the next.
Without it a failure is a failure: of a run that measures, no member silently stands in for another.

What a decision may depend on
    The request, the router and the answer, and nothing else: no clock, no load, no history, no
    tests. Signals are what the user can see as well: no code, a syntax error, an answer cut by the
    token limit, an example of the problem that fails. "Escalate when a hidden test fails" is
    pass@2 under the name of pass@1; it exists only as a bound, computed afterwards.

One pass through the router is one sample
    Sample i asks each member with the seed that the member alone would use for its sample i, and
    each member at most once. So the draws of a cascade's first member are a whole run of that
    member alone, and what later members were asked is a part of theirs.

Frozen
    For a run, members are named by the digests of their weights and settings. The whole of it
    travels in the spec, `router:{…}`, because workers know nobody's configuration. Its label,
    `hybrid@1f0c9a2b`, names it beside numbers: any change makes another router.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

import msgspec

from crucible_infra.configured_models import RouterEntry
from crucible_infra.errors import InvalidInput, InvalidModelSpec
from crucible_tasks.decoding import decoder
from crucible_tasks.generation import ModelIdentity
from crucible_tasks.model_spec import ModelKind, parse

Word = TypeVar("Word", bound=StrEnum)

#: changes whenever the same router could decide otherwise
RULES = "router/1"

#: what a router's answers are said to come from
SERVER = "router"

#: the name of the router that needs no configuration
BUILT_IN = "hybrid"

#: hexadecimal digits of the digest in a label
_DIGITS = 8

#: members; each is one more answer a request may cost
_MOST_MEMBERS = 8

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Policy(StrEnum):
    """How a router chooses."""

    FALLBACK = "fallback"
    FAST = "fast"
    QUALITY = "quality"
    CASCADE = "cascade"


class Signal(StrEnum):
    """What a user can see is wrong with an answer."""

    NO_CODE = "no_code"
    SYNTAX_ERROR = "syntax_error"
    TRUNCATED = "truncated"
    EXAMPLE_FAILED = "example_failed"


#: told by the text alone, so they need no sandbox
READ_SIGNALS = (Signal.NO_CODE, Signal.SYNTAX_ERROR, Signal.TRUNCATED)


@dataclass(frozen=True, slots=True)
class Member:
    """One of a router's models."""

    #: what it is called beside numbers; `fast` and `quality` are what those policies look for
    role: str
    spec: str
    #: of its weights and settings; None where whatever answers will do
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Router:
    """One router; `checked` has seen it."""

    name: str
    policy: Policy
    members: tuple[Member, ...]
    escalate_on: tuple[Signal, ...] = ()
    #: how many members one request may ask at most
    max_draws: int = _MOST_MEMBERS
    #: whether a member that fails passes its turn on
    falls_back: bool = False
    #: how all members are prompted; None until it is frozen
    style: str | None = None
    #: what must be said wherever its scores are shown
    caution: str | None = None
    rules: str = RULES

    @property
    def spec(self) -> str:
        """What says everything, and can be used as `--model`."""
        return f"{ModelKind.ROUTER}:{msgspec.json.encode(self).decode()}"

    @property
    def digest(self) -> str:
        """Of everything it says, its members' digests included."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()

    @property
    def label(self) -> str:
        """What it is called beside numbers, like `hybrid@1f0c9a2b`."""
        return f"{self.name}@{self.digest[:_DIGITS]}"

    @property
    def is_frozen(self) -> bool:
        """Whether it names the weights of each member."""
        return self.style is not None and all(one.digest is not None for one in self.members)

    @property
    def order(self) -> tuple[int, ...]:
        """The members one request may come to, by their places, in the order they are asked."""
        places = list(range(len(self.members)))
        if self.policy in (Policy.FAST, Policy.QUALITY):
            chosen = next(place for place in places if self.members[place].role == self.policy)
            places = [chosen, *(place for place in places if place != chosen)]
        return tuple(places if self.falls_back else places[: self.most_draws])

    @property
    def most_draws(self) -> int:
        """How many answers one request can cost."""
        return min(self.max_draws, len(self.members)) if self.policy is Policy.CASCADE else 1

    def is_open(self, draws: int) -> bool:
        """Whether the answer that is draw number `draws` can still be turned down."""
        return draws < self.most_draws and bool(self.escalate_on)

    def accepts(self, draws: int, seen: Collection[Signal]) -> bool:
        """Whether the answer that is draw number `draws` stands, given what is seen of it."""
        return not self.is_open(draws) or not set(self.escalate_on).intersection(seen)

    def member(self, text: str) -> Member | None:
        """The member that a user means, by its role, its spec or the name in its spec."""
        for one in self.members:
            if text in (one.role, one.spec, parse(one.spec).name):
                return one
        return None


def router_of(name: str, entry: RouterEntry) -> Router:
    """The router that a configuration describes. Raises InvalidInput naming it."""
    with_default = entry.escalate_on or (READ_SIGNALS if entry.policy == Policy.CASCADE else ())
    return checked(
        Router(
            name=name,
            policy=_word(name, "policy", Policy, entry.policy),
            members=tuple(Member(one.role, one.spec) for one in entry.members),
            escalate_on=tuple(_word(name, "escalate_on", Signal, one) for one in with_default),
            max_draws=entry.max_draws,
        )
    )


def checked(router: Router) -> Router:
    """The router, if it means something. Raises InvalidInput."""
    name, roles = router.name, [one.role for one in router.members]
    if not _NAME.fullmatch(name):
        raise _refused(repr(name), "a router's name is of letters, digits, dots, dashes", None)
    if not 1 <= len(roles) <= _MOST_MEMBERS:
        raise _refused(name, f"it has {len(roles)} members", f"name 1 to {_MOST_MEMBERS}")
    if len(set(roles)) < len(roles):
        raise _refused(name, "two members have one role", "give each a role of its own")
    specs = [str(parse(one.spec)) for one in router.members]
    if len(set(specs)) < len(specs):
        raise _refused(
            name, "one model is a member twice", "it would give the same answer to the same seed"
        )
    if any(parse(spec).kind in (ModelKind.ROUTER, ModelKind.REFERENCE) for spec in specs):
        problem = "a member is a model: neither another router nor the dataset's own solutions"
        raise _refused(name, problem, "name the models themselves")
    if router.policy in (Policy.FAST, Policy.QUALITY) and router.policy not in roles:
        hint = f'give one member the role "{router.policy}"'
        raise _refused(name, f"policy {router.policy}, but no member of that role", hint)
    if router.policy is Policy.CASCADE and len(roles) < 2:
        raise _refused(name, "a cascade of one member", "name two, or use policy fallback")
    if router.max_draws < 1:
        raise _refused(name, f"max_draws is {router.max_draws}", "let it be at least 1")
    return router


def read_router(text: str) -> Router:
    """The router behind `router:` in a spec. Raises InvalidModelSpec."""
    try:
        router = decoder(Router).decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        hint = "give a router a name in the configuration, and write that name"
        raise InvalidModelSpec(f"router: what follows is no router ({error})", hint=hint) from error
    if router.rules != RULES:
        raise InvalidModelSpec(
            f"{router.name} decides by {router.rules}, this version by {RULES}",
            hint="use the version that planned it, or plan a new run",
        )
    return checked(router)


def router_in(spec: str) -> Router | None:
    """The router that a spec carries; None for the spec of a model."""
    return read_router(parse(spec).name) if spec.startswith(f"{ModelKind.ROUTER}:") else None


def shown(spec: str) -> str:
    """A spec as tables show it: a router by its label."""
    router = router_in(spec)
    return spec if router is None else router.label


def restyled(router: Router, style: str) -> Router:
    """The same router with every member prompted in this style."""
    members = tuple(
        replace(one, spec=str(replace(parse(one.spec), style=style)), digest=None)
        for one in router.members
    )
    return replace(router, members=members, style=None)


def freeze(router: Router, identities: Sequence[ModelIdentity]) -> Router:
    """The router with its members as they are now; they come in its order.

    Raises InvalidInput for members of different styles: a challenge has one prompt.
    """
    styles = {one.style for one in identities}
    if len(styles) > 1:
        found = ", ".join(f"{one.spec} ({one.style})" for one in identities)
        hint = "--style chat, or ?style=chat behind a member's name"
        raise _refused(router.name, f"its members are prompted differently: {found}", hint)
    members = tuple(
        Member(member.role, one.spec, one.digest)
        for member, one in zip(router.members, identities, strict=True)
    )
    cautions = dict.fromkeys(one.caution for one in identities if one.caution is not None)
    caution = "; ".join(cautions) or None
    frozen = replace(router, members=members, style=styles.pop(), caution=caution)
    # two names may turn out to be one model
    return checked(frozen)


def identity_of(router: Router) -> ModelIdentity:
    """Who answers, of a frozen router: a matter of the router alone."""
    assert router.style is not None
    members = {
        f"member {one.role}": f"{one.spec} {(one.digest or '')[:_DIGITS]}" for one in router.members
    }
    return ModelIdentity(
        spec=router.spec,
        name=router.label,
        server=SERVER,
        digest=router.digest,
        style=router.style,
        caution=router.caution,
        details={"policy": str(router.policy), **members},
    )


def describe(router: Router) -> str:
    """One line for people: the policy, and who answers when."""
    names = [f"{one.role} {one.spec}" for one in router.members]
    if router.policy is Policy.CASCADE:
        signals = ", ".join(router.escalate_on) or "nothing"
        return f"{router.policy}: {', then '.join(names)} on {signals}"
    return f"{router.policy}: {', '.join(names)}"


def _refused(name: str, problem: str, hint: str | None) -> InvalidInput:
    return InvalidInput(f"router {name}: {problem}", hint=hint)


def _word(name: str, key: str, kind: type[Word], text: str) -> Word:
    try:
        return kind(text)
    except ValueError:
        hint = f"it is one of {', '.join(kind)}"
        raise _refused(name, f"{key}: there is no {text!r}", hint) from None
