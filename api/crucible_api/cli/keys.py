"""`crucible keys`: the keys of model servers, in a file that only this user can read."""

from __future__ import annotations

import sys

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice
from crucible_infra import key_file
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current, keys_file
from crucible_infra.small_file import shown

COLUMNS = (Column("key", style="bold"), Column("sent to"), Column("from"))

#: bytes; no key is longer
_LONGEST = 4096

EPILOG = """\b
Examples:
  crucible keys set openai             # asks for the key, and shows nothing
  pass show work | crucible keys set work
  crucible keys list
  crucible keys remove work

`openai` is sent to the host of OPENAI_BASE_URL (or openai_base_url), any other to the endpoints
that name it in a file of configuration, and to nobody else; `server` is the token of
CRUCIBLE_SERVER. OPENAI_API_KEY, CRUCIBLE_TOKEN and CRUCIBLE_KEY_NAME win over the file.
"""


@click.group(epilog=EPILOG)
def command() -> None:
    """Keep the keys of model servers."""


@command.command("set", epilog=EPILOG)
@click.argument("name")
@click.argument("rest", nargs=-1, metavar="")
@options.voiced
def set_key(voice: Voice, *, name: str, rest: tuple[str, ...]) -> None:
    """Keep a key under NAME; it is asked for, or read from a pipe."""
    if rest:
        # not repeated: it may be the key
        raise InvalidInput(
            "a key is not typed into a command, where others on this host see it",
            hint=f"crucible keys set {shown(name)} asks for it, or takes it from a pipe",
        )
    key_file.check_name(name)
    key = _ask(name)
    key_file.check_key(key)
    path = keys_file()
    key_file.write_keys(path, {**key_file.read_keys(path, is_repaired=True), name: key})
    if voice.is_json:
        voice.data({"key": name, "file": str(path)})
    else:
        voice.answer(f"kept {name} in {path}")


@command.command("list", epilog=EPILOG)
@options.speaking
def list_keys(voice: Voice) -> None:
    """Name the keys, where each comes from and who is sent it; never the keys."""
    settings = current()
    kept = key_file.read_keys(keys_file())
    special = {key_file.OPENAI: settings.openai_api_key, key_file.SERVER: settings.token}
    names = sorted({*settings.keys, *(name for name, key in special.items() if key)})
    rows = [(name, _receivers(name), _source(name, kept)) for name in names]
    if voice.is_json:
        voice.data([{"key": name, "sent_to": to, "from": source} for name, to, source in rows])
    elif rows:
        voice.table(COLUMNS, rows)
    else:
        voice.talk("there are no keys: crucible keys set NAME")


@command.command("remove", epilog=EPILOG)
@click.argument("name")
@options.voiced
def remove(voice: Voice, *, name: str) -> None:
    """Forget the key called NAME."""
    path = keys_file()
    kept = key_file.read_keys(path, is_repaired=True)
    if kept.pop(name, None) is None:
        raise InvalidInput(f"there is no key {name!r}", hint="crucible keys list")
    key_file.write_keys(path, kept)
    if voice.is_json:
        voice.data({"key": name})
    else:
        voice.answer(f"removed {name}")


def _ask(name: str) -> str:
    if sys.stdin is None:
        raise InvalidInput("there is nothing to read the key from", hint="pipe it in")
    if sys.stdin.isatty():
        return str(click.prompt(f"key {name}", hide_input=True, err=True))
    return sys.stdin.read(_LONGEST).strip()


def _source(name: str, kept: dict[str, str]) -> str:
    settings = current()
    special = {key_file.OPENAI: settings.openai_api_key, key_file.SERVER: settings.token}
    held = special[name] if name in special else settings.keys[name]
    return "keys.toml" if kept.get(name) == held else key_file.variable_of(name)


def _receivers(name: str) -> str:
    settings = current()
    found = [entry.url for entry in settings.endpoints.values() if entry.key == name]
    if name == key_file.OPENAI and settings.openai_base_url:
        found.append(settings.openai_base_url)
    if name == key_file.SERVER and settings.server:
        found.append(settings.server)
    return ", ".join(found) or "nobody"
