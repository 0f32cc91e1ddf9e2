"""`crucible models store`: a directory of weights as an artifact that every host can fetch."""

from __future__ import annotations

from pathlib import Path

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_infra.settings import current


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.speaking
def command(voice: Voice, *, directory: Path) -> None:
    """Keep DIRECTORY, weights or an adapter, in the artifact store, and say how to name it.

    Any host of the cluster then samples it as hf:artifact:DIGEST, or hf:BASE+artifact:DIGEST.
    """
    from crucible_api.catalogue import open_artifacts
    from crucible_infra.bundles import store_directory

    digest = store_directory(open_artifacts(current()), directory)
    if voice.is_json:
        voice.data({"digest": digest, "name": f"artifact:{digest}"})
        return
    voice.answer(f"artifact:{digest}")
    is_adapter = (directory / "adapter_config.json").exists()
    voice.talk(f"use it as hf:{'BASE+' if is_adapter else ''}artifact:{digest}")
