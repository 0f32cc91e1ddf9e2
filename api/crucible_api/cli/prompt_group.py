"""A group that takes both commands and prompts: the first word decides.

A command stands first and is spelled exactly. Anything else is a prompt, and `--` makes a prompt of
anything. What looks like a mistyped command is refused: a typo is never sent to a model.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import click

from crucible_api.cli import piped
from crucible_api.cli.lazy import LazyGroup

#: takes what is no command
ASK = "ask"

_HELP = ("-h", "--help", "-V", "--version")

#: how alike a word and a command must be (difflib's ratio) to be a typo rather than a prompt
_LIKENESS = 0.75

#: in `Context.meta`: whether `ask` and `--` were left out, so that a word may be a slip
_IS_BARE = "crucible.is_bare_prompt"


class PromptGroup(LazyGroup):
    """The commands of `crucible`, and `ask` for everything else."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let a prompt go to `ask`, with every word as it is, `--` too."""
        # TAB completion asks about half a line
        if not ctx.resilient_parsing and self._is_prompt(args):
            ctx.meta[_IS_BARE] = "--" not in args
            if ctx.meta[_IS_BARE]:
                self._refuse_typo(ctx, args)
            args = [ASK, *args]
        return super().parse_args(ctx, args)

    def _is_prompt(self, args: Sequence[str]) -> bool:
        if not args:
            return piped.is_open()
        return args[0] not in self.listed and args[0] not in _HELP

    def _refuse_typo(self, ctx: click.Context, args: Sequence[str]) -> None:
        words = list(itertools.takewhile(lambda word: not word.startswith("-"), args))
        close = self.closest(words[0], _LIKENESS) if words else None
        if close is None or any(letter.isspace() for letter in words[0]):
            return
        if len(words) == 1 or self._goes_on_like(ctx, close, words[1]):
            raise click.UsageError(
                f"'{words[0]}' is not a command\ndid you mean: {ctx.command_path} {close}", ctx
            )

    def _goes_on_like(self, ctx: click.Context, command: str, word: str) -> bool:
        """Whether the second word is what this command takes: one of its own, or a file."""
        group = self.get_command(ctx, command)
        is_its_own = isinstance(group, click.Group) and word in group.list_commands(ctx)
        return is_its_own or Path(word).exists()


def refuse_slip(ctx: click.Context, words: Sequence[str], *, is_piped: bool) -> None:
    """Refuse a single word that is a command, or most likely meant as one.

    With piped text one word is a prompt: `cat notes | crucible explain`.
    """
    if not ctx.meta.get(_IS_BARE) or len(words) != 1 or len(words[0].split()) != 1:
        return
    (word,) = words
    root = ctx.find_root()
    path, group = root.command_path, root.command
    assert isinstance(group, LazyGroup)
    if word in group.listed:
        raise click.UsageError(
            f"'{word}' is a command\nput it first, or as a prompt: {path} -- {word}", ctx
        )
    close = group.closest(word, _LIKENESS)
    if close is not None:
        raise click.UsageError(f"'{word}' is not a command\ndid you mean: {path} {close}", ctx)
    if not is_piped:
        raise click.UsageError(
            f"'{word}' is not a command\n{path} --help lists them; as a prompt: {path} -- {word}",
            ctx,
        )
