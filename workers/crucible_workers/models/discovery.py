"""Discovery: which model servers answer on the usual ports, and with which models."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from crucible_infra import settings
from crucible_infra.errors import InvalidInput, ModelError, ModelNotFound
from crucible_tasks.model_spec import ModelKind, ModelSpec, normalise_url
from crucible_workers.models.http import HttpClient
from crucible_workers.models.ollama_wire import Tag, Tags
from crucible_workers.models.openai_server import same_server
from crucible_workers.models.openai_wire import Cards
from crucible_workers.models.patience import Patience

OLLAMA_PORT = 11434

#: where servers listen unless told otherwise, in the order they are preferred
_USUAL = (
    ("LM Studio", "http://127.0.0.1:1234/v1"),
    ("llama.cpp", "http://127.0.0.1:8080/v1"),
    ("llama.cpp", "http://127.0.0.1:9931/v1"),
    ("vLLM", "http://127.0.0.1:8000/v1"),
)

#: a person waits, and a server on this host accepts at once
_GLANCE = Patience(connect=0.3, metadata=2.0, retries=0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server may listen."""

    kind: ModelKind
    #: what people call what usually listens there
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that answered; its local models in its own order."""

    place: Place
    #: specs usable as `--model`
    specs: tuple[ModelSpec, ...]


def usual_places(current: settings.Settings) -> tuple[Place, ...]:
    """The usual ports of this host, and what the environment and the configuration name."""
    places = [Place(ModelKind.OLLAMA, "Ollama", ollama_url(current.ollama_host))]
    places += [Place(ModelKind.OPENAI, label, url) for label, url in _USUAL]
    if current.openai_base_url:
        url = normalise_url(current.openai_base_url, "/v1")
        places.append(Place(ModelKind.OPENAI, "OPENAI_BASE_URL", url))
    for name, endpoint in current.endpoints.items():
        kind = ModelKind(endpoint.kind)
        url = normalise_url(endpoint.url, "/v1" if kind is ModelKind.OPENAI else "")
        places.append(Place(kind, name, url))
    # localhost and 127.0.0.1 are one server; the first name for it stays
    once = {place.url.replace("//localhost:", "//127.0.0.1:"): place for place in reversed(places)}
    return tuple(place for place in places if place in once.values())


def discover(places: Iterable[Place] | None = None) -> tuple[Endpoint, ...]:
    """Ask all places at once; whoever does not answer like a model server is left out.

    Raises InvalidModelSpec when OLLAMA_HOST or OPENAI_BASE_URL is no URL.
    """
    asked = tuple(usual_places(settings.current()) if places is None else places)
    if not asked:
        return ()
    with ThreadPoolExecutor(len(asked), thread_name_prefix="discovery") as pool:
        return tuple(endpoint for endpoint in pool.map(_glance, asked) if endpoint)


def resolve(spec: ModelSpec, places: Iterable[Place] | None = None) -> ModelSpec:
    """Which server has the model of this name, as a full spec; ModelNotFound says who was asked."""
    endpoints = discover(places)
    for endpoint in endpoints:
        for found in endpoint.specs:
            latest = f"{spec.name}:latest"
            is_ollama = endpoint.place.kind is ModelKind.OLLAMA
            if found.name == spec.name or (is_ollama and found.name == latest):
                return replace(found, style=spec.style)
    if not endpoints:
        hint = "start Ollama, LM Studio, llama.cpp or vLLM, or write openai:URL#NAME"
        raise ModelNotFound(f"no model server answers, so nobody has {spec.name!r}", hint=hint)
    asked = ", ".join(f"{e.place.label} ({len(e.specs)} models)" for e in endpoints)
    hint = "`crucible models` lists what they have"
    raise ModelNotFound(f"no server has a model {spec.name!r}; asked {asked}", hint=hint)


def ollama_url(host: str | None) -> str:
    """The URL that $OLLAMA_HOST means, read as Ollama reads it."""
    text = (host or "").strip().strip("\"'") or "127.0.0.1"
    has_scheme = "://" in text
    if text.startswith(":"):
        text = f"127.0.0.1{text}"
    parts = urlsplit(normalise_url(text, ""))
    name = parts.hostname or "127.0.0.1"
    # a server listens on every address; a client needs one
    name = "127.0.0.1" if name in ("0.0.0.0", "::") else name  # noqa: S104 -- compared, not bound
    shown = f"[{name}]" if ":" in name else name
    default = {"http": 80, "https": 443}[parts.scheme] if has_scheme else OLLAMA_PORT
    return f"{parts.scheme}://{shown}:{parts.port or default}{parts.path}"


def key_for(url: str, current: settings.Settings) -> str | None:
    """The API key, only if the URL is the server it was given for.

    Raises InvalidInput where the configuration names a key that nobody has set.
    """
    if current.openai_api_key and current.openai_base_url:
        base = normalise_url(current.openai_base_url, "/v1")
        if same_server(url, base):
            return current.openai_api_key.strip()
    for name, endpoint in current.endpoints.items():
        if endpoint.key is not None and same_server(url, endpoint.url):
            if endpoint.key not in current.keys:
                hint = f"crucible keys set {endpoint.key}"
                raise InvalidInput(f"endpoint {name}: there is no key {endpoint.key!r}", hint=hint)
            return current.keys[endpoint.key]
    return None


def _glance(place: Place) -> Endpoint | None:
    look: Callable[[Place], tuple[ModelSpec, ...]]
    look = _ollama_specs if place.kind is ModelKind.OLLAMA else _openai_specs
    try:
        return Endpoint(place, look(place))
    except (ModelError, InvalidInput):
        return None


def _ollama_specs(place: Place) -> tuple[ModelSpec, ...]:
    http = HttpClient(place.url, _GLANCE)
    try:
        tags = http.get("/api/tags", Tags).models or ()
    finally:
        http.close()
    return tuple(_ollama_spec(place, tag) for tag in tags if not tag.is_remote)


def _ollama_spec(place: Place, tag: Tag) -> ModelSpec:
    is_usual = place.url == ollama_url(settings.current().ollama_host)
    return ModelSpec(ModelKind.OLLAMA, tag.name, None if is_usual else place.url)


def _openai_specs(place: Place) -> tuple[ModelSpec, ...]:
    http = HttpClient(place.url, _GLANCE, key_for(place.url, settings.current()))
    try:
        cards = http.get("/models", Cards).data
    finally:
        http.close()
    return tuple(ModelSpec(ModelKind.OPENAI, card.id, place.url) for card in cards)
