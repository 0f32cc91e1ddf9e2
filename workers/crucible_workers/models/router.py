"""A router as a model: samples from its members as its policy says, and keeps every draw.

What may be asked, and when an answer stands, is decided in `crucible_tasks.router`. Here members
are opened, drawn from, and looked at. All indices of a call go through the members together, so
that a member which draws n at once still does.

Members are what they were when the router was frozen, or nothing is sampled. Where it falls back,
members are given up quickly, those that cannot be reached are left alone for a while (`breaker`),
and only when none answers is the last one's error raised.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from crucible_infra import log
from crucible_infra.errors import EndpointDown, InvalidInput, ModelError, RequestRefused
from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.completion import Completion, Draw
from crucible_tasks.generation import ModelIdentity
from crucible_tasks.router import Member, Router, Signal, freeze, identity_of
from crucible_tasks.visible_signals import Seen, see, visible
from crucible_workers.models.breaker import BREAKERS
from crucible_workers.models.energy import measured
from crucible_workers.models.interface import Model, SampleRequest
from crucible_workers.models.patience import Patience
from crucible_workers.models.sampled import cut_at_stop

#: what opens the model of a spec; takes the dataset's digest and the patience
Opener = Callable[[str, str | None, Patience], Model]

#: the programs of a visible challenge that fail an example it shows
Judge = Callable[[Challenge, Sequence[str]], frozenset[str]]


class RouterModel(Model):
    """Several models under one name. Beside what a Model raises, sampling raises SandboxError."""

    def __init__(
        self,
        router: Router,
        members: Sequence[_Member],
        challenge_of: Callable[[str], Challenge],
        judge: Judge,
    ) -> None:
        self._router = router
        self._members = members
        self._challenge_of = challenge_of
        self._judge = judge

    def identity(self) -> ModelIdentity:
        """The router, by everything it says."""
        return identity_of(self._router)

    @property
    def samples_per_call(self) -> int:
        """As many as the member that is asked first draws in one call."""
        return self._members[self._router.order[0]].samples_per_call

    def sample(self, request: SampleRequest) -> tuple[Completion, ...]:
        """One pass through the router for each index."""
        passes = {index: _Pass() for index in request.indices}
        failure: ModelError | None = None
        for place in self._router.order:
            waiting = tuple(index for index, one in passes.items() if not one.is_over)
            if not waiting:
                break
            try:
                found = self._members[place].sample(replace(request, indices=waiting))
            except ModelError as error:
                if not self._router.falls_back:
                    raise
                log.info("member_passed_over", member=place, problem=error.message)
                failure = error
                continue
            self._take(request, place, found, passes)
        if any(not one.draws for one in passes.values()):
            assert failure is not None
            raise failure
        return tuple(passes[index].completion for index in request.indices)

    def close(self) -> None:
        """Close the members."""
        for member in self._members:
            member.close()

    def _take(
        self,
        request: SampleRequest,
        place: int,
        found: Sequence[Completion],
        passes: dict[int, _Pass],
    ) -> None:
        """Let each pass have its draw, and end where the answer stands."""
        cut = [cut_at_stop(one, request.prompt.stop) for one in found]
        # all that wait have drawn equally often
        draws = len(passes[cut[0].index].draws) + 1
        is_open = self._router.is_open(draws)
        signals = self._signals(request.task_id, cut) if is_open else [frozenset()] * len(cut)
        for one, seen in zip(cut, signals, strict=True):
            passes[one.index].draw(place, one, sorted(seen.intersection(self._router.escalate_on)))
            passes[one.index].is_over = self._router.accepts(draws, seen)

    def _signals(self, task_id: str, found: Sequence[Completion]) -> list[frozenset[Signal]]:
        challenge = self._challenge_of(task_id)
        seen = [see(one, challenge) for one in found]
        if Signal.EXAMPLE_FAILED not in self._router.escalate_on:
            return [one.signals for one in seen]
        # what is turned down anyway need not be run
        programs = [one.program for one in seen if one.program and not self._is_bad(one)]
        failed = self._judge(challenge, programs)
        extra = frozenset({Signal.EXAMPLE_FAILED})
        return [one.signals | extra if one.program in failed else one.signals for one in seen]

    def _is_bad(self, seen: Seen) -> bool:
        return bool(seen.signals.intersection(self._router.escalate_on))


class _Pass:
    """One sample on its way through the router."""

    def __init__(self) -> None:
        self.draws: list[Draw] = []
        self.is_over = False
        self._last: Completion | None = None

    def draw(self, place: int, found: Completion, signals: Sequence[str]) -> None:
        """Note an answer; the one before it was turned down and keeps its text."""
        if self._last is not None:
            self.draws[-1] = replace(self.draws[-1], text=self._last.text)
        self._last = found
        self.draws.append(
            Draw(
                member=place,
                form=found.form,
                text=None,
                finish=found.finish,
                prompt_tokens=found.prompt_tokens,
                completion_tokens=found.completion_tokens,
                seconds=found.seconds,
                signals=tuple(signals),
                joules=found.joules,
            )
        )

    @property
    def completion(self) -> Completion:
        """The last answer, at the cost of all."""
        assert self._last is not None
        return replace(
            self._last,
            prompt_tokens=_sum(one.prompt_tokens for one in self.draws),
            completion_tokens=_sum(one.completion_tokens for one in self.draws),
            seconds=_total([one.seconds for one in self.draws]),
            draws=tuple(self.draws),
            joules=_total([one.joules for one in self.draws]),
        )


class _Member:
    """A member, opened when it is wanted, and again after it was away."""

    def __init__(self, member: Member, opener: Callable[[], Model], *, falls_back: bool) -> None:
        self.member = member
        self._open = opener
        self._falls_back = falls_back
        self._lock = threading.Lock()
        self._model: Model | None = None
        #: others may still be at work on them
        self._retired: list[Model] = []

    @property
    def samples_per_call(self) -> int:
        """One, as long as nobody answers."""
        return 1 if self._model is None else self._model.samples_per_call

    def opened(self) -> Model:
        """The model, which is the one that was frozen. Raises what opening raises."""
        with self._lock:
            if self._model is None:
                self._model = self._same(self._open())
            return self._model

    def sample(self, request: SampleRequest) -> tuple[Completion, ...]:
        """Every index, with the time each took as far as that can be told."""
        spec = self.member.spec
        if self._falls_back and not BREAKERS.may_ask(spec):
            raise EndpointDown(f"{spec} did not answer lately and is left alone for a while")
        started = time.monotonic()
        try:
            found = measured(self.opened(), request)
        except EndpointDown:
            BREAKERS.failed(spec)
            self._forget()
            raise
        BREAKERS.answered(spec)
        each = round((time.monotonic() - started) / len(found), 3)
        # those that came in one answer share its time
        return tuple(replace(one, seconds=one.seconds or each) for one in found)

    def close(self) -> None:
        """Close what is open."""
        self._forget()
        for model in self._retired:
            model.close()

    def _same(self, model: Model) -> Model:
        frozen, found = self.member.digest, model.identity().digest
        if frozen in (None, found):
            return model
        model.close()
        raise RequestRefused(
            f"{self.member.spec} is not what it was when this router was frozen: {found[:8]} "
            f"instead of {(frozen or '')[:8]}",
            hint="plan a new run; a run asks the same weights from beginning to end",
        )

    def _forget(self) -> None:
        """What comes back may be another server, or other weights."""
        with self._lock:
            if self._model is not None:
                self._retired.append(self._model)
                self._model = None


def open_router(
    router: Router, dataset: str | None, patience: Patience, opener: Opener
) -> RouterModel:
    """Open a router's members; one that is not frozen is frozen as they are now.

    Raises what opening a member raises, and SandboxUnavailable where examples are to be judged on
    a host that cannot. Where it falls back, one member that answers is enough.
    """
    if router.falls_back:
        # somebody else may answer at once
        patience = replace(patience, outage=0.0, retries=min(patience.retries, 1))
    members = [
        _Member(one, _opening(opener, one.spec, dataset, patience), falls_back=router.falls_back)
        for one in router.members
    ]
    try:
        _open_all(members, is_one_enough=router.falls_back and router.is_frozen)
        if not router.is_frozen:
            router = freeze(router, [one.opened().identity() for one in members])
        judge = _judge_for(router)
    except BaseException:
        for member in members:
            member.close()
        raise
    return RouterModel(router, members, _challenges(dataset), judge)


def _opening(
    opener: Opener, spec: str, dataset: str | None, patience: Patience
) -> Callable[[], Model]:
    return lambda: opener(spec, dataset, patience)


def _open_all(members: Sequence[_Member], *, is_one_enough: bool) -> None:
    failures: list[ModelError] = []
    for member in members:
        try:
            member.opened()
        except ModelError as error:
            failures.append(error)
    if failures and (not is_one_enough or len(failures) == len(members)):
        raise failures[0]


def _judge_for(router: Router) -> Judge:
    if Signal.EXAMPLE_FAILED not in router.escalate_on or not router.is_open(1):
        return lambda _challenge, _programs: frozenset()
    # it brings the sandbox and Celery, which a conversation does without
    from crucible_workers.example_check import check_sandbox, failing  # noqa: PLC0415

    check_sandbox(router.label)
    return failing


def _challenges(dataset: str | None) -> Callable[[str], Challenge]:
    """What is known of a challenge to whoever answers it; nothing without a dataset."""

    def find(task_id: str) -> Challenge:
        if dataset is None:
            return _unknown(task_id)
        from crucible_workers.datasets import load_dataset  # noqa: PLC0415 -- needs the store

        try:
            return visible(load_dataset(dataset).by_id(task_id))
        except InvalidInput as error:
            raise RequestRefused(error.message, hint=error.hint) from error

    return find


def _unknown(task_id: str) -> Challenge:
    return Challenge(task_id, Language.PYTHON, "", None, ScriptTests(""), prompt_is_code=False)


def _sum(counts: Iterator[int | None]) -> int | None:
    """The sum; nothing where one of them was not told."""
    known = list(counts)
    return None if None in known else sum(one for one in known if one is not None)


def _total(seconds: Sequence[float | None]) -> float | None:
    return None if None in seconds else round(sum(one for one in seconds if one is not None), 3)
