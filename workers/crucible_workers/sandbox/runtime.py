"""Which files of the host a prison sees: a Python without anybody's packages, and numpy."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from crucible_tasks.challenge import Challenge

#: distributions that answers to coding challenges import; bound alone, never all of site-packages,
#: which holds the datasets' own solutions
PACKAGES = ("numpy",)
PACKAGE_DIRECTORY = "/packages"
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
_ZONES = "/usr/share/zoneinfo"


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a prison is built from."""

    executable: str
    #: pairs of host path and path inside
    binds: tuple[tuple[str, str], ...]
    #: directories inside to hide
    masks: tuple[str, ...]
    #: `sys.path` of programs
    path: tuple[str, ...]
    #: names and versions of the packages bound
    packages: tuple[str, ...]
    #: fixed, so that a program that walks a set of strings does the same every time
    hash_seed: str = "0"


def find_runtime() -> Runtime:
    """The interpreter that runs us, as a prison shall see it."""
    library = os.path.realpath(sysconfig.get_path("stdlib"))
    dynamic = os.path.realpath(sysconfig.get_config_var("DESTSHARED"))
    packages, names = _packages()
    libraries = _shared_libraries()
    binds = [(path, path) for path in libraries if not _is_below(path, libraries)]
    binds += [
        (path, path) for path in (library, dynamic) if not _is_below(path, [*libraries, library])
    ]
    if Path(_ZONES).is_dir():
        binds.append((_ZONES, _ZONES))
    return Runtime(
        executable=os.path.realpath(getattr(sys, "_base_executable", sys.executable)),
        binds=(*binds, *packages),
        masks=tuple(path for path in _foreign_packages(library) if Path(path).is_dir()),
        path=(library, dynamic, PACKAGE_DIRECTORY),
        packages=names,
    )


def needed_packages(challenge: Challenge) -> frozenset[str]:
    """Packages that a challenge's own texts import, so that its programs most likely will."""
    texts = (challenge.prompt, challenge.reference or "", getattr(challenge.tests, "source", ""))
    return frozenset(name for name in PACKAGES if any(f"import {name}" in text for text in texts))


def _shared_libraries() -> list[str]:
    """Directories the dynamic loader reads; links such as /lib are followed to their targets."""
    found = {os.path.realpath(path) for path in _LIBRARIES if Path(path).is_dir()}
    prefix = sysconfig.get_config_var("LIBDIR")
    shared = sysconfig.get_config_var("Py_ENABLE_SHARED")
    if shared and prefix:
        found.add(os.path.realpath(prefix))
    links = {path for path in _LIBRARIES if Path(path).is_symlink()}
    return sorted(found | links)


def _is_below(path: str, parents: list[str]) -> bool:
    return any(path.startswith(f"{parent}/") for parent in parents)


def _foreign_packages(library: str) -> list[str]:
    return [
        f"{library}/site-packages",
        f"{library}/dist-packages",
        "/usr/lib/python3/dist-packages",
        *(str(path) for path in Path("/usr/local/lib").glob("python3*")),
    ]


def _packages() -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    binds: list[tuple[str, str]] = []
    names: list[str] = []
    for name in PACKAGES:
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        tops = {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}
        for top in sorted(tops):
            source = os.path.realpath(str(distribution.locate_file(top)))
            binds.append((source, f"{PACKAGE_DIRECTORY}/{top}"))
        names.append(f"{name} {distribution.version}")
    return binds, tuple(names)
