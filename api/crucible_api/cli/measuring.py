"""The `--metrics` option of commands that start workers."""

from __future__ import annotations

from typing import Any

import click

from crucible_api.cli.options import Command
from crucible_infra import metrics, settings


def measured(function: Command) -> Command:
    """Give a command `--metrics PORT`, which wins over CRUCIBLE_METRICS_PORT.

    It is heard by this process and those it starts. Raises InvalidInput where metrics are wanted,
    either way, and prometheus-client is not installed.
    """
    decorate = click.option(
        "--metrics",
        type=click.IntRange(0, 65535),
        metavar="PORT",
        expose_value=False,
        callback=_prefer,
        help="Serve figures for Prometheus on this port or the next free one.  "
        "[default: CRUCIBLE_METRICS_PORT]",
    )
    return decorate(function)


def _prefer(context: click.Context, option: click.Parameter, port: int | None) -> Any:
    del context, option
    if port is not None:
        settings.prefer("CRUCIBLE_METRICS_PORT", str(port))
    if settings.current().metrics_port is not None:
        metrics.check()
    return port
