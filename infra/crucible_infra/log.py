"""One line per event on stderr, with the run's and task's id, and without secrets.

    log.warning("reconcile_not_sent", problem="connection refused")
    2026-01-31T12:00:00.123Z WARNING reconcile_not_sent run=r-1 problem="connection refused"

`CRUCIBLE_LOG_FORMAT=json` writes the same as one JSON object per line.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TextIO
from urllib.parse import unquote, urlsplit

from crucible_infra import settings
from crucible_infra.errors import CrucibleError

_logger = logging.getLogger("crucible")

_bound: ContextVar[Mapping[str, object]] = ContextVar(
    "crucible_log_fields", default=MappingProxyType({})
)

#: what takes a secret's place
_REDACTED = "***"

#: shorter values occur by chance in ordinary text
_SHORTEST_SECRET = 6

_PATTERNS = (
    # the password in scheme://user:password@host
    re.compile(
        r"(?P<before>[a-z][a-z0-9+.-]*://[^\s:/@'\"]*:)(?P<secret>[^\s/'\"]+)(?=@)", re.IGNORECASE
    ),
    re.compile(
        r"(?P<before>authorization['\"]?\s*[:=]\s*['\"]?(?:bearer\s+|basic\s+)?)"
        r"(?P<secret>[^\s'\",}]+)",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<before>\bbearer\s+)(?P<secret>[\w.~+/=-]+)", re.IGNORECASE),
    re.compile(
        r"(?P<before>\b(?:x-)?(?:api[_-]?key|password|secret|access[_-]?token)['\"]?\s*[:=]\s*['\"]?)"
        r"(?P<secret>[^\s'\",&}]+)",
        re.IGNORECASE,
    ),
)

#: a value that needs no quotes in key=value
_PLAIN = re.compile(r"[\w.:/@%+*-]+")


def debug(event: str, **fields: object) -> None:
    """Write what only a developer wants to know."""
    _write(logging.DEBUG, event, fields)


def info(event: str, **fields: object) -> None:
    """Write what happened."""
    _write(logging.INFO, event, fields)


def warning(event: str, **fields: object) -> None:
    """Write what may need attention."""
    _write(logging.WARNING, event, fields)


def error(event: str, **fields: object) -> None:
    """Write what failed, an exception as `error=`.

    Its traceback comes along when debugging, and in a worker's log when it is none of our errors.
    """
    _write(logging.ERROR, event, fields)


def bind(**fields: object) -> None:
    """Put these fields on every later line of this thread or task; None leaves one out."""
    merged = {**_bound.get(), **fields}
    _bound.set({name: value for name, value in merged.items() if value is not None})


def unbind() -> None:
    """Forget what was bound."""
    _bound.set({})


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Bind fields for the length of a block."""
    token = _bound.set(_bound.get())
    try:
        bind(**fields)
        yield
    finally:
        _bound.reset(token)


def configure(*, level: str = "WARNING", stream: TextIO | None = None) -> None:
    """Send every log line of this process, libraries' warnings included, to stderr.

    `level` is what the command prefers; the environment may ask for another. Calling it again
    replaces what it did before. Raises InvalidInput for a setting that means nothing.
    """
    current = settings.current()
    current.check()
    chosen = "DEBUG" if current.is_debugging else current.log_level or level
    root = logging.getLogger()
    for earlier in [one for one in root.handlers if isinstance(one, _Output)]:
        root.removeHandler(earlier)
    root.addHandler(_Output(stream, _Formatter(is_json=current.log_is_json)))
    _logger.setLevel(chosen)
    # libraries talk at INFO about every request; their warnings are wanted
    root.setLevel("DEBUG" if current.is_debugging else "WARNING")


def redact(text: str) -> str:
    """The text without passwords, keys and tokens: by their place, and the configured ones."""
    for pattern in _PATTERNS:
        text = pattern.sub(_mask, text)
    for secret in _configured_secrets():
        text = text.replace(secret, _REDACTED)
    return text


class _Output(logging.StreamHandler[TextIO]):
    """Ours, so that `configure` finds it again; follows sys.stderr unless told otherwise."""

    def __init__(self, stream: TextIO | None, formatter: logging.Formatter) -> None:
        self._follows_stderr = stream is None
        super().__init__(stream)
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        if self._follows_stderr:
            # a progress bar may have put its own stream there, to write above itself
            self.stream = sys.stderr
        super().emit(record)


class _Formatter(logging.Formatter):
    """One redacted line, whatever the message holds."""

    def __init__(self, *, is_json: bool) -> None:
        super().__init__()
        self._join: Callable[[Mapping[str, object]], str] = _as_json if is_json else _as_text

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": _timestamp(record.created),
            "level": record.levelname,
            "event": record.getMessage(),
            **({} if record.name == _logger.name else {"logger": record.name}),
            **getattr(record, "fields", _bound.get()),
        }
        if record.exc_info and record.exc_info[0]:
            fields["traceback"] = self.formatException(record.exc_info)
        # each by itself, before quotes and backslashes of a secret are escaped; and the whole,
        # where a field's name tells that its value is one
        return redact(self._join({name: _clean(value) for name, value in fields.items()}))


def _write(level: int, event: str, fields: Mapping[str, object]) -> None:
    if not _logger.isEnabledFor(level):
        return
    problem = fields.get("error")
    shows_traceback = isinstance(problem, BaseException) and (
        settings.current().is_debugging
        or (_logger.isEnabledFor(logging.INFO) and not isinstance(problem, CrucibleError))
    )
    merged = {**_bound.get(), **{name: _plain(value) for name, value in fields.items()}}
    _logger.log(
        level,
        "%s",
        event,
        exc_info=problem if shows_traceback else None,  # type: ignore[arg-type] # checked above
        extra={"fields": merged},
    )


def _clean(value: object) -> object:
    return redact(value) if isinstance(value, str) else value


def _plain(value: object) -> object:
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _as_json(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=False, default=str)


def _as_text(fields: Mapping[str, object]) -> str:
    rest = dict(fields)
    head = [str(rest.pop(name)) for name in ("time", "level")]
    event = str(rest.pop("event"))
    head.append(event if "\n" not in event else json.dumps(event, ensure_ascii=False))
    return " ".join([*head, *(f"{name}={_quoted(value)}" for name, value in rest.items())])


def _quoted(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _timestamp(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds * 1000) % 1000:03d}Z"


def _mask(match: re.Match[str]) -> str:
    return f"{match['before']}{_REDACTED}"


def _configured_secrets() -> list[str]:
    current = settings.current()
    found = [current.openai_api_key, current.token, *current.keys.values()]
    for url in (current.broker_url, current.database_url, current.artifacts_url):
        password = _password(url)
        found += [password, unquote(password)] if password else []
    long_enough = {secret for secret in found if secret and len(secret) >= _SHORTEST_SECRET}
    return sorted(long_enough, key=len, reverse=True)


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None
