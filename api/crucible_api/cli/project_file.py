"""Which project file a command of `crucible config` is about, and what it says."""

from __future__ import annotations

from pathlib import Path

from crucible_infra.config_files import Content, understand
from crucible_infra.configuration import PROJECT_FILE, read_project_file
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import places
from crucible_infra.small_file import shown


def find_project_file(path: str | None) -> Path:
    """The file that was named, or in the directory that was, or the nearest. Raises InvalidInput.

    Its folder is told without links and the file as it is: a link to a trusted file is not one.
    """
    if path is None:
        nearest = places().project()
        if nearest is None:
            raise InvalidInput(f"there is no {PROJECT_FILE} here", hint="name it, or go there")
        return nearest
    named = Path(path)
    if named.is_dir():
        return named.resolve() / PROJECT_FILE
    if named.name != PROJECT_FILE:
        raise InvalidInput(
            f"{shown(path)}: a project's file is called {PROJECT_FILE}",
            hint="name it, or its directory",
        )
    return named.parent.resolve() / PROJECT_FILE


def read_whole(path: Path) -> tuple[bytes, Content]:
    """Its bytes, and what they say. Raises InvalidInput, FormatError."""
    content = read_project_file(path)
    if content is None:
        raise InvalidInput(f"{shown(path)}: there is no such file")
    return content, understand(content, path)
