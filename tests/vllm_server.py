"""Behaves as a vLLM that may load adapters while it serves, as its documentation says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from model_server import Asked, OpenAi, Reply


@dataclass(slots=True)
class Vllm(OpenAi):
    """The server; adapters answer beside the models it was started with."""

    #: VLLM_ALLOW_RUNTIME_LORA_UPDATING and --enable-lora
    allows_adapters: bool = True
    highest_rank: int = 16
    adapters: dict[str, Path] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Reply:
        # without its flag these routes do not exist
        if self.allows_adapters and asked.method == "POST":
            if asked.path == "/v1/load_lora_adapter":
                return self._load(asked.body["lora_name"], asked.body["lora_path"])
            if asked.path == "/v1/unload_lora_adapter":
                return self._unload(asked.body["lora_name"])
        # not super(): a dataclass with slots is made anew
        return OpenAi.__call__(self, asked)

    def _load(self, name: str, place: str) -> Reply:
        config = Path(place) / "adapter_config.json"
        if name in self.models:
            return _refused(f"The lora adapter '{name}' has already been loaded.", 400)
        if not config.is_file():
            return _refused(f"Loading lora {name} failed: No adapter found for {place}", 404)
        rank = json.loads(config.read_bytes())["r"]
        if rank > self.highest_rank:
            said = f"LoRA rank {rank} is greater than max_lora_rank {self.highest_rank}."
            return _refused(said, 400)
        self.adapters[name] = Path(place)
        self.models = (*self.models, name)
        return Reply(f"Success: LoRA adapter '{name}' added successfully.".encode())

    def _unload(self, name: str) -> Reply:
        if self.adapters.pop(name, None) is None:
            return _refused(f"The lora adapter '{name}' cannot be found.", 404)
        self.models = tuple(one for one in self.models if one != name)
        return Reply(f"Success: LoRA adapter '{name}' removed successfully.".encode())


def _refused(message: str, code: int) -> Reply:
    return Reply({"object": "error", "message": message, "type": "InvalidUserInput"}, code)
