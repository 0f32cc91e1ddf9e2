"""Who answers at the everyday door, by the names of a configuration and of fine-tunes."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from crucible_api.cli.answering_model import chosen_spec
from crucible_api.cli.output import Voice
from crucible_api.cli.registered_names import with_names
from crucible_api.fine_tune_reports import FineTunePlan
from crucible_api.fine_tunes import open_fine_tunes
from crucible_api.model_choice import resolved
from crucible_infra import settings
from crucible_infra.database.adapters import insert_adapter
from crucible_infra.fine_tune_rows import AdapterRow
from crucible_tasks.recipe import Recipe

CONFIGURED = """
[models.mine]
spec = "trained"
[models.routed]
kind = "router"
policy = "fallback"
members = [{role = "a", spec = "ollama:a"}, {role = "b", spec = "ollama:b"}]
"""


def register(name: str) -> None:
    fine_tunes = open_fine_tunes(settings.current())
    recipe = Recipe()
    made = fine_tunes.plan(FineTunePlan(name, "hf:base", "hf:base", "0" * 64, recipe, {}, None))
    record = {"recipe": msgspec.to_builtins(recipe)}
    row = AdapterRow(name, made, "hf:base", "1" * 64, False, record, time.time())
    with fine_tunes.database.writing() as connection:
        insert_adapter(connection, row)


def test_a_configured_name_of_a_fine_tune_means_its_model_at_every_door(
    crucible_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (crucible_home / "config.toml").write_text(CONFIGURED)
    register("trained")
    spec = chosen_spec("mine", Voice())
    assert spec.startswith("hf:")
    assert "1" * 64 in spec
    assert spec == resolved("mine")
    assert "trained is the model of a fine-tune here" in capsys.readouterr().err


def test_a_configured_router_goes_before_a_fine_tune_of_its_name(crucible_home: Path) -> None:
    (crucible_home / "config.toml").write_text(CONFIGURED)
    register("routed")
    assert chosen_spec("routed", Voice()) == "routed"


def test_looking_for_a_name_makes_no_database(crucible_home: Path) -> None:
    assert chosen_spec("hybrid", Voice()) == "hybrid"
    assert list(crucible_home.iterdir()) == []


def test_people_read_a_fine_tunes_name_where_a_text_has_its_spec(crucible_home: Path) -> None:
    (crucible_home / "config.toml").write_text(CONFIGURED)
    unknown = f"seed 3; hf:artifact:{'2' * 64}"
    assert with_names(unknown) == unknown
    assert not settings.current().database_file.exists()
    register("trained")

    spec = chosen_spec("mine", Voice())
    assert with_names(f"fast {spec}, then quality {spec}?style=base on no_code") == (
        "fast trained, then quality trained?style=base on no_code"
    )
    assert with_names(unknown) == unknown
    # a name that the configuration has for something else leads elsewhere
    (crucible_home / "config.toml").write_text(CONFIGURED.replace("models.mine", "models.trained"))
    settings.current.cache_clear()
    assert with_names(spec) == spec
