"""Tokens: who may ask a server beyond loopback, kept as digests in a file for its owner's eyes.

A token is shown once, when it is made. It has 256 random bits, so that its plain sha256 tells
nobody anything; and every comparison takes the same time, whatever is compared.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from crucible_infra import log
from crucible_infra.errors import FormatError, InvalidInput, NameTaken
from crucible_infra.settings import Settings
from crucible_infra.small_file import read_small_file, replace_private_file, shown

#: scanners of secrets know it by this
_PREFIX = "crucible_"

_BYTES = 32

_DAY = 86_400

#: characters; whatever somebody else's file says must not be guessed either
_SHORTEST = 24

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Token:
    """One token, without itself."""

    name: str
    sha256: str
    #: seconds since the epoch
    created_at: float
    #: None: never
    expires_at: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether nobody is let in by it any more."""
        return self.expires_at is not None and self.expires_at <= time.time()


class TokenFile:
    """The tokens of one server, read again whenever the file has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, ...] | None = None
        self._known: tuple[Token, ...] = ()

    def create(self, name: str, days: float | None = None) -> str:
        """A new token, which nobody can be told again. Raises NameTaken, InvalidInput."""
        if not _NAME.fullmatch(name):
            hint = "letters, digits, dots, dashes and underscores, like laptop"
            raise InvalidInput(f"a token cannot be called {name!r}", hint=hint)
        text = _PREFIX + secrets.token_urlsafe(_BYTES)
        now = time.time()
        expires_at = None if days is None else now + days * _DAY
        with self._locked():
            tokens = self.all()
            if any(token.name == name for token in tokens):
                hint = f"crucible token revoke {name}, or choose another name"
                raise NameTaken(f"there is a token called {name}", hint=hint)
            self._write([*tokens, Token(name, _digest(text), now, expires_at)])
        return text

    def revoke(self, name: str) -> None:
        """Let nobody in by this token any more. Raises InvalidInput where there is none."""
        with self._locked():
            tokens = self.all()
            left = [token for token in tokens if token.name != name]
            if len(left) == len(tokens):
                raise InvalidInput(f"no token is called {name!r}", hint="crucible token list")
            self._write(left)

    def all(self) -> tuple[Token, ...]:
        """Every token, expired or not. Raises InvalidInput for a file that cannot be trusted."""
        content = read_small_file(self.path, is_private=True)
        if content is None:
            return ()
        try:
            return msgspec.json.decode(content, type=tuple[Token, ...])
        except msgspec.DecodeError as error:
            raise FormatError.at(shown(self.path), None, "holds no tokens") from error

    def is_good(self, text: str) -> bool:
        """Whether this is one of them."""
        digest = _digest(text)
        found = [hmac.compare_digest(token.sha256, digest) for token in self._current()]
        return any(found)

    def _current(self) -> list[Token]:
        """Those that let somebody in; none while the file cannot be read."""
        try:
            stamp = _stamp(self.path)
            if stamp != self._stamp:
                self._known, self._stamp = self.all(), stamp
        except InvalidInput as error:
            log.error("no token lets anybody in", problem=error.message)
            return []
        return [token for token in self._known if not token.is_over]

    def _write(self, tokens: Sequence[Token]) -> None:
        replace_private_file(self.path, msgspec.json.encode(tokens))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """With no other process changing the file meanwhile."""
        lock = self.path.with_suffix(".lock")
        try:
            lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            number = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InvalidInput(f"{shown(lock)}: {error.strerror}") from error
        with os.fdopen(number, "rb"):
            fcntl.flock(number, fcntl.LOCK_EX)
            yield


def open_tokens(settings: Settings) -> TokenFile:
    """The tokens that `crucible token` makes on this host."""
    return TokenFile(settings.data_directory / "tokens.json")


def read_tokens(path: Path) -> tuple[str, ...]:
    """The digests of the tokens in a file of somebody's own, one a line.

    Raises InvalidInput, which shows none.
    """
    content = read_small_file(path)
    if content is None:
        raise InvalidInput(f"{shown(path)}: no such file")
    lines = content.decode("ascii", "replace").split()
    if not lines or any(len(line) < _SHORTEST for line in lines):
        raise FormatError.at(
            shown(path), None, f"a line of it is a token of at least {_SHORTEST} characters"
        )
    return tuple(_digest(line) for line in lines)


def is_among(digests: Sequence[str], text: str) -> bool:
    """Whether this is one of the tokens with these digests."""
    digest = _digest(text)
    found = [hmac.compare_digest(one, digest) for one in digests]
    return any(found)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size)
