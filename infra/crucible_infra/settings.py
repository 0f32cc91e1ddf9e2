"""Every setting, its default and why; the only reader of the environment.

The environment wins over the files of `configuration`, and a flag wins over the environment.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from crucible_infra import server_address
from crucible_infra.config_keys import KEYS, LOG_FORMATS, LOG_LEVELS, SANDBOXES, VERDICT_CACHES
from crucible_infra.configuration import Configuration, Places, read_configuration
from crucible_infra.configured_models import EndpointEntry, ModelEntry
from crucible_infra.errors import InvalidInput
from crucible_infra.key_file import OPENAI, SERVER, read_keys, variable_of
from crucible_infra.secret_files import Flaw, with_secrets

#: Celery's in-process transport: the embedded default needs no server.
EMBEDDED_BROKER_URL = "memory://"

#: what only this host can reach
_LOOPBACK = "127.0.0.1"

_LARGEST_PORT = 65535

#: of our directories among everybody's
_NAME = "codecrucible"

#: the user's, and the system's
CONFIG_FILE = "config.toml"

#: seconds a server may be away: a restart, or a laptop's lid, but not a person's whole patience
_OUTAGE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment and the files of configuration say, read once per process."""

    #: results, models' adapters, dataset cache; survives upgrades
    data_directory: Path
    #: files that can be fetched again
    cache_directory: Path
    #: what is worth keeping and no result: the lines that were typed in a chat
    state_directory: Path
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
    openai_api_key: str | None = field(repr=False)
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
    #: why a `…_FILE` variable or a file of configuration does not count; None when all do
    flaw: Flaw | None = None
    #: where Prometheus finds the first worker of this host; 0 takes any, None serves nothing,
    #: -1 is unreadable
    metrics_port: int | None = None
    #: metrics ask for no password, so they stay on this host unless told otherwise
    metrics_address: str = _LOOPBACK
    #: where a browser finds Flower; None links nothing
    flower_url: str | None = None
    #: "off" judges every program anew
    verdict_cache: str = "on"
    #: the GPUs this process may use, as CUDA reads it; None is all of them
    cuda_visible_devices: str | None = None
    #: which profile of the files was chosen
    profile: str | None = None
    #: whether an answer's code alone is wanted
    extract: bool = False
    #: what every question of the user's begins with
    system: str | None = None
    #: models by the names that configuration files give them
    models: Mapping[str, ModelEntry] = field(default_factory=dict, hash=False)
    #: model servers by the names that configuration files give them
    endpoints: Mapping[str, EndpointEntry] = field(default_factory=dict, hash=False)
    #: what is sent to endpoints, by the names of `crucible keys`
    keys: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    #: for every key of a file that holds, its place
    places: Mapping[str, str] = field(default_factory=dict, hash=False)
    #: why something in a file was ignored, for the user to hear
    notes: tuple[str, ...] = ()
    #: where programs are looked for
    search_path: str = ""
    #: the `crucible serve` that does what commands ask for; None does it here or on the cluster
    server: str | None = None
    #: lets commands in there
    token: str | None = field(default=None, repr=False)

    @property
    def is_embedded(self) -> bool:
        """Whether tasks run in this process."""
        return self.broker_url == EMBEDDED_BROKER_URL

    @property
    def runs_here(self) -> bool:
        """Whether this process does the work of runs: no cluster does, and no server."""
        return self.is_embedded and self.server is None

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

    @property
    def trusted_file(self) -> Path:
        """Which project files are trusted."""
        return self.data_directory / "trusted.json"

    def check(self) -> None:
        """Refuse a value that means nothing, which would else be ignored. Raises InvalidInput."""
        if self.flaw is not None:
            raise InvalidInput(self.flaw.problem, hint=self.flaw.hint)
        if self.server is not None:
            named = {
                "CRUCIBLE_BROKER_URL": not self.is_embedded,
                "CRUCIBLE_DATABASE_URL": self.has_database_url,
            }
            server_address.check(self.server, self.token, [one for one in named if named[one]])
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
        if self.flower_url is not None and not self.flower_url.startswith(("http://", "https://")):
            raise InvalidInput(
                "CRUCIBLE_FLOWER_URL is no address of a page", hint="like http://queue:5555/"
            )
        if self.metrics_port is not None and not 0 <= self.metrics_port <= _LARGEST_PORT:
            raise InvalidInput(
                "CRUCIBLE_METRICS_PORT is not a port", hint="like 9464; 0 takes any free one"
            )


def read(environment: Mapping[str, str]) -> Settings:
    """Settings from a mapping shaped like `os.environ`, and no file of configuration.

    A secret's file that cannot be read is told by `check`, which every command calls; here it
    would hit those that only want to know whether to paint.
    """
    environment, unread = with_secrets(environment)
    home = environment.get("CRUCIBLE_HOME")
    data = Path(home) if home else _xdg(environment, "XDG_DATA_HOME", ".local/share")
    cache_directory = data / "cache" if home else _xdg(environment, "XDG_CACHE_HOME", ".cache")
    state_directory = (
        data / "state" if home else _xdg(environment, "XDG_STATE_HOME", ".local/state")
    )
    return Settings(
        data_directory=data,
        cache_directory=cache_directory,
        state_directory=state_directory,
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
        flaw=unread,
        metrics_port=_port(environment.get("CRUCIBLE_METRICS_PORT")),
        metrics_address=environment.get("CRUCIBLE_METRICS_ADDRESS") or _LOOPBACK,
        flower_url=environment.get("CRUCIBLE_FLOWER_URL") or None,
        verdict_cache=environment.get("CRUCIBLE_VERDICT_CACHE") or "on",
        cuda_visible_devices=environment.get("CUDA_VISIBLE_DEVICES"),
        **_of_the_door(environment),
    )


def _of_the_door(environment: Mapping[str, str]) -> dict[str, Any]:
    """What only commands want to know."""
    return {
        "profile": environment.get("CRUCIBLE_PROFILE") or None,
        "extract": environment.get("CRUCIBLE_EXTRACT", "") not in ("", "0", "false"),
        "system": environment.get("CRUCIBLE_SYSTEM") or None,
        "search_path": environment.get("PATH", ""),
        "server": (environment.get("CRUCIBLE_SERVER") or "").rstrip("/") or None,
        "token": environment.get("CRUCIBLE_TOKEN") or None,
    }


def read_with_files(environment: Mapping[str, str]) -> Settings:
    """Settings from the environment, and from files where it says nothing.

    Files that cannot be used are told by `check`, for the same reason.
    """
    said = read(environment)
    try:
        configuration = read_configuration(places(environment), said.profile)
        keys = read_keys(keys_file(environment))
    except InvalidInput as error:
        return replace(said, flaw=said.flaw or Flaw(error.message, error.hint))
    held = {
        name: given
        for name, given in configuration.values.items()
        if not _is_set(environment, KEYS[name].variable)
    }
    filled = {KEYS[name].variable: given.value for name, given in held.items()}
    endpoints = {name: given.value for name, given in configuration.endpoints.items()}
    keys = _with_keys(environment, keys, endpoints)
    whole = read({**environment, **filled})
    token = whole.token or keys.get(SERVER)
    return replace(
        whole,
        token=token,
        openai_api_key=whole.openai_api_key or keys.get(OPENAI),
        models={name: given.value for name, given in configuration.models.items()},
        endpoints=endpoints,
        keys=keys,
        places={**{name: given.place for name, given in held.items()}, **_places(configuration)},
        notes=(*configuration.notes, *server_address.notes(whole.server, token)),
    )


@cache
def current() -> Settings:
    """This process' settings."""
    return read_with_files(os.environ)


def of_environment() -> Settings:
    """What the environment alone says, before anybody wants to know more: help reads no file."""
    return read(os.environ)


def origin(name: str) -> str:
    """Where the value of a configuration's key comes from."""
    variable = KEYS[name].variable
    for one in (variable, f"{variable}_FILE"):
        if os.environ.get(one):
            return one
    return current().places.get(name, "built-in")


def places(environment: Mapping[str, str] | None = None) -> Places:
    """Where files of configuration are looked for; without an environment, in this process'."""
    environment = os.environ if environment is None else environment
    system = (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    try:
        here: Path | None = Path.cwd()
    except OSError:
        here = None
    return Places(
        tuple(Path(one) / _NAME / CONFIG_FILE for one in system if one.startswith("/")),
        _config_directory(environment) / CONFIG_FILE,
        here,
        read(environment).trusted_file,
    )


def keys_file(environment: Mapping[str, str] | None = None) -> Path:
    """Where keys are kept."""
    return _config_directory(os.environ if environment is None else environment) / "keys.toml"


def _config_directory(environment: Mapping[str, str]) -> Path:
    home = environment.get("CRUCIBLE_HOME")
    return Path(home) if home else _xdg(environment, "XDG_CONFIG_HOME", ".config")


def _is_set(environment: Mapping[str, str], variable: str) -> bool:
    return bool(environment.get(variable) or environment.get(f"{variable}_FILE"))


def _with_keys(
    environment: Mapping[str, str],
    keys: Mapping[str, str],
    endpoints: Mapping[str, EndpointEntry],
) -> dict[str, str]:
    """The keys of the file, and of the environment, which wins."""
    wanted = {*keys, *(entry.key for entry in endpoints.values() if entry.key)}
    given = {name: environment.get(variable_of(name)) or keys.get(name) for name in wanted}
    return {name: key for name, key in given.items() if key}


def _places(configuration: Configuration) -> dict[str, str]:
    return {
        **{f"models.{name}": given.place for name, given in configuration.models.items()},
        **{f"endpoints.{name}": given.place for name, given in configuration.endpoints.items()},
    }


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
    return root / _NAME


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
