"""`crucible benchmark` against a real HTTP server: found, asked, judged, honest when it fails."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator

import pytest

from commandline import Crucible
from crucible_tasks.challenges import open_dataset, select
from model_server import ModelServer, Ollama, OpenAi, Reply, competent

#: challenges asked; every second one is answered rightly
ASKED = 6

MODEL = "qwen2.5-coder:1.5b"

CHAT = "{{ range .Messages }}{{ .Content }}{{ end }}"


def _answers() -> dict[str, str]:
    """Right answers to every second challenge, in prose and a fence as chat models give them."""
    challenges = select(open_dataset("humaneval"), limit=ASKED).challenges
    return {
        challenge.prompt.strip(): f"Sure!\n\n```python\n{challenge.reference}\n```\nHope it helps."
        for challenge in challenges[::2]
    }


@pytest.fixture
def ollama() -> Iterator[ModelServer]:
    with ModelServer(Ollama(competent(_answers()), (MODEL,), template=CHAT)) as server:
        yield server


def test_a_server_on_its_port_is_found_used_and_named(
    crucible: Crucible, ollama: ModelServer
) -> None:
    said = crucible("benchmark", "--limit", str(ASKED), "--json", OLLAMA_HOST=ollama.url)
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["model"] == f"ollama:{MODEL}"
    assert found["pass@1"]["value"] == pytest.approx(0.5)
    assert MODEL in said.err
    assert "proves this installation" not in said.err


def test_each_sample_has_a_seed_of_its_own(crucible: Crucible, ollama: ModelServer) -> None:
    words = ("benchmark", "-m", f"ollama:{MODEL}", "--limit", "2", "-n", "3", "--json")
    said = crucible(*words, OLLAMA_HOST=ollama.url)
    assert said.code == 0, said.err
    seeds = [asked.body["options"]["seed"] for asked in ollama.sampled]
    assert len(seeds) == len(set(seeds)) == 6


def test_a_failing_server_makes_a_gap_and_never_a_wrong_answer(crucible: Crucible) -> None:
    broken = Reply({"error": {"message": "no", "code": 400}}, 400)
    behaviour = OpenAi(competent(_answers()), (MODEL,), faults=deque([broken]))
    with ModelServer(behaviour) as server:
        words = ("benchmark", "-m", f"openai:{server.url}/v1#{MODEL}", "--limit", str(ASKED))
        said = crucible(*words, "--json")
    assert said.code == 4, said.err
    found = json.loads(said.out)
    assert found["coverage"] == pytest.approx((ASKED - 1) / ASKED)
    assert found["judged"] == ASKED - 1


def test_a_wrong_model_name_is_one_line(crucible: Crucible, ollama: ModelServer) -> None:
    said = crucible("benchmark", "-m", "ollama:nothing-like-it", OLLAMA_HOST=ollama.url)
    assert said.code in (1, 2)
    assert said.out == ""
    assert "nothing-like-it" in said.err
    assert "Traceback" not in said.err
