"""Parses a command line as `crucible` would, without doing what it says."""

from __future__ import annotations

from collections.abc import Sequence

import click

from crucible_api.cli.root import root


def parse(words: Sequence[str]) -> None:
    """Raise click.ClickException when there is no such command, option or value."""
    command, rest = root, list(words)
    with click.Context(root, info_name="crucible") as context:
        while isinstance(command, click.Group):
            _, found, rest = command.resolve_command(context, rest)
            assert found is not None
            command = found
        with command.make_context("crucible", rest, parent=context):
            pass
