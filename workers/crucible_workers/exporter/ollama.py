"""Makes a model of an Ollama server by its HTTP API, which takes what its command line does not.

`ollama create` looks for names that peft does not give, so it finds no adapter in a peft directory,
and the server's own conversion of adapters knows two families and neither DoRA nor rsLoRA. A GGUF
file has none of these limits: an adapter goes onto a model the server has, merged weights become a
model of their own.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from crucible_infra import settings
from crucible_infra.errors import BrokenStream, InvalidInput
from crucible_workers.models.discovery import ollama_url
from crucible_workers.models.http import HttpClient
from crucible_workers.models.ollama_wire import Description, Tags
from crucible_workers.models.patience import Patience
from crucible_workers.weight_files import file_digest

#: seconds for storing and quantising what was uploaded
_CREATE_SECONDS = 3600.0


class _Progress(msgspec.Struct, frozen=True):
    """One line of /api/create."""

    status: str | None = None
    error: Any = None


@dataclass(frozen=True, slots=True)
class Creation:
    """What /api/create is told."""

    tag: str
    #: the GGUF file
    path: Path
    #: a model of the server that the file is an adapter for; None: the file is the model
    base: str | None = None
    #: in Ollama's language; None leaves the base's
    template: str | None = None
    stop: tuple[str, ...] = ()


class OllamaServer:
    """One server."""

    def __init__(self, url: str | None, patience: Patience) -> None:
        self.url = url or ollama_url(settings.current().ollama_host)
        self._http = HttpClient(self.url, patience, start_hint="start it: ollama serve")

    def check_free(self, tag: str) -> None:
        """Raise InvalidInput when the server has a model of this name already."""
        if any(known.is_called(tag) for known in self._http.get("/api/tags", Tags).models or ()):
            raise InvalidInput(f"{self.url} has a model {tag} already", hint="choose another name")

    def delete(self, tag: str) -> None:
        """Remove a model that turned out to be broken."""
        self._http.delete("/api/delete", {"model": tag})

    def check_base(self, base: str, family: str, config: dict[str, Any]) -> None:
        """Raise InvalidInput when the server's model has another shape than the adapter's base."""
        described = self._http.describe("/api/show", {"model": base}, Description)
        info = described.model_info or {}
        own = {
            "general.architecture": family,
            f"{family}.block_count": config["num_hidden_layers"],
            f"{family}.embedding_length": config["hidden_size"],
        }
        for name, value in own.items():
            if info.get(name) != value:
                raise InvalidInput(
                    f"the adapter does not belong to {base}: {name} is {info.get(name)} there, "
                    f"{value} in the weights it was trained on"
                )

    def create(self, creation: Creation) -> None:
        """Upload the file unless it is there, and make the model; any of a ModelError's kinds."""
        digest = f"sha256:{file_digest(creation.path)}"
        if not self._http.has(f"/api/blobs/{digest}"):
            with creation.path.open("rb") as file:
                self._http.upload(f"/api/blobs/{digest}", file)
        files = {creation.path.name: digest}
        body: dict[str, Any] = {"model": creation.tag, "stream": True}
        if creation.base is None:
            body["files"] = files
        else:
            body |= {"from": creation.base, "adapters": files}
        if creation.template is not None:
            body["template"] = creation.template
        if creation.stop:
            body["parameters"] = {"stop": list(creation.stop)}
        self._follow(body)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _follow(self, body: dict[str, Any]) -> None:
        last = ""
        for line in self._http.lines("/api/create", body, time.monotonic() + _CREATE_SECONDS):
            told = self._http.decode(line, _Progress)
            if told.error is not None:
                raise self._http.faults.of_payload(told.error)
            last = told.status or last
        if last != "success":
            raise BrokenStream(f"{self.url} stopped at {last or 'nothing'!r} and made no model")


def patience() -> Patience:
    """Long enough for weights of many gigabytes on a slow disk."""
    return Patience(first_byte=_CREATE_SECONDS, idle=_CREATE_SECONDS, outage=math.inf, retries=0)
