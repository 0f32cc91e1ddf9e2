"""What nano is taught: right code, nothing of the starter dataset, and no held-out combination."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "workers" / "nano"


@pytest.fixture
def grammar(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The scripts' own modules; they are no package."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    before = set(sys.modules)
    import examples

    yield examples
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_every_function_passes_its_checks() -> None:
    command = [sys.executable, str(SCRIPTS / "examples.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(" 0 fail\n")


def test_a_seed_means_the_same_texts_and_no_question_of_the_starter_dataset(
    grammar: ModuleType,
) -> None:
    first, again = (list(itertools.islice(grammar.examples(1), 1500)) for _ in range(2))
    assert first == again
    assert len({example.prompt for example in first}) > 1300
    asked = grammar.starter_docstrings()
    assert len(asked) == 50
    taught = {
        grammar.plain(text)
        for example in first
        for text in (example.prompt + example.answer).split('"""')[1::2]
    }
    assert not asked & taught


def test_what_is_held_out_is_never_taught(grammar: ModuleType) -> None:
    held_out = grammar.held_out_functions(0, 200)
    assert all(function.failure is None for function in held_out)
    # a name with two underscores says which combination it is, but for the numbers' source
    asked = {_combination(one.prompt, one.body) for one in held_out if one.name.count("_") > 1}
    texts = itertools.islice(grammar.examples(1), 3000)
    taught = {_combination(text.prompt, text.answer.partition("\n\n\n")[0]) for text in texts}
    assert len(asked) > 100
    assert not asked & taught


def _combination(prompt: str, body: str) -> tuple[str, bool]:
    return prompt.partition("(")[0], "range(1, " in body
