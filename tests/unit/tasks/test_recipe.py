"""A recipe file says how to train; a mistake in it is one line with file, line and key."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import msgspec
import pytest

from crucible_infra.errors import CrucibleError, FormatError, InvalidInput
from crucible_tasks.recipe import Choice, Method, Recipe, read_recipe, write_recipe

OTHER = Recipe(
    method=Method.QLORA,
    rank=8,
    targets=("q_proj", "v_proj"),
    learning_rate=1.5e-5,
    max_steps=40,
    batch=12,
    micro_batch=4,
    fim_rate=0.25,
    deterministic=False,
    kernels=Choice.OFF,
    memory_gib=7.5,
)


def _read(directory: Path, text: str) -> Recipe:
    path = directory / "r.yaml"
    path.write_text(text, "utf-8")
    return read_recipe(str(path))


def _problem(directory: Path, text: str) -> CrucibleError:
    with pytest.raises(InvalidInput) as caught:
        _read(directory, text)
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("recipe", [Recipe(), OTHER])
def test_a_written_recipe_is_read_back(tmp_path: Path, recipe: Recipe) -> None:
    assert _read(tmp_path, write_recipe(recipe)) == recipe
    assert msgspec.json.decode(msgspec.json.encode(recipe), type=Recipe) == recipe


def test_every_value_is_written_below_its_reason() -> None:
    lines = write_recipe(Recipe()).splitlines()

    for key in fields(Recipe):
        [at] = [index for index, line in enumerate(lines) if line.startswith(f"{key.name}: ")]
        assert lines[at - 1].startswith("# ")
    assert max(map(len, lines)) <= 100


def test_what_a_recipe_does_not_say_has_its_default(tmp_path: Path) -> None:
    assert _read(tmp_path, "rank: 4\nmax_steps: auto\n") == Recipe(rank=4)


def test_full_training_learns_more_slowly() -> None:
    assert Recipe(method=Method.FULL).rate < Recipe().rate
    assert Recipe(method=Method.FULL, learning_rate=0.5).rate == 0.5


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rank: 16\nrnak: 3\n", ":2: rnak: is not a key of a recipe file"),
        ("rank: 0\n", ":1: rank: '0' is not a whole number from 1 to 1024"),
        ("\nmethod: lore\n", ":2: method: 'lore' is not lora, qlora, dora or full"),
        ("fim_rate: 2\n", ":1: fim_rate: '2' is not a number from 0 to 1, or auto"),
        ("learning_rate: fast\n", ":1: learning_rate: 'fast' is not a number above 0, or auto"),
        ("deterministic: yes\n", ":1: deterministic: 'yes' is not on or off"),
        ("seed: [1, 2]\n", ":1: seed: takes one value, not a list"),
        ("batch: 8\nmicro_batch: 3\n", ":2: micro_batch: 3 does not divide batch, 8"),
        ("micro_batch: 3\n", ":1: micro_batch: 3 does not divide batch, 16"),
    ],
)
def test_a_mistake_has_its_line(tmp_path: Path, text: str, problem: str) -> None:
    assert _problem(tmp_path, text).message == f"{tmp_path / 'r.yaml'}{problem}"


def test_a_typo_is_answered_with_the_key(tmp_path: Path) -> None:
    error = _problem(tmp_path, "learning-rate: 0.1\n")

    assert isinstance(error, FormatError)
    assert error.hint == "did you mean learning_rate?"


def test_a_recipe_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none\.yaml: No such file"):
        read_recipe(str(tmp_path / "none.yaml"))
