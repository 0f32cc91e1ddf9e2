"""`crucible config show`: every setting, its value and where it comes from, without secrets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice
from crucible_infra.config_keys import KEYS
from crucible_infra.configured_models import EndpointEntry, ModelEntry
from crucible_infra.log import redact
from crucible_infra.settings import Settings, current, origin

COLUMNS = (Column("setting", style="bold", is_whole=True), Column("value"))
ORIGIN_COLUMNS = (*COLUMNS, Column("from"))

#: in a table; JSON says null
_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting."""

    name: str
    value: str | bool | int | float | None
    origin: str


@click.command()
@click.option("--origin", "has_origin", is_flag=True, help="Add where each value comes from.")
@options.speaking
def command(voice: Voice, *, has_origin: bool) -> None:
    """Show every setting that a file may set; passwords are left out, keys are only named."""
    shown = [*_values(current()), *_tables(current())]
    if voice.is_json:
        voice.data({one.name: {"value": one.value, "origin": one.origin} for one in shown})
        return
    rows = [(one.name, _as_text(one.value), one.origin) for one in shown]
    if has_origin:
        voice.table(ORIGIN_COLUMNS, rows)
    else:
        voice.table(COLUMNS, [row[:2] for row in rows])


def _values(settings: Settings) -> Iterator[Shown]:
    for key in KEYS.values():
        value = getattr(settings, key.field)
        yield Shown(key.name, redact(value) if isinstance(value, str) else value, origin(key.name))


def _tables(settings: Settings) -> Iterator[Shown]:
    for name, model in settings.models.items():
        place = f"models.{name}"
        yield Shown(place, redact(_model(model)), settings.places[place])
    for name, endpoint in settings.endpoints.items():
        place = f"endpoints.{name}"
        yield Shown(place, redact(_endpoint(endpoint)), settings.places[place])


def _model(entry: ModelEntry) -> str:
    if entry.router is None:
        return entry.spec or ""
    return f"{entry.router.policy} of {', '.join(one.spec for one in entry.router.members)}"


def _endpoint(entry: EndpointEntry) -> str:
    return f"{entry.kind} {entry.url}" + (f", key {entry.key}" if entry.key else "")


def _as_text(value: object) -> str:
    if value is None:
        return _NOTHING
    return str(value).lower() if isinstance(value, bool) else str(value)
