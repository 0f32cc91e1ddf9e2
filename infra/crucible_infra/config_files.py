"""A configuration file: TOML, read in distrust; every mistake is one line with its place.

model = "coder"
[models.coder]
spec = "work/qwen2.5-coder:7b"
[endpoints.work]
url = "https://models.example/v1"
key = "work"
[profiles.night]
sandbox = "container"
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from crucible_infra.config_keys import KEYS, TABLES, as_text
from crucible_infra.configured_models import EndpointEntry, ModelEntry, RouterEntry, RouterMember
from crucible_infra.errors import FormatError, InvalidInput
from crucible_infra.key_file import SERVER
from crucible_infra.small_file import read_small_file, shown
from crucible_infra.toml_places import line_of

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,95}")

#: how model specs begin; a model called so could never be meant
_KINDS = ("ollama", "openai", "hf", "replay", "reference", "nano", "router", "http", "https")

_SERVERS = ("openai", "ollama")

#: where a parser tells the place
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")

#: what to say instead of "there is no setting" to whoever writes a key into a file
_SECRETS = ("api_key", "openai_api_key", "key", "keys")


@dataclass(frozen=True, slots=True)
class Given(Generic[T]):
    """Something that a file says, and where: `file:line`."""

    value: T
    place: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a file, or a profile in it, says."""

    #: by key, as its variable would hold it
    values: Mapping[str, Given[str]] = field(default_factory=dict)
    models: Mapping[str, Given[ModelEntry]] = field(default_factory=dict)
    endpoints: Mapping[str, Given[EndpointEntry]] = field(default_factory=dict)
    profiles: Mapping[str, Content] = field(default_factory=dict)

    def harmless(self) -> Content:
        """What of it counts before anybody trusts the file."""
        kept = {name: given for name, given in self.values.items() if KEYS[name].is_harmless}
        profiles = {name: content.harmless() for name, content in self.profiles.items()}
        return Content(kept, profiles=profiles)

    def of_project(self) -> Content:
        """What of it a project may say when it is trusted."""
        kept = {name: given for name, given in self.values.items() if not KEYS[name].is_users_own}
        profiles = {name: content.of_project() for name, content in self.profiles.items()}
        return replace(self, values=kept, profiles=profiles)

    def told(self) -> tuple[str, ...]:
        """Everything it says, by name."""
        return (
            *self.values,
            *(f"models.{name}" for name in self.models),
            *(f"endpoints.{name}" for name in self.endpoints),
            *(f"profiles.{name}.{one}" for name, it in self.profiles.items() for one in it.told()),
        )


def read_config_file(path: Path) -> Content:
    """What a file says; nothing where there is none. Raises InvalidInput, FormatError."""
    content = read_small_file(path)
    return Content() if content is None else understand(content, path)


def understand(content: bytes, path: Path) -> Content:
    """What the bytes of a file say. Raises FormatError."""
    import tomllib  # noqa: PLC0415 -- costs 35 ms, and most people have no such file

    name = shown(path)
    try:
        text = content.decode("utf-8-sig")
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FormatError.at(name, line, "is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        told = _PLACE.sub("", str(error))
        line_told = int(place["line"]) if place and place["line"] else None
        raise FormatError.at(name, line_told, f"no TOML: {told}") from error
    except (ValueError, RecursionError) as error:
        # a number of thousands of digits, brackets in brackets
        raise FormatError.at(name, None, "is no TOML that anybody would write") from error
    return _File(name, text).content(document, ())


@dataclass(frozen=True, slots=True)
class _File:
    """A parsed file, and how to say where in it something is wrong."""

    name: str
    text: str

    def content(self, table: Mapping[str, Any], path: tuple[str, ...]) -> Content:
        values: dict[str, Given[str]] = {}
        for name, value in table.items():
            if name in TABLES and not (name == "profiles" and path):
                self._table(value, (*path, name))
                continue
            key = KEYS.get(name)
            if key is None:
                raise self._unknown((*path, name))
            if problem := key.problem(value):
                raise self._wrong((*path, name), problem)
            values[name] = self._given((*path, name), as_text(value))
        return Content(
            values,
            self._named(table, (*path, "models"), self._model),
            self._named(table, (*path, "endpoints"), self._endpoint),
            self._named(table, (*path, "profiles"), self.content) if not path else {},
        )

    def _named(self, table: Mapping[str, Any], path: tuple[str, ...], read: Any) -> dict[str, Any]:
        """The entries of one of the tables, each read; profiles bring their own places."""
        found = {}
        for name, entry in table.get(path[-1], {}).items():
            here = (*path, name)
            if not _NAME.fullmatch(name) or name.partition(":")[0] in _KINDS:
                raise self._wrong(here, f"nothing can be called {name!r} here")
            value = read(self._table(entry, here), here)
            found[name] = value if isinstance(value, Content) else self._given(here, value)
        return found

    def _model(self, entry: Mapping[str, Any], path: tuple[str, ...]) -> ModelEntry:
        if entry.get("kind") is None:
            self._only(entry, path, ("spec",))
            return ModelEntry(spec=self._text(entry, path, "spec"))
        self._only(entry, path, ("kind", "policy", "members", "escalate_on", "max_draws"))
        if entry["kind"] != "router":
            raise self._wrong((*path, "kind"), "the only kind is router; an alias has a spec alone")
        draws = entry.get("max_draws", RouterEntry.__dataclass_fields__["max_draws"].default)
        if type(draws) is not int or draws < 1:
            raise self._wrong((*path, "max_draws"), "max_draws wants a whole number from 1")
        members = self._list(entry, path, "members")
        return ModelEntry(
            router=RouterEntry(
                self._text(entry, path, "policy"),
                tuple(self._member(member, (*path, "members")) for member in members),
                tuple(str(signal) for signal in self._list(entry, path, "escalate_on", str)),
                draws,
            )
        )

    def _member(self, member: Any, path: tuple[str, ...]) -> RouterMember:
        table = self._table(member, path)
        self._only(table, path, ("role", "spec"))
        return RouterMember(self._text(table, path, "role"), self._text(table, path, "spec"))

    def _endpoint(self, entry: Mapping[str, Any], path: tuple[str, ...]) -> EndpointEntry:
        self._only(entry, path, ("url", "kind", "key"))
        url = self._text(entry, path, "url")
        if problem := _url_problem(url):
            raise self._wrong((*path, "url"), problem)
        kind = self._text(entry, path, "kind") if "kind" in entry else "openai"
        if kind not in _SERVERS:
            raise self._wrong((*path, "kind"), f"kind is {' or '.join(_SERVERS)}, not {kind!r}")
        key = self._text(entry, path, "key") if "key" in entry else None
        if key == SERVER:
            raise self._wrong((*path, "key"), f"the key {SERVER} is the token of CRUCIBLE_SERVER")
        return EndpointEntry(url, kind, key)

    def _list(
        self, entry: Mapping[str, Any], path: tuple[str, ...], name: str, kind: type = dict
    ) -> list[Any]:
        found = entry.get(name, [])
        if not isinstance(found, list) or not all(isinstance(one, kind) for one in found):
            raise self._wrong((*path, name), f"{name} wants a list")
        return found

    def _text(self, entry: Mapping[str, Any], path: tuple[str, ...], name: str) -> str:
        found = entry.get(name)
        if not isinstance(found, str) or not found or not found.isprintable():
            raise self._wrong((*path, name), f'{".".join(path)} wants {name} = "…"')
        return found

    def _table(self, value: Any, path: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(path, f"{'.'.join(path)} is a table: [{'.'.join(path)}]")
        return value

    def _only(
        self, entry: Mapping[str, Any], path: tuple[str, ...], known: tuple[str, ...]
    ) -> None:
        for name in entry:
            if name not in known:
                raise self._wrong((*path, name), f"{name!r} is none of {', '.join(known)}")

    def _unknown(self, path: tuple[str, ...]) -> FormatError:
        name = path[-1]
        if name in _SECRETS:
            return self._wrong(path, "keys are kept apart: crucible keys set NAME")
        close = difflib.get_close_matches(name, (*KEYS, *TABLES), n=1)
        more = f"; did you mean {close[0]!r}" if close else ""
        return self._wrong(path, f"there is no setting {name!r}{more}")

    def _given(self, path: tuple[str, ...], value: T) -> Given[T]:
        line = line_of(self.text, path)
        return Given(value, self.name if line is None else f"{self.name}:{line}")

    def _wrong(self, path: tuple[str, ...], problem: str) -> FormatError:
        return FormatError.at(self.name, line_of(self.text, path), problem)


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or " " in url:
        return "url wants something like http://localhost:8000/v1"
    if "@" in parts.netloc:
        return "url must not carry a user or a password: crucible keys set NAME"
    return None


def error_place(error: InvalidInput) -> str:
    """The mistake of a file that nobody trusts, fit for a terminal."""
    return error.message if error.message.isprintable() else repr(error.message)
