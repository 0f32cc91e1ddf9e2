"""A model spec: what users write after `--model`, read and written.

ollama:NAME             the Ollama of this host ($OLLAMA_HOST)
ollama:URL#NAME         the Ollama at URL
openai:URL#NAME         an OpenAI-compatible server; a bare host:port is http and /v1
hf:PATH_OR_ID[+ADAPTER] weights on disk, in the hub's cache or in the store (artifact:DIGEST)
replay:FILE             recorded completions
reference               the dataset's own solutions
nano[:DIRECTORY]        the built-in toy model, or weights of its kind, sampled without torch
nano+ADAPTER            the same with a LoRA adapter: a directory, or artifact:DIGEST
router:{…}              a router over several models, with all it says: see `router`
NAME                    whichever server on the usual ports has a model of this name, or what the
                        configuration calls so; `hybrid` is a router over what answers

`?style=base` or `?style=chat` after a server's NAME or after `hf:` overrides how prompts are made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from crucible_infra.errors import InvalidModelSpec

#: what users see when a spec cannot be read
FORMS = (
    "ollama:NAME, openai:URL#NAME, hf:PATH_OR_ID[+ADAPTER], replay:FILE, reference, nano or a name"
)

_OPTIONS = re.compile(r"\?(?P<options>[a-z_]+=[^?#/]*)$")
_ENDPOINT = re.compile(r"/(chat/completions|completions|models)$")


class ModelKind(StrEnum):
    """Who answers."""

    OLLAMA = "ollama"
    OPENAI = "openai"
    HF = "hf"
    REPLAY = "replay"
    REFERENCE = "reference"
    NANO = "nano"
    ROUTER = "router"
    #: not decided yet: the servers are asked which one has it
    NAME = "name"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model, as far as its spec says."""

    kind: ModelKind
    #: the model's name; the file of `replay`; the path or id of `hf`; the directory of `nano`; all
    #: that a `router` says
    name: str = ""
    #: without a slash at its end; None where the usual place is meant
    url: str | None = None
    #: `hf` and `nano` only
    adapter: str | None = None
    #: "base", "chat" or None: the model's server and name decide
    style: str | None = None

    def __str__(self) -> str:
        """The spec as users write it; `parse` reads it back."""
        style = f"?style={self.style}" if self.style else ""
        place = f"{self.url}#" if self.url else ""
        match self.kind:
            case ModelKind.REFERENCE:
                return "reference"
            case ModelKind.NAME:
                return f"{self.name}{style}"
            case ModelKind.HF:
                return f"hf:{self.name}" + (f"+{self.adapter}" if self.adapter else "") + style
            case ModelKind.REPLAY | ModelKind.ROUTER:
                return f"{self.kind}:{self.name}"
            case ModelKind.NANO:
                place = f":{self.name}" if self.name else ""
                return f"nano{place}" + (f"+{self.adapter}" if self.adapter else "")
            case _:
                return f"{self.kind}:{place}{self.name}{style}"


def parse(text: str) -> ModelSpec:
    """Read a model spec; InvalidModelSpec says what is wrong with it."""
    spec = text.strip()
    if not spec or not spec.isprintable():
        raise InvalidModelSpec(f"{text!r} is not a model spec", hint=f"write {FORMS}")
    head, colon, rest = spec.partition(":")
    match "nano" if spec.startswith("nano+") else head if colon else spec:
        case "reference" | "nano":
            return _of_ours(spec, rest)
        case "replay" | "router":
            wanted = "a file" if head == "replay" else "what it says; configure one by a name"
            return ModelSpec(ModelKind(head), _present(spec, rest, wanted))
        case "hf":
            return _hf(spec, rest)
        case "ollama" if colon:
            return _server(spec, ModelKind.OLLAMA, rest)
        case "openai" if colon:
            return _server(spec, ModelKind.OPENAI, rest)
        case "http" | "https" if colon:
            hint = f"write openai:{spec}" + ("" if "#" in spec else "#NAME")
            raise InvalidModelSpec(f"{spec} does not say what kind of server it is", hint=hint)
        case _:
            name, style = _style(spec, spec)
            return ModelSpec(ModelKind.NAME, _present(spec, name, "a name"), style=style)


def normalise_url(text: str, default_path: str) -> str:
    """An http or https URL without a slash at its end; a bare host:port is http.

    Raises InvalidModelSpec for anything else, and for a URL that carries a password.
    """
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or " " in url:
        hint = "write something like http://localhost:8000/v1"
        raise InvalidModelSpec(f"{text!r} is not an http or https URL", hint=hint)
    if "@" in parts.netloc:
        hint = "set OPENAI_API_KEY and OPENAI_BASE_URL; a spec is stored with the results"
        raise InvalidModelSpec("a model spec must not carry a user or a password", hint=hint)
    path = _ENDPOINT.sub("", parts.path.rstrip("/")) or default_path
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def _of_ours(spec: str, rest: str) -> ModelSpec:
    if spec == "nano":
        return ModelSpec(ModelKind.NANO)
    if spec.startswith("nano+"):
        adapter = _present(spec, spec.removeprefix("nano+"), "an adapter after +")
        return ModelSpec(ModelKind.NANO, adapter=adapter)
    if spec.startswith("nano"):
        return ModelSpec(ModelKind.NANO, _present(spec, rest, "a directory"))
    if spec != "reference":
        hint = "write reference alone"
        raise InvalidModelSpec(f"reference takes no name, got {rest!r}", hint=hint)
    return ModelSpec(ModelKind.REFERENCE, "reference")


def _hf(spec: str, rest: str) -> ModelSpec:
    rest, style = _style(spec, rest)
    base, plus, adapter = rest.rpartition("+")
    if not plus:
        return ModelSpec(ModelKind.HF, _present(spec, rest, "a path or id"), style=style)
    name = _present(spec, base, "a path or id")
    trained = _present(spec, adapter, "an adapter after +")
    return ModelSpec(ModelKind.HF, name, adapter=trained, style=style)


def _server(spec: str, kind: ModelKind, rest: str) -> ModelSpec:
    place, has_place, name = rest.rpartition("#")
    name, style = _style(spec, name)
    if not has_place:
        if kind is ModelKind.OPENAI:
            hint = "write openai:URL#NAME; `crucible models` lists what answers"
            raise InvalidModelSpec(f"{spec} does not say which model of the server", hint=hint)
        return ModelSpec(kind, _present(spec, name, "a name"), style=style)
    url = normalise_url(place, "/v1" if kind is ModelKind.OPENAI else "")
    return ModelSpec(kind, _present(spec, name, "a name after #"), url, style=style)


def _style(spec: str, name: str) -> tuple[str, str | None]:
    found = _OPTIONS.search(name)
    if found is None:
        return name, None
    option, _, value = found["options"].partition("=")
    if option != "style" or value not in ("base", "chat"):
        hint = "the only options are ?style=base and ?style=chat"
        raise InvalidModelSpec(f"{spec}: {found[0]!r} is not an option", hint=hint)
    return name[: found.start()], value


def _present(spec: str, part: str, what: str) -> str:
    if not part:
        raise InvalidModelSpec(f"{spec} lacks {what}", hint=f"write {FORMS}")
    return part
