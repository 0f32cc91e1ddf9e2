"""A group of commands whose modules are imported only when they run."""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from typing import Any

import click

#: how alike a typo and a command must be (difflib's ratio) to ask "did you mean"
_LIKENESS = 0.6


@dataclass(frozen=True, slots=True)
class Listed:
    """A command as the help page shows it; `module` holds it under the name `command`."""

    name: str
    help: str
    module: str


class LazyGroup(click.Group):
    """Lists commands from a table and imports one when it is asked for."""

    def __init__(self, *args: Any, listed: tuple[Listed, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.listed = {entry.name: entry for entry in listed}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in the order of the table."""
        del ctx
        return list(self.listed)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        del ctx
        entry = self.listed.get(cmd_name)
        if entry is None:
            return None
        command = importlib.import_module(entry.module).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing a single command."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(entry.name, entry.help) for entry in self.listed.values()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the first word; anything else is a usage error, never a prompt."""
        command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            raise click.UsageError(self._unknown(ctx, args[0]), ctx)
        return args[0] if command else None, command, args[1:]

    def _unknown(self, ctx: click.Context, word: str) -> str:
        path = ctx.command_path
        close = self.closest(word, _LIKENESS)
        if close is not None:
            return f"'{word}' is not a command\ndid you mean: {path} {close}"
        return f"'{word}' is not a command\n{path} --help lists them"

    def closest(self, word: str, likeness: float) -> str | None:
        """The command that a word is most like, if it is as much like it as this."""
        close = difflib.get_close_matches(word.lower(), self.listed, n=1, cutoff=likeness)
        return next(iter(close), None)
