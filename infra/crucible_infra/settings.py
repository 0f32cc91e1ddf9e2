"""Every setting, its default and why; the only reader of the environment."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from crucible_infra.configured_models import ModelEntry
from crucible_infra.errors import InvalidInput

#: Celery's in-process transport: the embedded default needs no server.
EMBEDDED_BROKER_URL = "memory://"

#: `process` is no security boundary and never chosen by itself
SANDBOXES = ("namespaces", "container", "process")

#: a measured throughput must be the sandbox's own, and not every host may be trusted
VERDICT_CACHES = ("on", "off")

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

LOG_FORMATS = ("text", "json")

#: what only this host can reach
_LOOPBACK = "127.0.0.1"

_LARGEST_PORT = 65535

#: seconds a server may be away: a restart, or a laptop's lid, but not a person's whole patience
_OUTAGE_SECONDS = 60.0


#: what holds a password, and may therefore stand in a file that `<NAME>_FILE` names: environments
#: are shown by `docker inspect` and inherited by every child
SECRETS = ("CRUCIBLE_BROKER_URL", "CRUCIBLE_DATABASE_URL", "OPENAI_API_KEY")


@dataclass(frozen=True, slots=True)
class UnreadSecret:
    """What is wrong with a `…_FILE` variable, and what to do about it."""

    problem: str
    hint: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says, read once per process."""

    #: results, models' adapters, dataset cache; survives upgrades
    data_directory: Path
    #: files that can be fetched again
    cache_directory: Path
    #: Redis in a cluster; `memory://` on a laptop
    broker_url: str
    #: Postgres in a cluster; a SQLite file on a laptop
    database_url: str
    #: any fsspec URL; every host of a cluster must see the same one
    artifacts_url: str
    #: model spec used when no `--model` is given; None probes the usual ports
    default_model: str | None
    ollama_host: str | None
    openai_base_url: str | None
    openai_api_key: str | None
    #: "namespaces", or "process" for no isolation at all, which is never chosen by itself
    sandbox_backend: str
    #: how long a model server or broker that refuses connections is waited for; NaN if unreadable
    outage_seconds: float
    is_debugging: bool
    #: a level's name in capitals; None leaves it to the command (workers talk more than doors)
    log_level: str | None
    #: "json" is one object per line, for log collectors; "text" is `key=value`
    log_format: str
    #: continuous integration: a missing service is a failure, progress is plain lines
    is_ci: bool
    no_color: bool
    force_color: bool
    terminal: str
    #: set by a shell that asks for TAB completion; None otherwise
    completion: str | None = None
    #: "docker", "podman" or a path; None takes whichever is on the PATH
    container_engine: str | None = None
    #: like `runsc`; None is the engine's own
    container_runtime: str | None = None
    #: with a Python of its own; None brings this host's
    container_image: str | None = None
    #: the executable that runs JavaScript; None takes the first new enough on this host
    node: str | None = None
    #: why a `…_FILE` variable could not be followed; None when all could
    unread_secret: UnreadSecret | None = None
    #: where Prometheus finds the first worker of this host; 0 takes any, None serves nothing,
    #: -1 is unreadable
    metrics_port: int | None = None
    #: metrics ask for no password, so they stay on this host unless told otherwise
    metrics_address: str = _LOOPBACK
    #: "off" judges every program anew
    verdict_cache: str = "on"
    #: the GPUs this process may use, as CUDA reads it; None is all of them
    cuda_visible_devices: str | None = None
    #: models by the names that configuration files give them
    models: Mapping[str, ModelEntry] = field(default_factory=dict, hash=False)

    @property
    def is_embedded(self) -> bool:
        """Whether tasks run in this process."""
        return self.broker_url == EMBEDDED_BROKER_URL

    @property
    def remembers_verdicts(self) -> bool:
        """Whether identical programs are judged once over all runs and hosts."""
        return self.verdict_cache == "on"

    @property
    def log_is_json(self) -> bool:
        """Whether the log is for a collector."""
        return self.log_format == "json"

    @property
    def has_database_url(self) -> bool:
        """Whether a database was named, rather than left to this host's own file."""
        return self.database_url != f"sqlite:///{self.database_file}"

    @property
    def database_file(self) -> Path:
        """Where runs are kept when no database is named."""
        return self.data_directory / "crucible.db"

    def check(self) -> None:
        """Refuse a value that means nothing, which would else be ignored. Raises InvalidInput."""
        if self.unread_secret is not None:
            raise InvalidInput(self.unread_secret.problem, hint=self.unread_secret.hint)
        _one_of("CRUCIBLE_SANDBOX", self.sandbox_backend, SANDBOXES)
        _one_of("CRUCIBLE_VERDICT_CACHE", self.verdict_cache, VERDICT_CACHES)
        _one_of("CRUCIBLE_LOG_FORMAT", self.log_format, LOG_FORMATS)
        if self.log_level is not None:
            _one_of("CRUCIBLE_LOG_LEVEL", self.log_level, LOG_LEVELS)
        if not 0 <= self.outage_seconds < math.inf:
            raise InvalidInput(
                "CRUCIBLE_OUTAGE_SECONDS is not a number of seconds",
                hint=f"like {_OUTAGE_SECONDS:g}; 0 waits for no server",
            )
        if self.metrics_port is not None and not 0 <= self.metrics_port <= _LARGEST_PORT:
            raise InvalidInput(
                "CRUCIBLE_METRICS_PORT is not a port", hint="like 9464; 0 takes any free one"
            )


def read(environment: Mapping[str, str]) -> Settings:
    """Settings from a mapping shaped like `os.environ`.

    A secret's file that cannot be read is told by `check`, which every command calls; here it
    would hit those that only want to know whether to paint.
    """
    environment, unread = _with_secrets(environment)
    home = environment.get("CRUCIBLE_HOME")
    data = Path(home) if home else _xdg(environment, "XDG_DATA_HOME", ".local/share")
    cache_directory = data / "cache" if home else _xdg(environment, "XDG_CACHE_HOME", ".cache")
    return Settings(
        data_directory=data,
        cache_directory=cache_directory,
        broker_url=environment.get("CRUCIBLE_BROKER_URL") or EMBEDDED_BROKER_URL,
        database_url=environment.get("CRUCIBLE_DATABASE_URL")
        or f"sqlite:///{data / 'crucible.db'}",
        artifacts_url=environment.get("CRUCIBLE_ARTIFACTS_URL") or str(data / "artifacts"),
        default_model=environment.get("CRUCIBLE_MODEL") or None,
        ollama_host=environment.get("OLLAMA_HOST") or None,
        openai_base_url=environment.get("OPENAI_BASE_URL") or None,
        openai_api_key=environment.get("OPENAI_API_KEY") or None,
        sandbox_backend=environment.get("CRUCIBLE_SANDBOX") or "namespaces",
        outage_seconds=_seconds(environment.get("CRUCIBLE_OUTAGE_SECONDS")),
        is_debugging=environment.get("CRUCIBLE_DEBUG", "") not in ("", "0"),
        log_level=(environment.get("CRUCIBLE_LOG_LEVEL") or "").upper() or None,
        log_format=(environment.get("CRUCIBLE_LOG_FORMAT") or "text").lower(),
        is_ci=environment.get("CI", "") not in ("", "0", "false"),
        no_color=bool(environment.get("NO_COLOR")),
        force_color=any(
            environment.get(name, "") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")
        ),
        terminal=environment.get("TERM", ""),
        completion=environment.get("_CRUCIBLE_COMPLETE") or None,
        container_engine=environment.get("CRUCIBLE_CONTAINER_ENGINE") or None,
        container_runtime=environment.get("CRUCIBLE_CONTAINER_RUNTIME") or None,
        container_image=environment.get("CRUCIBLE_CONTAINER_IMAGE") or None,
        node=environment.get("CRUCIBLE_NODE") or None,
        unread_secret=unread,
        metrics_port=_port(environment.get("CRUCIBLE_METRICS_PORT")),
        metrics_address=environment.get("CRUCIBLE_METRICS_ADDRESS") or _LOOPBACK,
        verdict_cache=environment.get("CRUCIBLE_VERDICT_CACHE") or "on",
        cuda_visible_devices=environment.get("CUDA_VISIBLE_DEVICES"),
    )


@cache
def current() -> Settings:
    """This process' settings."""
    return read(os.environ)


def _with_secrets(
    environment: Mapping[str, str],
) -> tuple[Mapping[str, str], UnreadSecret | None]:
    """The environment with the content of every `<SECRET>_FILE`, and the first that has none."""
    found, unread = dict(environment), None
    for name in SECRETS:
        path = environment.get(f"{name}_FILE")
        if not path:
            continue
        if environment.get(name):
            problem = f"{name} and {name}_FILE are both set"
            unread = unread or UnreadSecret(problem, f"unset one of them; {name}_FILE is {path}")
            continue
        try:
            found[name] = _first_line(Path(path))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            hint = "a file that this user can read, with the value on its only line"
            unread = unread or UnreadSecret(f"{name}_FILE: {path}: {reason}", f"it names {hint}")
    return found, unread


def _first_line(path: Path) -> str:
    """The only line of a file. Raises OSError or ValueError, neither of which shows the secret."""
    try:
        # editors and `echo` end a file with a newline
        text = path.read_text("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None
    if not text or len(text.splitlines()) > 1:
        raise ValueError("it is empty" if not text else "it has more than one line")
    return text


def prefer(variable: str, value: str) -> None:
    """Let a flag win over the environment, in this process and in those it starts."""
    os.environ[variable] = value
    current.cache_clear()


def for_child(**changes: str) -> dict[str, str]:
    """This process' environment with some changes, for a process it starts."""
    return {**os.environ, **changes}


def _xdg(environment: Mapping[str, str], variable: str, fallback: str) -> Path:
    base = environment.get(variable)
    root = Path(base) if base else Path(environment.get("HOME") or "~").expanduser() / fallback
    return root / "codecrucible"


def _seconds(text: str | None) -> float:
    try:
        return float(text) if text else _OUTAGE_SECONDS
    except ValueError:
        return math.nan


def _port(text: str | None) -> int | None:
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() else -1


def _one_of(variable: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidInput(
            f"{variable}: there is no {value!r}", hint=f"{variable} is one of {', '.join(known)}"
        )
