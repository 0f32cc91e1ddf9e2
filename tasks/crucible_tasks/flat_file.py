"""A flat YAML file of lines like `n: 1`, as users write them; every mistake has its line.

The file is a flat mapping whose values are words or lists of words, so it is read from the
parser's events alone: nothing of it is ever constructed, nesting is refused where it begins, and
each word is read as its key wants it (`no` is a model's name, never a truth value).
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.text_file import read_text_file

#: a thousand models fit; PyYAML reads this much in half a second
MAX_BYTES = 65_536

#: what YAML calls nothing
_NOTHING = ("", "~", "null", "Null", "NULL")

#: how alike a typo and a key must be (difflib's ratio) to ask "did you mean"
_LIKENESS = 0.6

_WHOLE = re.compile(r"[+-]?[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Key:
    """How the words of one key are read; `read` raises ValueError with what it wants."""

    read: Callable[[str], Any]
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """What such a file is about, for its messages."""

    #: what one file holds: "sweep"
    noun: str
    #: a line that could stand in it
    example: str
    keys: Mapping[str, Key]


@dataclass(frozen=True, slots=True)
class FlatFile:
    """What a file says, and where."""

    #: as the user wrote it
    path: str
    values: Mapping[str, Any]
    #: where each key is
    lines: Mapping[str, int]
    #: where each value of a list is
    value_lines: Mapping[tuple[str, object], int]


def read_flat_file(path: str, kind: Kind) -> FlatFile:
    """Read and check a file of this kind.

    Raises FormatError, which names file, line and key, and InvalidInput for what is no such file.
    """
    return _Reader(path, kind, read_text_file(path, MAX_BYTES, f"{kind.noun} file")).read()


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Reads a whole number between bounds."""
    wanted = f"a whole number of at least {least}"
    if most is not None:
        wanted = f"a whole number from {least} to {most}"

    def read(word: str) -> int:
        # longer ones are refused before Python works on them
        if not _WHOLE.fullmatch(word) or len(word) > 18:
            raise ValueError(wanted)
        number = int(word)
        if number < least or (most is not None and number > most):
            raise ValueError(wanted)
        return number

    return read


def number(wanted: str, is_right: Callable[[float], bool]) -> Callable[[str], float]:
    """Reads a finite number that is right."""

    def read(word: str) -> float:
        try:
            found = float(word)
        except ValueError:
            found = math.nan
        if not math.isfinite(found) or not is_right(found):
            raise ValueError(wanted)
        return found

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """Reads one of these words."""

    def read(word: str) -> str:
        if word not in words:
            raise ValueError(f"{', '.join(words[:-1])} or {words[-1]}")
        return word

    return read


class _Reader:
    """Goes through one file's events once."""

    def __init__(self, path: str, kind: Kind, text: str) -> None:
        self._path = path
        self._kind = kind
        self._events = self._parsed(text)
        self._values: dict[str, Any] = {}
        self._lines: dict[str, int] = {}
        self._value_lines: dict[tuple[str, object], int] = {}

    def read(self) -> FlatFile:
        noun = self._kind.noun
        self._next()
        if isinstance(self._next(), yaml.StreamEndEvent):
            raise InvalidInput(f"{self._path}: is empty", hint=self._hint())
        top = self._next()
        if not isinstance(top, yaml.MappingStartEvent):
            lines = f"a {noun} file consists of lines like `{self._kind.example}`"
            raise self._error(top, lines, self._hint())
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            self._read_key(event)
        self._next()
        if not isinstance(extra := self._next(), yaml.StreamEndEvent):
            raise self._error(extra, f"a second document begins here; one file is one {noun}")
        return FlatFile(self._path, self._values, self._lines, self._value_lines)

    def _read_key(self, event: yaml.Event) -> None:
        name = self._word(event, "a key")
        if name not in self._kind.keys:
            problem = f"{name}: is not a key of a {self._kind.noun} file"
            raise self._error(event, problem, self._hint(name))
        if name in self._lines:
            raise self._error(event, f"{name}: is there already, in line {self._lines[name]}")
        self._lines[name] = _line(event)
        value = self._next()
        if isinstance(value, yaml.SequenceStartEvent):
            self._values[name] = self._read_list(name, value)
            return
        found = self._read_word(name, value)
        self._values[name] = (found,) if self._kind.keys[name].is_list else found

    def _read_list(self, name: str, start: yaml.Event) -> tuple[Any, ...]:
        if not self._kind.keys[name].is_list:
            raise self._error(start, f"{name}: takes one value, not a list")
        found: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            value = self._read_word(name, event)
            if value in found:
                raise self._error(event, f"{name}: {value} is there twice")
            found.append(value)
        if not found:
            raise self._error(start, f"{name}: the list is empty")
        return tuple(found)

    def _read_word(self, name: str, event: yaml.Event) -> Any:
        word = self._word(event, f"{name}: a value")
        if word in _NOTHING:
            raise self._error(event, f"{name}: has no value")
        try:
            value = self._kind.keys[name].read(word)
        except ValueError as error:
            raise self._error(event, f"{name}: {_short(word)} is not {error}") from error
        self._value_lines[name, value] = _line(event)
        return value

    def _word(self, event: yaml.Event, what: str) -> str:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise self._error(event, f"{what} must be written out: no & and no *")
        if getattr(event, "tag", None) is not None:
            raise self._error(event, f"{what} must not have a tag (!)")
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error(event, f"{what} must be a word, not a list or a mapping")
        return str(event.value)

    def _next(self) -> yaml.Event:
        return next(self._events)

    def _parsed(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else None
            problem = f"is not YAML: {error.problem or error.context}"
            raise FormatError.at(self._path, line, problem) from error
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise FormatError.at(
                self._path, line, f"holds the character U+{ord(text[error.position]):04X}"
            ) from error

    def _error(self, event: yaml.Event, problem: str, hint: str | None = None) -> FormatError:
        error = FormatError.at(self._path, _line(event), problem)
        error.hint = hint
        return error

    def _hint(self, typo: str | None = None) -> str:
        keys = self._kind.keys
        close = difflib.get_close_matches(typo or "", keys, n=1, cutoff=_LIKENESS)
        return f"did you mean {close[0]}?" if close else f"keys are {', '.join(keys)}"


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    assert mark is not None
    line: int = mark.line
    return line + 1


def _short(word: str) -> str:
    """A word in an error message: on one line, and not the whole file."""
    return repr(word if len(word) <= 40 else f"{word[:40]}…")
