"""A sweep file says what to run; a mistake in it is one line with file, line and key."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from crucible_infra.errors import CrucibleError, FormatError, InvalidInput
from crucible_tasks.sweep_file import MAX_BYTES, SweepFile, read_sweep_file

WHOLE = """\
# what we run at weekends
models:
  - ollama:qwen2.5-coder:1.5b
  - no            # a name, not a truth value
datasets: [humaneval+, mbpp+]
temperatures: [0.2, 0.8]
styles: chat
prompts: [default, a folder/terse.txt]
n: [1, 20]
k: [1, 10]
seed: 7
limit: 50
priority: -3
top_p: 0.9
max_tokens: 512
cpu_seconds: 2.5
memory_mib: 1024
"""


def _read(directory: Path, text: str | bytes) -> SweepFile:
    path = directory / "s.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_sweep_file(str(path))


def _problem(directory: Path, text: str | bytes) -> CrucibleError:
    with pytest.raises(InvalidInput) as caught:
        _read(directory, text)
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message
    return caught.value


def test_every_key_is_read_as_what_it_is(tmp_path: Path) -> None:
    found = _read(tmp_path, WHOLE)
    assert found.models == ("ollama:qwen2.5-coder:1.5b", "no")
    assert (found.datasets, found.temperatures) == (("humaneval+", "mbpp+"), (0.2, 0.8))
    assert (found.styles, found.n, found.k) == (("chat",), (1, 20), (1, 10))
    assert found.prompts == ("default", "a folder/terse.txt")
    assert (found.seed, found.limit, found.priority) == (7, 50, -3)
    assert (found.top_p, found.max_tokens) == (0.9, 512)
    assert (found.cpu_seconds, found.memory_mib) == (2.5, 1024)
    assert (found.lines["models"], found.value_lines["models", "no"]) == (2, 4)


def test_what_a_file_does_not_say_is_none(tmp_path: Path) -> None:
    found = _read(tmp_path, "\ufeffmodels: reference\r\n")
    assert found.models == ("reference",)
    assert (found.seed, found.n, found.datasets) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("n: 1\ntemprature: 0.2", 2, "temprature: is not a key of a sweep file"),
        ("n: 1\nn: 2", 2, "n: is there already, in line 1"),
        ("n: many", 1, "n: 'many' is not a whole number of at least 1"),
        ("n: 0", 1, "n: '0' is not"),
        (f"n: {'9' * 5000}", 1, "n: '99"),
        ("seed: -1", 1, "seed: '-1' is not a whole number from 0 to 2147483647"),
        ("priority: 11", 1, "priority: '11' is not a whole number from -10 to 10"),
        ("n:\n  - 1\n  - 1", 3, "n: 1 is there twice"),
        ("temperatures: [0.2, .nan]", 1, "temperatures: '.nan' is not a number of at least 0"),
        ("temperatures: [0.2, nan]", 1, "temperatures: 'nan' is not a number of at least 0"),
        ("temperatures:\n- 0.2\n- -1", 3, "temperatures: '-1' is not"),
        ("top_p: 0", 1, "top_p: '0' is not a number above 0 and up to 1"),
        ("styles: [base, shout]", 1, "styles: 'shout' is not base or chat"),
        ("models:\n- ollama:a\n- http://x", 3, "models: 'http://x' is not a model spec"),
        ("models:\n", 1, "models: has no value"),
        ("models: [a, null]", 1, "models: has no value"),
        ("models: []", 1, "models: the list is empty"),
        ("limit: [1, 2]", 1, "limit: takes one value, not a list"),
        ("models: {a: b}", 1, "models: a value must be a word, not a list or a mapping"),
        ("models: [[a]]", 1, "models: a value must be a word, not a list or a mapping"),
        ("? [a]\n: b", 1, "a key must be a word, not a list or a mapping"),
        ("models: &x a\ndatasets: *x", 1, "models: a value must be written out"),
        ("datasets: *x", 1, "datasets: a value must be written out"),
        ("models: !!python/object:os.system a", 1, "models: a value must not have a tag"),
        ("- a\n- b", 1, "a sweep file consists of lines like"),
        ("hello", 1, "a sweep file consists of lines like"),
        ("n: 1\n---\nn: 2", 2, "a second document begins here"),
        ("n: 1\nmodels: [a, b", 2, "is not YAML: "),
        ("n: 1\nmodels: 'a", 2, "is not YAML: "),
        ("n: 1\n\tk: 1", 2, "is not YAML: "),
        ("n: 1\nmodels: a\x00b", 2, "holds the character U+0000"),
        (b"n: 1\nmodels: \xff", 2, "is not UTF-8"),
    ],
)
def test_a_mistake_names_file_line_and_key(
    tmp_path: Path, text: str | bytes, line: int, problem: str
) -> None:
    error = _problem(tmp_path, text)
    assert isinstance(error, FormatError)
    assert error.message.startswith(f"{tmp_path / 's.yaml'}:{line}: {problem}")
    assert len(error.message) < 400


def test_a_typo_is_answered_with_the_key_that_was_meant(tmp_path: Path) -> None:
    assert _problem(tmp_path, "model: a").hint == "did you mean models?"
    assert "models, datasets" in str(_problem(tmp_path, "xyz: a").hint)


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_file_is_no_sweep(tmp_path: Path, text: str) -> None:
    assert _problem(tmp_path, text).message == f"{tmp_path / 's.yaml'}: is empty"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none\.yaml: No such file"):
        read_sweep_file(str(tmp_path / "none.yaml"))
    with pytest.raises(InvalidInput, match="Is a directory"):
        read_sweep_file(str(tmp_path))


@pytest.mark.parametrize(
    "text", ["#" * (MAX_BYTES + 1), "[" * MAX_BYTES, "{a: " * (MAX_BYTES // 4), "- " * 30_000]
)
def test_a_large_or_deep_file_is_refused_soon(tmp_path: Path, text: str) -> None:
    started = time.monotonic()
    _problem(tmp_path, text)
    # the parser is quick to the first event that is refused; ten times that is a slow machine
    assert time.monotonic() - started < 10
