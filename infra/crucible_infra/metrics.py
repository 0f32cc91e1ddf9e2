"""Metrics for Prometheus: counted here, served over HTTP, and nothing at all while not asked for.

The one place that knows prometheus_client, which is not even imported before `serve`. Labels name
contracts, outcomes, queues, models and GPUs, never runs, challenges or hosts: what grows with use
would grow a Prometheus without bound, and is in the log instead.

Every worker process serves its own figures, because they end with it. The first process of a host
takes CRUCIBLE_METRICS_PORT, the next one the port after it, and so on: a scrape configuration
lists the ports of a host from there on. A directory shared by all of them would give one port, but
keeps the figures of dead processes and allows none that are looked up when asked for.

Workers have thread pools, whose counters are these. A forked pool's would stay in its children.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

from crucible_infra import log
from crucible_infra.errors import InvalidInput

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

#: ports tried from the first one on: a host of eight GPUs has a process for each of them, and
#: few others; a Prometheus has to be told of every one
SLOTS = 16

#: upper ends in seconds: a store takes milliseconds, a judged challenge a fraction of a second to
#: a minute, a sampled one up to the 900 s after which it counts as lost and the 3000 s after which
#: it is killed; about a factor of three each, since nobody asks for more than "where is it stuck"
BUCKETS = (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 900, 3000)

#: a cluster serves a dozen models; whoever tries a hundred adapters sees the others as one
MOST_MODELS = 100

_OTHER_MODELS = "other"

#: the package that brings what this module needs
_EXTRA = "codecrucible[cluster]"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that is looked up when Prometheus asks; a counter when its name ends in _total."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


Source = Callable[[], Iterable[Figure]]


@dataclass(frozen=True, slots=True)
class _Counted:
    name: str
    help: str
    labels: tuple[str, ...]


_TASKS = _Counted("crucible_tasks_total", "Tasks that ended here.", ("contract", "outcome"))
_PROGRAMS = _Counted(
    "crucible_judged_programs_total", "Completions that got a verdict here.", ("outcome",)
)
_REFUSALS = _Counted(
    "crucible_sandbox_refusals_total",
    "Evaluation requests that the sandbox here would not or could not judge.",
    ("reason",),
)
_COMPLETIONS = _Counted(
    "crucible_sampled_completions_total", "Completions sampled here.", ("model",)
)
_PROMPT_TOKENS = _Counted(
    "crucible_prompt_tokens_total", "Prompt tokens, as the model's server counts.", ("model",)
)
_COMPLETION_TOKENS = _Counted(
    "crucible_completion_tokens_total", "Sampled tokens, as the model's server counts.", ("model",)
)
_FAILURES = _Counted(
    "crucible_generation_failures_total", "Requests a model left unfinished.", ("model",)
)
_COUNTED = (
    _TASKS,
    _PROGRAMS,
    _REFUSALS,
    _COMPLETIONS,
    _PROMPT_TOKENS,
    _COMPLETION_TOKENS,
    _FAILURES,
)


class _Meters:
    """Everything that is counted in this process."""

    def __init__(self) -> None:
        from prometheus_client import (  # noqa: PLC0415 -- optional, and nobody else needs it
            CollectorRegistry,
            Counter,
            Gauge,
            Histogram,
            ProcessCollector,
            disable_created_metrics,
        )

        # one more series for each counter, which nothing here asks for
        disable_created_metrics()  # type: ignore[no-untyped-call] # its one function without types
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.counters = {
            one.name: Counter(one.name, one.help, one.labels, registry=registry) for one in _COUNTED
        }
        self.seconds = Histogram(
            "crucible_task_duration_seconds",
            "How long tasks took here.",
            ["contract"],
            buckets=BUCKETS,
            registry=registry,
        )
        self.drained = Gauge(
            "crucible_host_drained",
            "1 where a canary's verdict was wrong, so that no more programs are judged.",
            registry=registry,
        )
        self.queues = Gauge(
            "crucible_worker_info",
            "1 for each queue this process serves.",
            ["queue"],
            registry=registry,
        )
        self.models: set[str] = set()

    def count(self, what: _Counted, *labels: str, by: float = 1) -> None:
        """Add to one of the counters; 0 makes it visible."""
        self.counters[what.name].labels(*labels).inc(by)


@dataclass(frozen=True, slots=True)
class _Serving:
    meters: _Meters
    port: int
    #: ends the HTTP server
    close: Callable[[], None]


_serving: _Serving | None = None
_sources: list[Source] = []
_lock = threading.Lock()


def check() -> None:
    """Raise InvalidInput when this installation cannot serve metrics."""
    try:
        import prometheus_client  # noqa: F401, PLC0415 -- optional
    except ImportError as error:
        raise InvalidInput(
            "CRUCIBLE_METRICS_PORT is set and prometheus-client is not installed",
            hint=f"pip install '{_EXTRA}', or unset CRUCIBLE_METRICS_PORT",
        ) from error


def serve(port: int, address: str) -> int:
    """Count from now on, and answer on the first free port from this one; 0 takes any.

    Returns the port; a process that serves already stays where it is. Raises InvalidInput when
    there is no free one, no such address, or no prometheus-client.
    """
    global _serving  # noqa: PLW0603 -- one for the process, as its counters
    check()
    with _lock:
        if _serving is None:
            meters = _Meters()
            meters.registry.register(_LookedUp())
            _serving = _listen(meters, port, address)
        return _serving.port


def stop() -> None:
    """Forget everything counted, and answer no more."""
    global _serving
    with _lock:
        serving, _serving = _serving, None
        _sources.clear()
    if serving is not None:
        serving.close()


def look_up(source: Source) -> None:
    """Ask this for figures whenever Prometheus does."""
    _sources.append(source)


def task_ended(contract: str, outcome: str, seconds: float) -> None:
    """Count one task."""
    if _serving is not None:
        _serving.meters.count(_TASKS, contract, outcome)
        _serving.meters.seconds.labels(contract).observe(seconds)


def tasks_expected(contracts: Iterable[str], outcomes: Iterable[str]) -> None:
    """Show these as 0 from the start: Prometheus sees no increase where there was nothing."""
    if _serving is not None:
        for contract, outcome in product(contracts, outcomes):
            _serving.meters.seconds.labels(contract)
            _serving.meters.count(_TASKS, contract, outcome, by=0)


def programs_judged(counts: Mapping[str, int]) -> None:
    """Count completions by the outcome of their verdict; 0 makes one visible."""
    if _serving is not None:
        for outcome, count in counts.items():
            _serving.meters.count(_PROGRAMS, outcome, by=count)


def sandbox_refused(reason: str, count: int = 1) -> None:
    """Count requests that were not judged here; 0 makes a reason visible."""
    if _serving is not None:
        _serving.meters.count(_REFUSALS, reason, by=count)


@dataclass(frozen=True, slots=True)
class Sampled:
    """What one request to a model brought; tokens are 0 where its server does not count."""

    completions: int
    prompt_tokens: int
    completion_tokens: int
    has_failed: bool = False


def model_sampled(model: str, sampled: Sampled) -> None:
    """Count what a model answered."""
    if _serving is not None:
        meters = _serving.meters
        name = _bounded(meters, model)
        meters.count(_COMPLETIONS, name, by=sampled.completions)
        meters.count(_PROMPT_TOKENS, name, by=sampled.prompt_tokens)
        meters.count(_COMPLETION_TOKENS, name, by=sampled.completion_tokens)
        meters.count(_FAILURES, name, by=sampled.has_failed)


def host_drained() -> None:
    """Say that this host judges no more programs."""
    if _serving is not None:
        _serving.meters.drained.set(1)


def queue_served(queue: str) -> None:
    """Say that this process takes tasks of a queue."""
    if _serving is not None:
        _serving.meters.queues.labels(queue).set(1)


def _bounded(meters: _Meters, model: str) -> str:
    # a spec may hold a URL, and a URL a password
    name = log.redact(model)
    if name not in meters.models and len(meters.models) >= MOST_MODELS:
        return _OTHER_MODELS
    meters.models.add(name)
    return name


def _listen(meters: _Meters, port: int, address: str) -> _Serving:
    from prometheus_client import start_http_server  # noqa: PLC0415 -- optional

    last = port if port == 0 else port + SLOTS - 1
    for candidate in range(port, last + 1):
        try:
            server, thread = start_http_server(candidate, address, meters.registry)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise InvalidInput(
                    f"metrics cannot be served on {address}:{candidate}: {error.strerror}",
                    hint="correct CRUCIBLE_METRICS_ADDRESS or CRUCIBLE_METRICS_PORT",
                ) from error
        else:
            return _Serving(meters, server.server_port, partial(_close, server, thread))
    raise InvalidInput(
        f"metrics cannot be served: every port from {port} to {last} of {address} is taken",
        hint="choose another CRUCIBLE_METRICS_PORT",
    )


def _close(server: Any, thread: threading.Thread) -> None:
    server.shutdown()
    server.server_close()
    thread.join()


class _LookedUp:
    """The collector of what is looked up."""

    def describe(self) -> list[Metric]:
        """Nothing yet: asking would look everything up."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One family for each name; a source that fails loses its own figures only."""
        families: dict[str, Metric] = {}
        for source in tuple(_sources):
            try:
                figures = tuple(source())
            except Exception as error:  # noqa: BLE001 -- one source must not hide the others
                log.error("figures_not_found", error=error)
                continue
            for figure in figures:
                family = families.setdefault(figure.name, _family(figure))
                family.add_metric(tuple(figure.labels.values()), figure.value)  # type: ignore[attr-defined]
        yield from families.values()


def _family(figure: Figure) -> Metric:
    from prometheus_client.core import (  # noqa: PLC0415 -- optional
        CounterMetricFamily,
        GaugeMetricFamily,
    )

    is_counter = figure.name.endswith("_total")
    kind = CounterMetricFamily if is_counter else GaugeMetricFamily
    return kind(figure.name, figure.help, labels=tuple(figure.labels))
