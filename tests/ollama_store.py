"""Behaves as the part of Ollama that makes models: blobs by digest, models of GGUF files, no more.

What it accepts and refuses, in which words, was read in Ollama's own server.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf

from model_server import Asked, Reply, ndjson, prompt_of

#: a prompt to its greedy answer
Answers = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Made:
    """One model of the store."""

    facts: dict[str, Any]
    template: str
    adapter: dict[str, Any] | None = None


@dataclass(slots=True)
class OllamaStore:
    """The server; `folder` holds its blobs."""

    folder: Path
    answers: Answers
    models: dict[str, Made] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Reply:
        digest = re.fullmatch(r"/api/blobs/sha256:([0-9a-f]{64})", asked.path)
        if digest:
            return self._blob(asked, self.folder / digest[1], digest[1])
        routes = {
            ("GET", "/api/version"): lambda _: Reply({"version": "0.12.0"}),
            ("GET", "/api/tags"): lambda _: Reply({"models": [*map(self._tag, self.models)]}),
            ("POST", "/api/show"): lambda body: self._show(full_name(body["model"])),
            ("POST", "/api/create"): self._create,
            ("DELETE", "/api/delete"): self._delete,
            ("POST", "/api/generate"): lambda body: Reply(ndjson(self.answers(prompt_of(body)))),
        }
        route = routes.get((asked.method, asked.path))
        return route(asked.body) if route else Reply({"error": "404 page not found"}, 404)

    def _blob(self, asked: Asked, path: Path, digest: str) -> Reply:
        if asked.method == "HEAD":
            return Reply(b"", 200 if path.exists() else 404)
        if path.exists():
            return Reply(b"", 200)
        if hashlib.sha256(asked.body).hexdigest() != digest:
            return Reply({"error": "digest mismatch"}, 400)
        path.write_bytes(asked.body)
        return Reply(b"", 201)

    def _delete(self, body: dict[str, Any]) -> Reply:
        return Reply({}, 200 if self.models.pop(full_name(body["model"]), None) else 404)

    def _create(self, body: dict[str, Any]) -> Reply:
        if ("from" in body) == ("files" in body):
            return Reply({"error": "neither 'from' or 'files' was specified"}, 400)
        base = self.models.get(full_name(body["from"])) if "from" in body else None
        if "from" in body and base is None:
            return Reply({"error": f"model '{body['from']}' not found"}, 404)
        adapters = body.get("adapters", {})
        if len(adapters) > 1:
            return Reply({"error": "only one adapter is currently supported"}, 400)
        adapter = self._facts(adapters) if adapters else None
        facts = base.facts if base else self._facts(body["files"])
        is_adapter = adapter is not None and adapter.get("general.type") == "adapter"
        if facts is None or (adapters and not is_adapter):
            return Reply({"error": "unknown type"}, 400)
        template = body.get("template", base.template if base else "{{ .Prompt }}")
        self.models[full_name(body["model"])] = Made(facts, template, adapter)
        told = [{"status": "parsing GGUF"}, {"status": "writing manifest"}, {"status": "success"}]
        return Reply(b"".join(json.dumps(line).encode() + b"\n" for line in told))

    def _facts(self, files: dict[str, str]) -> dict[str, Any] | None:
        """The key-values of the only file, a GGUF by its first bytes; None for anything else."""
        (digest,) = files.values()
        path = self.folder / digest.removeprefix("sha256:")
        if not path.exists() or path.read_bytes()[:4] != b"GGUF":
            return None
        reader = gguf.GGUFReader(path)
        return {
            name: found.contents()
            for name, found in reader.fields.items()
            if not name.startswith(("GGUF.", "tokenizer.ggml.t", "tokenizer.ggml.m"))
        }

    def _show(self, name: str) -> Reply:
        made = self.models.get(name)
        if made is None:
            return Reply({"error": f"model '{name}' not found"}, 404)
        return Reply(
            {
                "modelfile": "FROM x",
                "template": made.template,
                "details": {"family": "llama", "format": "gguf"},
                "model_info": made.facts,
                "capabilities": ["completion"],
            }
        )

    def _tag(self, name: str) -> dict[str, Any]:
        facts = repr(sorted(self.models[name].facts.items(), key=str))
        return {"name": name, "model": name, "digest": hashlib.sha256(facts.encode()).hexdigest()}


def full_name(name: str) -> str:
    """With the tag that Ollama gives to a name without one."""
    return name if ":" in name else f"{name}:latest"
