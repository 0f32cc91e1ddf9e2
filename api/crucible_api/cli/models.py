"""`crucible models`: describe models, export weights, store them for every host of a cluster."""

from __future__ import annotations

import click

from crucible_api.cli.lazy import LazyGroup, Listed

_HERE = "crucible_api.cli"

#: what is meant by a spec, an option or nothing
_DESCRIBE = "describe"

COMMANDS = (
    Listed(
        _DESCRIBE,
        "what answers here, or what SPEC means; the word may be left out",
        f"{_HERE}.models_describe",
    ),
    Listed("export", "weights as safetensors, GGUF or a model of Ollama", f"{_HERE}.models_export"),
    Listed("store", "let every host of a cluster fetch weights", f"{_HERE}.models_store"),
)

EPILOG = """\b
Examples:
  crucible models                                 what answers on the usual ports
  crucible models ollama:qwen2.5-coder:1.5b       which weights are behind this name?
  crucible models export hf:BASE+ADAPTER --to gguf --output exported/
  crucible models store ./adapter
"""


class _SpecGroup(LazyGroup):
    """Takes whatever is no command of its own for the words of `describe`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the word in where it was left out."""
        return super().parse_args(
            ctx, args if args[:1] in (["--help"], ["-h"]) else self._whole(args)
        )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command."""
        return super().resolve_command(ctx, self._whole(args))

    def _whole(self, args: list[str]) -> list[str]:
        return args if args[:1] and args[0] in self.listed else [_DESCRIBE, *args]


@click.group(cls=_SpecGroup, listed=COMMANDS, epilog=EPILOG)
def command() -> None:
    """Describe models, export weights, store them for every host of a cluster."""
