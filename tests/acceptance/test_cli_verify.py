"""`crucible --verify` and `--tests`: an answer that passes, or none."""

from __future__ import annotations

import json
from pathlib import Path

from commandline import at_home
from model_server import ModelServer, Ollama

ANSWERS = {
    1: "I cannot.",
    2: "```python\ndef add(a, b):\n    return a - b\n```",
    3: "Sure:\n\n```python\ndef add(a, b):\n    return a + b\n```\n",
}


def test_the_first_answer_that_passes_is_the_answer(tmp_path: Path) -> None:
    (tmp_path / "test_add.py").write_text("def test():\n    assert add(1, 2) == 3\n")
    server = ModelServer(Ollama(answers=lambda _prompt, seed: ANSWERS[seed]))
    with server:
        spec = f"ollama:{server.url}#codellama:7b-code?style=chat"
        crucible = at_home(tmp_path, CRUCIBLE_MODEL=spec)
        said = crucible("write add", "--seed", "1", "--tests", "test_add.py", "-o", "src/add.py")
        assert (said.code, said.out) == (0, "")
        assert said.err.splitlines() == [
            "answer 1: no code: the answer holds no code",
            "answer 2: failed: assert add(1, 2) == 3; the last call returned -1",
            "answer 3: passed",
            "verified: answer 3 of at most 5 passes",
            f"wrote src/add.py (2 lines, Python; made {tmp_path}/src)",
        ]
        assert (tmp_path / "src" / "add.py").read_text() == "def add(a, b):\n    return a + b\n"
        asked = server.sampled[-1].body
        assert "These tests must pass:" in asked["messages"][-1]["content"]
        assert [each.body["options"]["temperature"] for each in server.sampled] == [0.2, 0.8, 0.8]
        said = crucible("write add: add(1, 2) -> 3", "--seed", "1", "--verify", "-n", "2", "--json")
    assert said.code == 1
    found = json.loads(said.out)
    assert found["verified"] is False
    assert [each["outcome"] for each in found["attempts"]] == ["no_code", "failed"]
    assert "error: none of 2 answers passes: 1 no code, 1 failed\n" in said.err


def test_without_tests_and_examples_nothing_is_asked(tmp_path: Path) -> None:
    said = at_home(tmp_path)("write an add function", "--verify")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: --verify finds no example in the prompt\n")
