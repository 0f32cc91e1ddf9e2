"""Conversations are remembered, found and continued alike on every database."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crucible_api.conversations import Conversations, Exchange, title_of
from crucible_infra.database import open_database, upgrade
from crucible_infra.errors import ConversationNotFound
from crucible_tasks.answering import AnswerEnd, AnswerRequest
from crucible_tasks.completion import Finish
from crucible_tasks.generation import Message, ModelIdentity
from crucible_tasks.sampling import Sampling

MODEL = ModelIdentity("ollama:m", "m", "ollama 1", "0" * 64, "chat")


@pytest.fixture(params=["sqlite", "postgres"])
def conversations(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Conversations]:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres_database_url"))
    upgrade(url)
    database = open_database(url)
    yield Conversations(database)
    database.close()


def exchange(prompt: str, answer: str, *, is_whole: bool = True) -> Exchange:
    messages = (Message("system", "Be brief."), Message("user", prompt))
    end = AnswerEnd(MODEL, Finish.STOP, 3, 4, 0.1, 0.2) if is_whole else None
    request = AnswerRequest(messages, Sampling(), 7)
    return Exchange(prompt, request, MODEL, answer, "hm", 1000.0, end)


def test_what_was_said_is_found_word_for_word(conversations: Conversations) -> None:
    # NUL and half a surrogate pair are what models emit and databases refuse
    mine = conversations.record(exchange("what\x00 is \ud800 it?", "100 % it"))
    conversations.record(exchange("and\nnow?", "now"), mine)
    conversations.record(exchange("stop", "hal", is_whole=False), mine)
    other = conversations.record(exchange("something else", "yes"))
    for text in (mine, mine[:-1], mine[-4:]):
        found = conversations.find(text)
        assert (found.id, found.system, found.model) == (mine, "Be brief.", "ollama:m")
    assert conversations.find("latest").id in (mine, other)
    assert [(turn.role, turn.content) for turn in found.messages][:4] == [
        *(("user", "what\x00 is \ud800 it?"), ("assistant", "100 % it")),
        *(("user", "and\nnow?"), ("assistant", "now")),
    ]
    ends = [(each.number, each.finish, each.completion_tokens) for each in found.exchanges]
    assert ends == [(1, "stop", 4), (2, "stop", 4), (3, "interrupted", None)]
    assert found.exchanges[0].reasoning == "hm"


def test_words_find_a_conversation_and_are_no_pattern(conversations: Conversations) -> None:
    mine = conversations.record(exchange("Sort a LIST", "100 % sorted"))
    other = conversations.record(exchange("something else", "1000 sorted"))
    for words, ids in (
        ("sort a list", {mine}),
        ("100 %", {mine}),
        ("SORTED", {mine, other}),
        ("_", set()),
    ):
        assert {each.id for each in conversations.newest(10, words)} == ids
    assert [each.exchanges for each in conversations.newest(1)] == [1]


def test_two_terminals_may_go_on_with_one_conversation_at_once(
    conversations: Conversations,
) -> None:
    mine = conversations.record(exchange("one", "1"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: conversations.record(exchange(str(n), "x"), mine), range(8)))
    assert [each.number for each in conversations.find(mine).exchanges] == list(range(1, 10))


def test_what_is_not_there_is_said(conversations: Conversations) -> None:
    with pytest.raises(ConversationNotFound, match="no conversation was logged yet"):
        conversations.find("latest")
    with pytest.raises(ConversationNotFound, match="no conversation nothing"):
        conversations.find("nothing")


def test_a_title_is_one_short_line() -> None:
    assert title_of("  a\n b  ") == "a b"
    assert len(title_of("word " * 100)) == 70
