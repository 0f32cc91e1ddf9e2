"""`crucible config`: what files of configuration say, and which project files are trusted."""

from __future__ import annotations

import click

from crucible_api.cli.lazy import LazyGroup, Listed

_HERE = "crucible_api.cli"

COMMANDS = (
    Listed("show", "every setting, and with --origin where it comes from", f"{_HERE}.config_show"),
    Listed("path", "which files are read, the weakest first", f"{_HERE}.config_path"),
    Listed("trust", "let a project's file count", f"{_HERE}.config_trust"),
    Listed("untrust", "let it count no more", f"{_HERE}.config_untrust"),
    Listed("list", "the project files that are trusted", f"{_HERE}.config_list"),
)

EPILOG = """\b
Examples:
  crucible config show --origin
  crucible config path
  crucible config trust                # the .crucible.toml of this repository

\b
A file of configuration is TOML; every key is optional:
  model = "coder"                      # asked where no -m is given
  extract = true                       # only the code of answers
  sandbox = "container"                # and every other key of crucible config show
  [models.coder]                       # a name for a model spec
  spec = "work/qwen2.5-coder:7b"
  [endpoints.work]                     # a server; work/NAME is one of its models
  url = "https://models.example/v1"
  kind = "openai"                      # or "ollama"
  key = "work"                         # crucible keys set work
  [profiles.night]                     # the same keys again, for --profile night
  sandbox = "process"

A flag wins over the environment, that over the profile, that over the project's file, that over
yours, that over the system's. A project's file is a stranger's until you trust it: before that it
can say `extract` and nothing else, and after every change it is a stranger's again.
"""


@click.group(cls=LazyGroup, listed=COMMANDS, epilog=EPILOG, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Look at what files of configuration say, and trust a project's."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
