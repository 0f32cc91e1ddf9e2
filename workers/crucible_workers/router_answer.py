"""Implements answering for routers: a question goes to the members, one answer comes out.

A member that fails before it said anything is replaced without a word that would have to be taken
back. One that fails later, and one whose whole answer shows a signal of a cascade, has been read:
the next member begins from nothing, and `Restarted` says so. Where the next one fails too before it
said anything, the whole answer that is there stands.

Whatever the policy's `falls_back` says to benchmarks, cascade and fallback fall back here: a person
wants an answer, and is told whose it is. Members are opened when it is their turn, and those known
to be away are asked last. A conversation runs nothing: of a cascade's signals, `example_failed` is
for benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from crucible_infra.errors import EndpointDown, ModelError
from crucible_tasks.answering import (
    AnswerEnd,
    Answerer,
    AnswerEvent,
    AnswerRequest,
    Piece,
    Restarted,
)
from crucible_tasks.answering import open_answerer as open_member
from crucible_tasks.built_in_router import asked_for
from crucible_tasks.conversation_signals import conversation_signals
from crucible_tasks.generation import ModelIdentity
from crucible_tasks.model_spec import parse
from crucible_tasks.named_router import named_router
from crucible_tasks.router import SERVER, Policy, Router, Signal, describe, restyled
from crucible_workers.models.breaker import BREAKERS

#: policies whose members answer for each other
_FALLING_BACK = (Policy.CASCADE, Policy.FALLBACK)


def open_answerer(spec: str) -> Answerer:
    """The router that a spec spells out or a name means; its members are opened when asked.

    Raises InvalidInput for a router that means nothing, ModelNotFound for `hybrid` where fewer than
    two servers answer.
    """
    wanted = parse(spec)
    router = named_router(wanted)
    if router is None:
        router = _built_in()
        router = router if wanted.style is None else restyled(router, wanted.style)
    return RouterAnswerer(router, spec)


class RouterAnswerer:
    """The members of a router, of which one answers."""

    def __init__(
        self, router: Router, spec: str, opener: Callable[[str], Answerer] = open_member
    ) -> None:
        falls_back = router.falls_back or router.policy in _FALLING_BACK
        self._router = replace(router, falls_back=falls_back)
        #: as it was asked for
        self._spec = spec
        self._opener = opener
        self._open: dict[int, Answerer] = {}

    def identity(self) -> ModelIdentity:
        """The router; each answer's end names who answered."""
        router = self._router
        return ModelIdentity(
            spec=self._spec,
            name=router.name,
            server=SERVER,
            digest=router.digest,
            style=router.style or "chat",
            details={"router": describe(router)},
        )

    def answer(self, request: AnswerRequest) -> Iterator[AnswerEvent]:
        """What the members say, until an answer stands."""
        screen = _Screen()
        failure: ModelError | None = None
        draws = 0
        for place in self._turns():
            spec = self._router.members[place].spec
            try:
                with closing(self._said(place, request)) as events:
                    yield from screen.told(events, spec)
            except ModelError as error:
                failure = error
                self._note(place, error)
                screen.broke_off(spec)
                continue
            BREAKERS.answered(spec)
            draws += 1
            seen = screen.signals(request)
            if self._router.accepts(draws, seen):
                break
            shown = ", ".join(sorted(seen.intersection(self._router.escalate_on)))
            screen.void = f"the answer of {spec} shows: {shown.replace('_', ' ')}"
        if screen.end is None:
            assert failure is not None
            raise failure
        yield from screen.settled()

    def close(self) -> None:
        """Let go of every member."""
        for one in self._open.values():
            one.close()
        self._open.clear()

    def _turns(self) -> list[int]:
        """Whose turn it is; who was away lately comes last, because nobody else may be there."""
        order = self._router.order
        if not self._router.falls_back:
            return list(order)
        rests = {place: not BREAKERS.may_ask(self._router.members[place].spec) for place in order}
        return sorted(order, key=lambda place: rests[place])

    def _said(self, place: int, request: AnswerRequest) -> Generator[AnswerEvent, None, None]:
        if place not in self._open:
            self._open[place] = self._opener(self._router.members[place].spec)
        yield from self._open[place].answer(request)

    def _note(self, place: int, error: ModelError) -> None:
        if not isinstance(error, EndpointDown):
            return
        BREAKERS.failed(self._router.members[place].spec)
        # what comes back may be another server
        gone = self._open.pop(place, None)
        if gone is not None:
            gone.close()


@dataclass(slots=True)
class _Screen:
    """What the user sees of an answer on its way through the members."""

    #: why what is seen will not stand; None while nothing has to be taken back
    void: str | None = None
    #: the last answer that came whole
    text: str = ""
    end: AnswerEnd | None = None
    #: whether that is what is seen, or a part of a later one
    is_whole: bool = False
    is_part: bool = False

    def signals(self, request: AnswerRequest) -> frozenset[Signal]:
        """What the whole answer shows."""
        assert self.end is not None
        finish = self.end.finish
        return conversation_signals(self.text, finish, wants_code=request.wants_code)

    def told(self, events: Iterator[AnswerEvent], spec: str) -> Iterator[AnswerEvent]:
        """One member's answer but for its end, behind a word about what it replaces."""
        pieces: list[str] = []
        for event in events:
            if self.void is not None:
                yield Restarted(f"{self.void}; {spec} answers now, from the beginning")
                self.void = None
            if isinstance(event, AnswerEnd):
                self.text, self.end = "".join(pieces), event
                self.is_whole, self.is_part = True, False
                return
            self.is_whole, self.is_part = False, True
            if isinstance(event, Piece) and not event.is_reasoning:
                pieces.append(event.text)
            yield event

    def broke_off(self, spec: str) -> None:
        """A member failed; what it said before has been read."""
        if self.is_part:
            self.void, self.is_part = f"{spec} broke off", False

    def settled(self) -> Iterator[AnswerEvent]:
        """The end of what stands; shown again where somebody began anew behind it and failed."""
        assert self.end is not None
        if not self.is_whole:
            yield Restarted(f"{self.void}; what {self.end.model.spec} had answered stands")
            yield Piece(self.text)
        yield self.end


def _built_in() -> Router:
    from crucible_workers.models.discovery import discover  # noqa: PLC0415 -- it loads HTTP

    return asked_for([spec for endpoint in discover() for spec in endpoint.specs])
