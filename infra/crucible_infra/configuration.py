"""Configuration: what all files say together, each value with its place, and who wins.

Weakest first: the system's files, the user's, the project's, then the chosen profile of each in the
same order. The environment and flags win over all of it, in `settings`.

A project file is whatever a cloned repository brings. It is never waited for, followed through a
link or read beyond 64 KiB, and before `crucible config trust` only its harmless keys count. Trust
ends when a byte of it changes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from crucible_infra import trust
from crucible_infra.config_files import Content, Given, error_place, read_config_file, understand
from crucible_infra.configured_models import EndpointEntry, ModelEntry
from crucible_infra.errors import InvalidInput
from crucible_infra.small_file import read_small_file, shown

PROJECT_FILE = ".crucible.toml"


@dataclass(frozen=True, slots=True)
class Places:
    """Where to look."""

    #: the most important first
    system: tuple[Path, ...]
    user: Path
    #: None where it is gone
    working_directory: Path | None
    #: what the user has trusted
    trusted: Path

    def project(self) -> Path | None:
        """The nearest project file, from the working directory up to the repository's root.

        Outside of a repository only the working directory is asked: nobody else's /tmp counts.
        """
        here = self.working_directory
        if here is None:
            return None
        above = (here, *here.parents)
        root = next((one for one in above if os.path.lexists(one / ".git")), here)
        inside = above[: above.index(root) + 1]
        return next(
            (one / PROJECT_FILE for one in inside if os.path.lexists(one / PROJECT_FILE)), None
        )


@dataclass(frozen=True, slots=True)
class Configuration:
    """All files as one."""

    values: Mapping[str, Given[str]] = field(default_factory=dict)
    models: Mapping[str, Given[ModelEntry]] = field(default_factory=dict)
    endpoints: Mapping[str, Given[EndpointEntry]] = field(default_factory=dict)
    #: what a user must hear once: why something was ignored
    notes: tuple[str, ...] = ()


def read_configuration(places: Places, profile: str | None) -> Configuration:
    """Read all files. Raises InvalidInput for a mistake in one that counts."""
    contents = [read_config_file(path) for path in (*reversed(places.system), places.user)]
    project, notes = _read_project(places)
    contents.append(project)
    if profile is not None:
        contents += _profile(contents, profile)
    return Configuration(
        {name: given for content in contents for name, given in content.values.items()},
        {name: given for content in contents for name, given in content.models.items()},
        {name: given for content in contents for name, given in content.endpoints.items()},
        notes,
    )


def read_project_file(path: Path) -> bytes | None:
    """The bytes of a project file. Raises InvalidInput for whatever is no plain, small file."""
    return read_small_file(path, follows=False)


def _read_project(places: Places) -> tuple[Content, tuple[str, ...]]:
    """What the project's file says as far as it counts, and why the rest does not."""
    path = places.project()
    try:
        content = None if path is None else read_project_file(path)
    except InvalidInput as error:
        return Content(), (f"{error_place(error)}; ignored",)
    if path is None or content is None:
        return Content(), ()
    if trust.is_trusted(places.trusted, path, content):
        return _trusted(path, content)
    return _untrusted(path, content)


def _trusted(path: Path, content: bytes) -> tuple[Content, tuple[str, ...]]:
    said = understand(content, path)
    ignored = [name for name in said.told() if name not in said.of_project().told()]
    if not ignored:
        return said, ()
    note = f"{shown(path)}: ignored, since only your own file may say it: {_listed(ignored)}"
    return said.of_project(), (note,)


def _untrusted(path: Path, content: bytes) -> tuple[Content, tuple[str, ...]]:
    try:
        said = understand(content, path)
    except InvalidInput as error:
        return Content(), (f"{error_place(error)}; ignored, and not trusted either",)
    ignored = [name for name in said.told() if name not in said.harmless().told()]
    if not ignored:
        return said.harmless(), ()
    note = f"{shown(path)} is not trusted, so this in it is ignored: {_listed(ignored)}"
    return said.harmless(), (f"{note}; read it, then: crucible config trust",)


def _profile(contents: list[Content], name: str) -> list[Content]:
    """What each file says in the profile. Raises InvalidInput where none knows it."""
    found = [content.profiles[name] for content in contents if name in content.profiles]
    if not found:
        known = sorted({one for content in contents for one in content.profiles})
        hint = f"there are {', '.join(known)}" if known else "[profiles.NAME] in a file makes one"
        raise InvalidInput(f"there is no profile {name!r}", hint=hint)
    return [replace(content, values=_in_profile(content, name)) for content in found]


def _in_profile(content: Content, name: str) -> dict[str, Given[str]]:
    return {
        key: replace(given, place=f"profile {name}, {given.place}")
        for key, given in content.values.items()
    }


def _listed(names: list[str], most: int = 5) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
