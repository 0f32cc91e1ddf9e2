"""`crucible benchmark` with a router over two real servers, counted a second time by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from commandline import Crucible
from crucible_tasks.challenge import Challenge
from crucible_tasks.challenges import open_dataset, select
from model_server import ModelServer, Ollama, OpenAi, Reply, competent

#: challenges asked
ASKED = 8

#: which of them a member answers rightly, which without any code, and which with what its examples
#: want and its tests do not; all other answers are wrong and can be seen to be
SMALL_RIGHT, SMALL_SILENT, SMALL_LUCKY = {0, 3}, {1}, {2: "return 0.5"}
LARGE_RIGHT = {0, 1, 2, 4}

SMALL, LARGE = "tiny-coder:1b", "big-coder-7b"


def _challenges() -> tuple[Challenge, ...]:
    return select(open_dataset("humaneval"), limit=ASKED).challenges


def _small() -> dict[str, str]:
    found = _answers(SMALL_RIGHT, SMALL_LUCKY)
    for number in SMALL_SILENT:
        found[_challenges()[number].prompt.strip()] = "I cannot do that."
    return found


def _answers(right: set[int], lucky: dict[int, str]) -> dict[str, str]:
    found = {}
    for number, challenge in enumerate(_challenges()):
        body = lucky.get(number, "return 'wrong'")
        code = f"def {challenge.entry_point}(*given):\n    {body}\n"
        code = challenge.reference or "" if number in right else code
        found[challenge.prompt.strip()] = f"Sure!\n```python\n{code}\n```"
    return found


@pytest.fixture
def servers() -> Iterator[tuple[ModelServer, ModelServer]]:
    small = Ollama(competent(_small()), (SMALL,), template="{{ .Messages }}")
    large = OpenAi(competent(_answers(LARGE_RIGHT, {})), (LARGE,))
    with ModelServer(small) as one, ModelServer(large) as other:
        yield one, other


def _environment(servers: tuple[ModelServer, ModelServer]) -> dict[str, str]:
    small, large = servers
    return {"OLLAMA_HOST": small.url, "OPENAI_BASE_URL": f"{large.url}/v1"}


def test_two_servers_make_hybrid_the_default_and_its_figures_are_true(
    crucible: Crucible, servers: tuple[ModelServer, ModelServer]
) -> None:
    where = _environment(servers)
    # a gate is about the router, not about the members it is compared with
    gate = ("--fail-under", "pass@1=50%")
    said = crucible("benchmark", "--limit", str(ASKED), "--json", *gate, **where)
    assert said.code == 0, said.err
    assert "no model was named, so this asks the built-in router hybrid@" in said.err
    assert f"cascade: fast ollama:{SMALL}, then quality openai:" in said.err
    hybrid, fast, quality = json.loads(said.out)["runs"]
    # neither server was asked anything twice, though three runs wanted it
    assert [len(server.sampled) for server in servers] == [ASKED, ASKED]

    # the lucky one is kept, though the large model knows better: its tests are hidden
    kept = SMALL_RIGHT | SMALL_LUCKY.keys()
    right = (SMALL_RIGHT & kept) | (LARGE_RIGHT - kept)
    assert hybrid["pass@1"]["value"] == pytest.approx(len(right) / ASKED)
    assert fast["pass@1"]["value"] == pytest.approx(len(SMALL_RIGHT) / ASKED)
    assert quality["pass@1"]["value"] == pytest.approx(len(LARGE_RIGHT) / ASKED)
    found = hybrid["router"]
    bound = len(SMALL_RIGHT | LARGE_RIGHT) / ASKED
    assert found["oracle_bound"]["pass@1"]["value"] == pytest.approx(bound)
    assert [one["share"] for one in found["members"]] == [
        len(kept) / ASKED,
        1 - len(kept) / ASKED,
    ]
    assert [one["draws"] for one in found["members"]] == [ASKED, ASKED - len(kept)]
    texts = _small().values()
    tokens = [sum(map(len, texts)), 7 * (ASKED - len(kept))]
    assert [one["completion_tokens"] for one in found["members"]] == tokens
    assert found["completion_tokens"] == sum(tokens)
    assert [one["alone"]["run"] for one in found["members"]] == [fast["run"], quality["run"]]

    compared = crucible("compare", "hybrid", "fast", **where)
    assert compared.code == 0, compared.err
    assert hybrid["run"] in compared.out
    assert fast["run"] in compared.out
    assert f"A took {(2 * ASKED - len(kept)) / ASKED:.2f} draws" in compared.out


def test_a_member_that_fails_is_replaced_only_where_the_user_says_so(
    crucible: Crucible, servers: tuple[ModelServer, ModelServer]
) -> None:
    refuses = Reply({"error": "no"}, 400)
    small = servers[0].behaviour
    assert isinstance(small, Ollama)
    small.faults.append(refuses)
    words = ("benchmark", "-m", "hybrid", "--limit", "1", "--no-members", "--json")
    said = crucible(*words, **_environment(servers))
    assert said.code == 4, said.err
    assert json.loads(said.out)["coverage"] == 0
    small.faults.append(refuses)
    said = crucible(*words, "--allow-fallback", **_environment(servers))
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["router"]["allow_fallback"] is True
    assert [one["share"] for one in found["router"]["members"]] == [0, 1]
    assert found["router"]["oracle_bound"] is None
