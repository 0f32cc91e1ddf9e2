"""The datasets known by name, and whether they are here already."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_infra.settings import Settings
from crucible_tasks.challenges import known


@dataclass(frozen=True, slots=True)
class Known:
    """One dataset that has a name."""

    name: str
    is_here: bool
    #: of the data, as its publisher states it
    licence: str
    #: where it comes from; a file dropped there by hand does as well
    home: str
    file: str | None


def known_datasets(settings: Settings) -> tuple[Known, ...]:
    """Those that are carried along first, then those that can be fetched."""
    directory = settings.cache_directory / "datasets"
    found = [
        Known(name, True, carried.licence, carried.home, None)
        for name, carried in known.CARRIED.items()
    ]
    for name in known.names():
        if name not in known.CARRIED:
            source = known.source_of(name)
            path = directory / source.file_name
            found.append(Known(name, path.exists(), source.licence, source.url, str(path)))
    return tuple(found)
