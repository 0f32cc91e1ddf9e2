"""A conversation through a router: who answers, and what is taken back from the reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import pytest

from crucible_infra import settings
from crucible_infra.configured_models import ModelEntry, RouterEntry, RouterMember
from crucible_infra.errors import (
    BrokenStream,
    EndpointUnreachable,
    ModelError,
    ModelNotFound,
)
from crucible_tasks.answering import (
    AnswerEnd,
    AnswerEvent,
    AnswerRequest,
    Piece,
    Restarted,
    open_answerer,
)
from crucible_tasks.completion import Finish
from crucible_tasks.generation import Message, ModelIdentity
from crucible_tasks.router import READ_SIGNALS, Member, Policy, Router
from crucible_tasks.sampling import Sampling
from crucible_workers.models.breaker import BREAKERS, FAILURES
from crucible_workers.router_answer import RouterAnswerer
from model_server import ModelServer, Ollama, OpenAi

ASKED = AnswerRequest((Message("user", "Write f."),), Sampling(), 1)

BROKEN = "```python\ndef f(:\n```"
GOOD = "```python\ndef f():\n    return 1\n```"


@dataclass
class Scripted:
    """Says some pieces, and then ends or fails."""

    spec: str
    pieces: tuple[str, ...] = (GOOD,)
    failure: ModelError | None = None
    finish: Finish = Finish.STOP
    asked: list[AnswerRequest] = field(default_factory=list)
    is_closed: bool = False

    def identity(self) -> ModelIdentity:
        return ModelIdentity(self.spec, self.spec, "scripted", "0" * 64, "chat")

    def answer(self, request: AnswerRequest) -> Iterator[AnswerEvent]:
        self.asked.append(request)
        yield from map(Piece, self.pieces)
        if self.failure is not None:
            raise self.failure
        yield AnswerEnd(self.identity(), self.finish, 1, 2, 0.1, 0.2)

    def close(self) -> None:
        self.is_closed = True


def answerer(policy: Policy, *members: Scripted) -> RouterAnswerer:
    by_spec = {one.spec: one for one in members}
    roles = zip(("fast", "quality", "third"), members, strict=False)
    named = tuple(Member(role, one.spec) for role, one in roles)
    router = Router("mine", policy, named, READ_SIGNALS if policy is Policy.CASCADE else ())
    return RouterAnswerer(router, "mine", by_spec.__getitem__)


def told(found: RouterAnswerer) -> list[str]:
    """What is heard: `who: text` at the end, and what was taken back before."""
    heard: list[str] = []
    for event in found.answer(ASKED):
        if isinstance(event, Piece):
            heard.append(event.text)
        elif isinstance(event, Restarted):
            heard.append(f"<{event.reason}>")
        else:
            heard.append(f"by {event.model.spec}")
    return heard


@pytest.fixture(autouse=True)
def _no_failures_of_earlier_tests() -> None:
    for spec in "abc":
        BREAKERS.answered(spec)


def test_an_answer_that_shows_nothing_stands() -> None:
    small, large = Scripted("a", ("wo", "rds")), Scripted("b")
    found = answerer(Policy.CASCADE, small, large)
    assert told(found) == ["wo", "rds", "by a"]
    assert large.asked == []
    assert found.identity().spec == "mine"
    found.close()
    assert small.is_closed
    assert not large.is_closed


@pytest.mark.parametrize(
    ("small", "why"),
    [
        (Scripted("a", (BROKEN,)), "syntax error"),
        (Scripted("a", ("much",), finish=Finish.LENGTH), "truncated"),
        (Scripted("a", ()), "no code"),
    ],
)
def test_a_cascade_takes_back_what_a_reader_sees_is_wrong(small: Scripted, why: str) -> None:
    found = answerer(Policy.CASCADE, small, Scripted("b"))
    void = f"<the answer of a shows: {why}; b answers now, from the beginning>"
    assert told(found) == [*small.pieces, void, GOOD, "by b"]


def test_the_last_answer_stands_whatever_it_shows() -> None:
    found = answerer(Policy.CASCADE, Scripted("a", (BROKEN,)), Scripted("b", (BROKEN,)))
    assert told(found)[-2:] == [BROKEN, "by b"]


def test_who_cannot_be_reached_is_replaced_before_a_word_is_said() -> None:
    away = Scripted("a", (), EndpointUnreachable("no answer"))
    found = answerer(Policy.FALLBACK, away, Scripted("b"))
    assert told(found) == [GOOD, "by b"]
    assert away.is_closed


def test_who_breaks_off_is_replaced_from_the_beginning() -> None:
    broken = Scripted("a", ("half an",), BrokenStream("gone"))
    found = answerer(Policy.FALLBACK, broken, Scripted("b"))
    assert told(found) == [
        "half an",
        "<a broke off; b answers now, from the beginning>",
        GOOD,
        "by b",
    ]


def test_a_whole_answer_stands_when_nobody_after_it_answers() -> None:
    away = Scripted("b", (), EndpointUnreachable("no answer"))
    found = answerer(Policy.CASCADE, Scripted("a", (BROKEN,)), away)
    assert told(found) == [BROKEN, "by a"]


def test_a_whole_answer_is_shown_again_when_the_one_after_it_breaks_off() -> None:
    broken = Scripted("b", ("half",), BrokenStream("gone"))
    found = answerer(Policy.CASCADE, Scripted("a", (BROKEN,)), broken)
    assert told(found)[1:] == [
        "<the answer of a shows: syntax error; b answers now, from the beginning>",
        "half",
        "<b broke off; what a had answered stands>",
        BROKEN,
        "by a",
    ]


def test_when_nobody_answers_the_last_failure_is_told() -> None:
    members = [Scripted(name, (), EndpointUnreachable(f"no answer from {name}")) for name in "ab"]
    with pytest.raises(EndpointUnreachable, match="from b"):
        told(answerer(Policy.FALLBACK, *members))


def test_a_member_that_was_chosen_by_its_role_is_not_replaced() -> None:
    away = Scripted("b", (), EndpointUnreachable("no answer"))
    with pytest.raises(EndpointUnreachable):
        told(answerer(Policy.QUALITY, Scripted("a"), away))


def test_who_was_away_lately_is_asked_last() -> None:
    away, other = Scripted("a", (), EndpointUnreachable("no answer")), Scripted("b")
    found = answerer(Policy.FALLBACK, away, other)
    for _ in range(FAILURES + 2):
        assert told(found)[-1] == "by b"
    assert len(away.asked) == FAILURES
    other.failure = EndpointUnreachable("gone too")
    other.pieces = ()
    away.failure, away.pieces = None, (GOOD,)
    assert told(found)[-1] == "by a"


def test_closing_the_answer_stops_the_member() -> None:
    events = answerer(Policy.CASCADE, Scripted("a", ("x", "y")), Scripted("b")).answer(ASKED)
    assert next(iter(events)) == Piece("x")
    events.close()  # type: ignore[attr-defined]


def configure(monkeypatch: pytest.MonkeyPatch, models: Mapping[str, ModelEntry]) -> None:
    """Settings as the configuration files would give them."""
    found = replace(settings.current(), models=models)
    monkeypatch.setattr("crucible_tasks.named_router.current", lambda: found)


def test_a_configured_name_opens_its_router_with_its_aliases(
    crucible_home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crucible_home
    members = (RouterMember("fast", "tiny?style=base"), RouterMember("quality", "hf:large"))
    configure(
        monkeypatch,
        {
            "mine": ModelEntry(router=RouterEntry("cascade", members)),
            "tiny": ModelEntry(spec="ollama:tiny:1b"),
        },
    )
    details = open_answerer("mine").identity().details
    assert details == {
        "router": "cascade: fast ollama:tiny:1b?style=base, then quality hf:large on no_code, "
        "syntax_error, truncated"
    }


def test_hybrid_is_built_from_the_servers_that_answer(
    crucible_home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crucible_home
    with ModelServer(Ollama()) as ollama, ModelServer(OpenAi(models=("coder-1b",))) as other:
        monkeypatch.setenv("OLLAMA_HOST", ollama.url)
        settings.current.cache_clear()
        with pytest.raises(ModelNotFound, match="fewer than two"):
            open_answerer("hybrid")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{other.url}/v1")
        settings.current.cache_clear()
        details = open_answerer("hybrid").identity().details
    assert details is not None
    assert details["router"].startswith(f"cascade: fast openai:{other.url}/v1#coder-1b, then")
