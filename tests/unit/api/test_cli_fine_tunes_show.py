"""`crucible fine-tunes show` says how to go on where a fine-tune did not come to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible_api.cli.output import Speaker
from crucible_api.cli.root import root
from crucible_api.fine_tunes import FineTunePlan, open_fine_tunes
from crucible_infra import settings
from crucible_infra.database.fine_tunes import update_fine_tune
from crucible_tasks.recipe import Recipe


@pytest.mark.parametrize(
    ("state", "goes_on"), [("stopped", True), ("failed", True), ("running", False)]
)
def test_one_that_ended_early_says_how_to_go_on(
    crucible_home: Path, capsys: pytest.CaptureFixture[str], state: str, *, goes_on: bool
) -> None:
    assert crucible_home
    fine_tunes = open_fine_tunes(settings.current())
    plan = FineTunePlan("mine", "hf:base", "hf:base", "0" * 64, Recipe(), {}, None)
    made = fine_tunes.plan(plan)
    with fine_tunes.database.writing() as connection:
        update_fine_tune(connection, made, state=state, owner=None)

    with root.make_context("crucible", ["fine-tunes", "show", made], obj=Speaker()) as context:
        root.invoke(context)

    said = capsys.readouterr()
    assert f"hf:base as mine: {state}" in said.out
    assert ("go on: crucible fine-tunes resume mine" in said.err) == goes_on
