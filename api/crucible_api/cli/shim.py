"""`crucible shim`: `cc` as a file in a directory of your choice, for images and CI."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from crucible_api.cli import files, options
from crucible_api.cli.compiler_calls import is_shim, shim
from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import of_environment

#: where packages and administrators put compilers
_SYSTEM = ("/bin", "/sbin", "/usr", "/snap", "/nix", "/etc", "/lib", "/opt/homebrew", "/opt/local")

#: what makes a directory's parent an environment of Python
_ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")

EPILOG = """\b
Examples:
  crucible shim install --dir ~/crucible-bin && export PATH=~/crucible-bin:$PATH
  crucible shim uninstall --dir ~/crucible-bin

Unlike the function of crucible shell-init, a file is found by make and configure too. It lets
compiler calls through to the next cc on the PATH.
"""


@click.group(epilog=EPILOG)
def command() -> None:
    """Put a `cc` into a directory, or remove it."""


@command.command(epilog=EPILOG)
@click.option("--dir", "directory", required=True, metavar="DIR", help="Made if it is missing.")
@click.option("--force", "is_forced", is_flag=True, help="Even into a Python environment's bin.")
@options.voiced
def install(voice: Voice, *, directory: str, is_forced: bool) -> None:
    """Write DIR/cc."""
    place = Path(directory).expanduser().resolve()
    _refuse(place, is_forced=is_forced)
    file = place / "cc"
    try:
        place.mkdir(parents=True, exist_ok=True)
        files.write(str(file), shim().splitlines(), voice)
        file.chmod(0o755)
    except OSError as error:
        raise InvalidInput(f"{file}: {error.strerror}") from error
    if voice.is_json:
        voice.data({"file": str(file)})
        return
    voice.answer(str(file))
    if shutil.which("cc", path=of_environment().search_path) != str(file):
        voice.talk(f"put it first: export PATH={place}:$PATH")


@command.command(epilog=EPILOG)
@click.option("--dir", "directory", required=True, metavar="DIR", help="Where it was installed.")
@options.voiced
def uninstall(voice: Voice, *, directory: str) -> None:
    """Remove DIR/cc if it is ours."""
    file = Path(directory).expanduser().resolve() / "cc"
    if not is_shim(file):
        raise InvalidInput(f"{file} is not ours", hint="crucible shim install writes one")
    file.unlink()
    if voice.is_json:
        voice.data({"file": str(file)})
    else:
        voice.answer(f"removed {file}")


def _refuse(place: Path, *, is_forced: bool) -> None:
    """Raises InvalidInput for a place where a `cc` of ours would do harm."""
    if place == Path("/") or any(place.is_relative_to(one) for one in _SYSTEM):
        raise InvalidInput(
            f"{place} belongs to the system, whose cc is a compiler",
            hint="a directory of your own, which you put on the PATH where you want it",
        )
    file = place / "cc"
    if (file.exists() or file.is_symlink()) and not is_shim(file):
        raise InvalidInput(f"{file} exists and is not ours", hint="another directory")
    if not is_forced and any((place.parent / one).exists() for one in _ENVIRONMENTS):
        raise InvalidInput(
            f"{place} is a Python environment's, and packages are compiled there",
            hint="another directory, or --force",
        )
