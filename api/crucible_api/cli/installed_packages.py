"""Where the packages are that a repository imports: in an environment, or in plain directories."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from crucible_infra.errors import InvalidInput

_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_USUAL_ENVIRONMENTS = (".venv", "venv")


def package_directories(repository: Path, given: Sequence[Path]) -> tuple[str, ...]:
    """Directories of packages, pytest's among them. Raises InvalidInput when it is nowhere.

    The sandbox runs this Python, so an environment of another version is refused.
    """
    usual = [repository / name for name in _USUAL_ENVIRONMENTS]
    chosen = list(given) or [path for path in usual if (path / "pyvenv.cfg").is_file()]
    found = [_directory(path) for path in chosen]
    if not any((path / "_pytest").is_dir() for path in found):
        own = Path(sysconfig.get_path("purelib"))
        if not (own / "_pytest").is_dir():
            raise InvalidInput(
                "pytest is not installed where the repository's packages are",
                hint="install it there, or name the environment that has it with --python",
            )
        found.append(own)
    return tuple(str(path) for path in dict.fromkeys(found))


def node_modules(repository: Path) -> tuple[str, ...]:
    """The nearest folder of a JavaScript repository's packages, as Node finds it; none perhaps."""
    for folder in (repository.resolve(), *repository.resolve().parents):
        if (folder / "node_modules").is_dir() and (folder / "package.json").is_file():
            return (str(folder / "node_modules"),)
    return ()


def _directory(path: Path) -> Path:
    """The packages of an environment, of a Python in one, or the directory itself."""
    if not path.exists():
        raise InvalidInput(f"--python {path}: no such file or directory")
    root = path.absolute()
    if path.is_file():
        root = root.parent.parent
    places = sorted(root.glob("lib/python3.*/site-packages"))
    for place in places:
        if place.parent.name == _VERSION:
            return place
    if places or path.is_file():
        has = f"packages for {places[0].parent.name}" if places else "no packages beside it"
        raise InvalidInput(f"--python {path}: has {has}, and the sandbox runs {_VERSION}")
    return root
