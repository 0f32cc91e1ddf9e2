"""What people type after -k and --fail-under becomes numbers, or a usage error."""

from __future__ import annotations

from typing import Any

import click
import pytest

from crucible_api.cli import options
from crucible_api.cli.options import Gate


def _parse(*words: str) -> dict[str, Any]:
    @options.gate
    @options.ks
    def show(**values: Any) -> dict[str, Any]:
        return values

    command = click.command(show)
    with command.make_context("show", list(words)) as context:
        found = command.invoke(context)
    assert isinstance(found, dict)
    return found


def test_several_k_are_split_at_commas_and_sorted() -> None:
    assert _parse("-k", "10,1", "--k", "5")["ks"] == (1, 5, 10)


@pytest.mark.parametrize("word", ["0", "-1", "one", "1,,2", "1.5"])
def test_a_k_that_is_no_positive_number_is_a_usage_error(word: str) -> None:
    with pytest.raises(click.BadParameter):
        _parse("-k", word)


@pytest.mark.parametrize("word", ["pass@10=0.35", "pass@10=35%"])
def test_a_gate_is_a_share_or_a_percentage(word: str) -> None:
    assert _parse("--fail-under", word)["gate"] == Gate(10, 0.35)


@pytest.mark.parametrize("word", ["0.35", "pass@0=0.1", "pass@1", "pass@1=35", "pass@x=0.1", "k=1"])
def test_a_gate_of_another_form_is_a_usage_error(word: str) -> None:
    with pytest.raises(click.BadParameter):
        _parse("--fail-under", word)
