"""`crucible benchmark` against a real HTTP server: found, asked, judged, honest when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from commandline import PATIENCE_SECONDS, Crucible
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


def test_a_server_that_dies_is_told_at_once_and_waited_for_a_bounded_time(
    crucible: Crucible,
) -> None:
    """Then the run ends as incomplete; with the server still dead, a resume is refused at once."""
    with _dying_server(after=3) as server:
        words = ("benchmark", "-m", f"openai:{server.url}/v1#{MODEL}", "--limit", "40")
        started = time.monotonic()
        said = crucible(*words, CRUCIBLE_OUTAGE_SECONDS="3")
    assert time.monotonic() - started < 30
    assert said.code == 4, said.err
    away = f"{server.url} does not answer; trying again for up to 3 s, Ctrl-C keeps what is there"
    assert said.err.count(away) == 1
    assert f"{server.url} did not answer for 3 s" in said.err
    run_id = json.loads(crucible("runs", "list", "--json").out)[0]["id"]
    assert said.err.splitlines()[-1] == f"hint: crucible runs resume {run_id}"
    started = time.monotonic()
    again = crucible("runs", "resume", "latest")
    assert (again.code, again.out) == (1, "")
    assert "no answer from" in again.err
    assert time.monotonic() - started < 10
    with ModelServer(OpenAi(competent(_answers()), (MODEL,)), port=_port(server)):
        resumed = crucible("runs", "resume", "latest", "--json")
    assert resumed.code == 0, resumed.err
    assert json.loads(resumed.out)["coverage"] == 1.0


def test_a_server_that_comes_back_in_time_costs_no_answer(crucible: Crucible) -> None:
    with _dying_server(after=3) as server:
        words = ("benchmark", "-m", f"openai:{server.url}/v1#{MODEL}", "--limit", "12")
        child = crucible.start(*words, "--json")
        said = _heard(child, b"does not answer; trying again for up to 60 s")
        with ModelServer(OpenAi(competent(_answers()), (MODEL,)), port=_port(server)):
            out, err = child.communicate(timeout=PATIENCE_SECONDS)
    assert child.returncode == 0, said + err
    assert json.loads(out)["coverage"] == 1.0
    assert b"answers again" in err


def _heard(child: subprocess.Popen[bytes], word: bytes) -> bytes:
    """What a command says until it says this; fails when it ends without."""
    assert child.stderr is not None
    said = b""
    while word not in said:
        chunk = os.read(child.stderr.fileno(), 1 << 16)
        assert chunk, said
        said += chunk
    return said


@contextmanager
def _dying_server(after: int) -> Iterator[ModelServer]:
    """A server that is gone, as if killed, when it has answered so often."""
    behaviour = OpenAi(competent(_answers()), (MODEL,))
    with ModelServer(behaviour) as server:

        def watch() -> None:
            while len(server.sampled) <= after and not server.stopping.wait(0.01):
                pass
            server.stop()

        threading.Thread(target=watch, daemon=True).start()
        yield server


def _port(server: ModelServer) -> int:
    return int(server.url.rpartition(":")[2])
