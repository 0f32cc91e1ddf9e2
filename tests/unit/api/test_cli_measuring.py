"""`--metrics`: heard by this process and those it starts, refused where it cannot be served."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import pytest

from crucible_api.cli.measuring import measured
from crucible_infra import settings
from crucible_infra.errors import InvalidInput


@click.command()
@measured
def _command() -> None:
    """Do nothing."""


@pytest.fixture(autouse=True)
def _own_environment(crucible_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del crucible_home
    # so that what the flag sets is undone
    monkeypatch.setenv("CRUCIBLE_METRICS_PORT", "")


def test_the_flag_wins_and_reaches_children() -> None:
    _command.main(["--metrics", "9464"], standalone_mode=False)

    assert settings.current().metrics_port == 9464
    assert os.environ["CRUCIBLE_METRICS_PORT"] == "9464"


@pytest.mark.parametrize("by_flag", [True, False], ids=["flag", "environment"])
def test_wanted_metrics_without_their_package_are_refused(
    monkeypatch: pytest.MonkeyPatch, *, by_flag: bool
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    if not by_flag:
        settings.prefer("CRUCIBLE_METRICS_PORT", "9464")
    with pytest.raises(InvalidInput, match="prometheus-client"):
        _command.main(["--metrics", "9464"] if by_flag else [], standalone_mode=False)


def test_unwanted_metrics_need_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    _command.main([], standalone_mode=False)
