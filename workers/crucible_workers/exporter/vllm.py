"""Adds an adapter to a vLLM that is running, which its operator must have allowed.

vLLM reads the adapter from a directory, so that has to lie where its host sees it under the same
path. It forgets the adapter when it ends: `--lora-modules NAME=DIR` loads it again.
"""

from __future__ import annotations

import json
from pathlib import Path

from crucible_infra import settings
from crucible_infra.errors import InvalidInput, RequestRefused
from crucible_workers.models.discovery import key_for
from crucible_workers.models.http import HttpClient
from crucible_workers.models.openai_wire import Cards
from crucible_workers.models.patience import Patience
from crucible_workers.weight_files import ADAPTER_CONFIG


class VllmServer:
    """One server, by the URL of its /v1."""

    def __init__(self, url: str, patience: Patience) -> None:
        self.url = url
        self.key = key_for(url, settings.current())
        self._http = HttpClient(url, patience, self.key, "start it: vllm serve BASE --enable-lora")

    def check_free(self, name: str) -> None:
        """Raise InvalidInput when the server has a model of this name already."""
        if any(card.id == name for card in self._http.get("/models", Cards).data):
            raise InvalidInput(f"{self.url} has a model {name} already", hint="choose another name")

    def load(self, name: str, directory: Path) -> None:
        """Have the adapter in this directory served. Raises RequestRefused, with what it needs."""
        body = {"lora_name": name, "lora_path": str(directory)}
        try:
            self._http.tell("/load_lora_adapter", body)
        except RequestRefused as error:
            rank = json.loads((directory / ADAPTER_CONFIG).read_bytes()).get("r", 16)
            hint = (
                "it must have been started as VLLM_ALLOW_RUNTIME_LORA_UPDATING=True vllm serve "
                f"BASE --enable-lora --max-lora-rank {rank}, and see {directory} on its host"
            )
            raise RequestRefused(error.message, hint=hint) from error

    def unload(self, name: str) -> None:
        """Take back what could not be asked."""
        self._http.tell("/unload_lora_adapter", {"lora_name": name})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
