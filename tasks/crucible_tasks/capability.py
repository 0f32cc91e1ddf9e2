"""Capability: which queue reaches the hosts that can serve a model, by its spec alone.

Any host can serve `reference`, a `replay`, `nano` and a server whose address says where it is, so
those share one queue. A model without an address, or at an address of the loopback network, means
"this host's own", and only some hosts have it: each such model has a queue of its own, which a
worker takes from while its host serves that model. So nothing has to be configured twice, a new
host helps as soon as it has the model, and no worker can take what it cannot do.

A host serves one model under several specs (`ollama:m`, `ollama:http://localhost:11434#m`, `m`),
so it takes from the queue of each. `hf:` has one queue for all weights, from which every host takes
that has torch: weights of the artifact store are fetched by whoever is asked, a path has to lead to
the same place on all of them. `?style=` changes prompts, not hosts.

A router asks all its members from one host. Members that only some hosts have must therefore wait
in one queue; `one_host_has` tells whether they do.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from crucible_infra.errors import InvalidInput
from crucible_tasks.model_spec import ModelKind, ModelSpec, parse

#: served by every host that generates
COMMON = "generation"

#: served by every host that can load weights into its own process
IN_PROCESS = f"{COMMON}.hf"

#: what a person recognises of a model's name in `redis-cli` and Flower
_READABLE = 32

#: hexadecimal digits: two of 10,000 models meet with a probability of 10^-7
_DIGEST = 12

#: Ollama's word for "no tag given"
_LATEST = ":latest"


def generation_queue(text: str) -> str:
    """The queue for work on the model of this spec.

    What cannot be read goes to the common queue: whoever takes it says what is wrong.
    """
    try:
        return _queue_of(parse(text))
    except InvalidInput:
        return COMMON


def _queue_of(spec: ModelSpec) -> str:
    match spec.kind:
        case ModelKind.NAME:
            return _named(spec.name)
        case ModelKind.HF:
            return IN_PROCESS
        case ModelKind.ROUTER:
            return _of_members(spec.name)
        case ModelKind.OLLAMA if spec.url is None:
            return _usual(spec.name)
        case ModelKind.OLLAMA | ModelKind.OPENAI if spec.url and _is_loopback(spec.url):
            return _placed(spec.kind, spec.url, spec.name)
        case _:
            return COMMON


def one_host_has(specs: Iterable[str]) -> bool:
    """Whether one queue leads to hosts that can serve all of these models."""
    return len({generation_queue(spec) for spec in specs} - {COMMON}) <= 1


def served_queues(spec: ModelSpec, url: str) -> tuple[str, ...]:
    """Every queue that a host takes from because its server at this URL has this model."""
    queues = [_named(spec.name)]
    if spec.kind is ModelKind.OLLAMA and spec.url is None:
        queues.append(_usual(spec.name))
    if _is_loopback(url):
        queues.append(_placed(spec.kind, url, spec.name))
    return tuple(queues)


def _of_members(text: str) -> str:
    from crucible_tasks.router import read_router  # noqa: PLC0415 -- its contracts need queues

    queues = {generation_queue(member.spec) for member in read_router(text).members}
    return max(queues - {COMMON}, default=COMMON)


def _named(name: str) -> str:
    return _queue(name, f"name {name.removesuffix(_LATEST)}")


def _usual(name: str) -> str:
    return _queue(name, f"ollama {name.removesuffix(_LATEST)}")


def _placed(kind: ModelKind, url: str, name: str) -> str:
    parts = urlsplit(url)
    plain = name.removesuffix(_LATEST) if kind is ModelKind.OLLAMA else name
    # localhost, 127.0.0.1 and [::1] are one place
    return _queue(name, f"{kind} {parts.scheme} {parts.port}{parts.path} {plain}")


def _queue(name: str, identity: str) -> str:
    readable = re.sub(r"[^a-z0-9]+", "-", name.removesuffix(_LATEST).lower())
    digest = hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest()
    return f"{COMMON}.{readable[:_READABLE].strip('-')}.{digest[:_DIGEST]}"


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def kind_of(name: str) -> str:
    """The kind of work of a queue or a worker: those of single models are of one kind."""
    return name.partition(".")[0]
