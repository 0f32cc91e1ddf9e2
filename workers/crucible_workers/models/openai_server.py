"""Opening a model of an OpenAI-compatible server: is it there, and what is known about it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

import msgspec

from crucible_infra.errors import ModelError, ModelNotFound, RequestRefused
from crucible_tasks.generation import ModelIdentity
from crucible_tasks.model_spec import ModelSpec
from crucible_workers.models import style
from crucible_workers.models.fingerprint import digest_of, sha256
from crucible_workers.models.http import HttpClient
from crucible_workers.models.openai_api import OpenAiModel
from crucible_workers.models.openai_tokens import ServerTokenizer
from crucible_workers.models.openai_wire import N_LIMIT, Card, Cards, Dialect
from crucible_workers.models.patience import Patience

_SERVER = "openai-compatible"


class _Props(msgspec.Struct, frozen=True):
    """llama.cpp's /props."""

    total_slots: int = 1
    model_path: str | None = None
    build_info: str | None = None
    chat_template: str | None = None
    default_generation_settings: dict[str, Any] | None = None


class _Version(msgspec.Struct, frozen=True):
    """vLLM's /version."""

    version: str


class _LoadedModel(msgspec.Struct, frozen=True):
    """One model of LM Studio's /api/v0/models."""

    id: str
    arch: str | None = None
    quantization: str | None = None
    loaded_context_length: int | None = None


class _LoadedModels(msgspec.Struct, frozen=True):
    data: tuple[_LoadedModel, ...]


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a server tells outside OpenAI's dialect."""

    server: str = _SERVER
    context_tokens: int | None = None
    quantization: str | None = None
    n_limit: int = N_LIMIT
    details: dict[str, str] = {}


def open_openai(
    spec: ModelSpec, url: str, patience: Patience, api_key: str | None = None
) -> OpenAiModel:
    """Find the model on the server at this URL; see `Model` for what it raises."""
    http = HttpClient(url, patience, api_key)
    try:
        card = _find(http, spec.name)
        root = HttpClient(_root(url), patience, api_key)
        try:
            facts = _facts(root, card)
        finally:
            root.close()
        tokenizer = ServerTokenizer(_root(url), patience, api_key, facts.server, card.id)
        identity = _identity(spec, url, card, facts)
        return OpenAiModel(http, identity, Dialect(n_limit=facts.n_limit), tokenizer)
    except BaseException:
        http.close()
        raise


def same_server(url: str, other: str) -> bool:
    """Whether both URLs mean one scheme, host and port: a key for one may be sent to the other."""
    return _place(url) == _place(other)


def _find(http: HttpClient, name: str) -> Card:
    try:
        cards = http.get("/models", Cards).data
    except RequestRefused as error:
        if " 404:" in error.message or " 405:" in error.message:
            # some proxies complete but do not list
            return Card(id=name)
        raise
    card = next((card for card in cards if card.id == name), None)
    if card is None:
        names = sorted(card.id for card in cards)
        close = get_close_matches(name, names, n=3, cutoff=0.4) or names[:5]
        hint = f"it has {', '.join(close)}" if close else "load a model there first"
        raise ModelNotFound(f"{http.url} has no model {name!r}", hint=hint)
    return card


def _facts(root: HttpClient, card: Card) -> _Facts:
    """More about the server, where `owned_by` tells which it is; nothing when it will not say."""
    try:
        match card.owned_by:
            case "llamacpp":
                return _of_llama_cpp(root.get("/props", _Props))
            case "vllm":
                version = root.get("/version", _Version).version
                return _Facts(server=f"vllm {version}", context_tokens=card.max_model_len)
            case "organization_owner":
                return _of_lm_studio(root.get("/api/v0/models", _LoadedModels), card.id)
    except ModelError:
        # an older build, or somebody else under that name
        return _Facts(context_tokens=card.max_model_len)
    return _Facts(context_tokens=card.max_model_len)


def _of_llama_cpp(props: _Props) -> _Facts:
    context = (props.default_generation_settings or {}).get("n_ctx")
    details = {"path": props.model_path, "template": _digest(props.chat_template)}
    return _Facts(
        server=f"llama.cpp {props.build_info or ''}".strip(),
        context_tokens=context if isinstance(context, int) else None,
        # a request for n waits until n slots are free at once
        n_limit=max(1, min(N_LIMIT, props.total_slots)),
        details={name: value for name, value in details.items() if value},
    )


def _of_lm_studio(models: _LoadedModels, name: str) -> _Facts:
    loaded = next((model for model in models.data if model.id == name), _LoadedModel(id=name))
    return _Facts(
        server="lm studio",
        context_tokens=loaded.loaded_context_length,
        quantization=loaded.quantization,
        # `n` is not among its documented parameters
        n_limit=1,
        details={"architecture": loaded.arch} if loaded.arch else {},
    )


def _identity(spec: ModelSpec, url: str, card: Card, facts: _Facts) -> ModelIdentity:
    details = {
        # no server of this kind tells a digest of its weights, so the place belongs to the name
        "url": url,
        "root": card.root,
        "parent": card.parent,
        "meta": msgspec.json.encode(card.meta, order="sorted").decode() if card.meta else None,
        **facts.details,
    }
    known = {name: value for name, value in details.items() if value}
    return ModelIdentity(
        spec=str(spec),
        name=card.id,
        server=facts.server,
        digest=digest_of(
            known
            | {
                "name": card.id,
                "server": facts.server,
                "context_tokens": facts.context_tokens,
                "quantization": facts.quantization,
            }
        ),
        style=style.of_spec_or_name(spec.style, card.id) or style.CHAT,
        context_tokens=facts.context_tokens,
        quantization=facts.quantization,
        details=known,
    )


def _digest(text: str | None) -> str | None:
    return sha256(text) if text else None


def _root(url: str) -> str:
    return url.removesuffix("/v1")


def _place(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    default = 443 if parts.scheme == "https" else 80
    return parts.scheme, parts.hostname or "", parts.port or default
