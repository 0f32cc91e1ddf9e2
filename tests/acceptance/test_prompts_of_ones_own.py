"""`crucible benchmark --prompt`: what the model server really gets, and who says so afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from commandline import Crucible
from crucible_tasks.challenges import open_dataset, select
from crucible_tasks.prompts import make_prompt
from crucible_tasks.wording import Wording, read_wording
from model_server import ModelServer, OpenAi, Reply, competent, prompt_of

ASKED = 4

#: what the wording of the test begins with; the model is better where it reads this
MAGIC = "You {are} the best."


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """Solves every challenge where it is asked in the magic words, and none else."""
    challenges = select(open_dataset("humaneval"), limit=ASKED).challenges
    solutions = {one.prompt.strip(): f"```python\n{one.reference}\n```" for one in challenges}
    able = competent(solutions)

    def answer(prompt: str, seed: int) -> str:
        return able(prompt, seed) if prompt.startswith(MAGIC) else "I cannot."

    with ModelServer(OpenAi(answer)) as running:
        yield running


def _wording(crucible: Crucible) -> Wording:
    path = crucible.home / "magic.txt"
    path.write_text(f"{MAGIC}\n\n{{request}}\n\nThink, then answer.\n")
    return read_wording(str(path))


def _ask(crucible: Crucible, server: ModelServer, *words: str) -> Any:
    model = f"openai:{server.url}/v1#coder?style=chat"
    said = crucible("benchmark", "-m", model, "--limit", str(ASKED), "--json", *words)
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_a_sweep_over_two_prompts_asks_in_both_and_tells_which_was_better(
    crucible: Crucible, server: ModelServer
) -> None:
    wording = _wording(crucible)
    found = _ask(crucible, server, "--prompt", "default", "--prompt", "magic.txt")
    challenges = select(open_dataset("humaneval"), limit=ASKED).challenges
    assert sorted(prompt_of(asked.body) for asked in server.sampled) == sorted(
        make_prompt(challenge, "chat", words).messages[0].content
        for challenge in challenges
        for words in (None, wording)
    )
    ours, mine = found["runs"]
    assert [(run["prompt"], run["pass@1"]["value"]) for run in (ours, mine)] == [
        ("default", 0.0),
        (wording.label, 1.0),
    ]
    assert [run["manifest"]["wording"] for run in (ours, mine)] == [
        None,
        {"name": "magic", "sha256": wording.sha256, "text": wording.text},
    ]
    _check_tables(crucible, found["sweep"], mine["run"], wording.label)


def _check_tables(crucible: Crucible, sweep: str, best: str, label: str) -> None:
    shown = crucible("sweeps", "show", sweep).out
    assert f", prompt {label} (run {best})" in shown
    assert "pass@1 100.0 %" in shown
    runs = json.loads(crucible("sweeps", "show", sweep, "--json").out)["runs"]
    assert [run["prompt"] for run in runs] == ["default", label]
    for words in (("runs", "list"), ("runs", "show", best), ("compare", runs[0]["run"], best)):
        table = crucible(*words).out
        assert "prompt" in table.splitlines()[0], table
        assert label in table, words
    exported = crucible("runs", "export", best, "out")
    assert exported.code == 0, exported.err
    manifest = json.loads((crucible.home / "out" / "manifest.json").read_text())
    assert manifest["prompt"].endswith(f"+{label}")
    assert MAGIC in manifest["wording"]["text"]


def test_a_run_is_resumed_in_its_wording_though_the_file_has_gone(
    crucible: Crucible, server: ModelServer
) -> None:
    path = _wording(crucible).path
    failing = OpenAi()
    refused = Reply({"error": {"message": "no", "code": 400}}, 400)
    failing.faults.extend([refused] * 9)
    behaviour, server.behaviour = server.behaviour, failing
    model = f"openai:{server.url}/v1#coder?style=chat"
    words = ("benchmark", "-m", model, "--limit", "1", "--prompt", path)
    assert crucible(*words).code == 4
    server.behaviour = behaviour
    server.requests.clear()
    (crucible.home / "magic.txt").unlink()
    said = crucible("runs", "resume", "latest", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["pass@1"]["value"] == 1.0
    assert {prompt_of(asked.body).startswith(MAGIC) for asked in server.sampled} == {True}


def test_a_prompt_file_that_cannot_be_used_is_one_line_and_2(crucible: Crucible) -> None:
    (crucible.home / "empty.txt").write_text("no marker")
    said = crucible("benchmark", "-m", "reference", "--prompt", "empty.txt")
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[0] == "error: empty.txt: does not hold {request}"
