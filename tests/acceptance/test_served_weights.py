"""Merged weights behind somebody else's server: exported, served and benchmarked over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from commandline import PATIENCE_SECONDS, Crucible
from crucible_infra import settings
from services import free_port
from tiny_adapter import write_tiny_adapter
from tiny_model import write_tiny_model


@contextmanager
def transformers_serve(model: Path) -> Iterator[str]:
    """The address of `transformers serve` with this model, on one thread."""
    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        missing = "transformers[serving] is not installed"
        pytest.fail(missing) if settings.read(os.environ).is_ci else pytest.skip(missing)
    port, cache = free_port(), model.parent / "hub"
    # it answers 500 to everything where this folder is missing
    (cache / "hub").mkdir(parents=True)
    words = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model)]
    child = subprocess.Popen(
        [*words, "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}", child)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        child.kill()
        child.wait()


def _wait_until_healthy(url: str, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS / 2
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    pytest.fail("transformers serve did not start")


def test_merged_weights_are_served_by_transformers_and_benchmarked_over_http(
    crucible: Crucible, tmp_path: Path
) -> None:
    base = write_tiny_model(tmp_path / "tiny")
    adapter = write_tiny_adapter(tmp_path / "tuned")
    made = tmp_path / "merged"
    words = (f"hf:{base}+{adapter}", "--to", "safetensors", "--output", str(made), "--json")
    said = crucible("models", "export", *words, OMP_NUM_THREADS="1")
    assert said.code == 0, said.err
    report = json.loads(said.out)
    assert report["parity"] == {
        "of": "greedy answers after loading it again",
        "equal": 8,
        "count": 8,
    }
    again = crucible("models", "export", *words)
    assert again.code == 2
    assert again.err.splitlines()[-2] == f"error: {made} exists"

    with transformers_serve(made) as url:
        model = f"openai:{url}#{made}?style=base"
        asked = ("--limit", "2", "-n", "2", "--max-tokens", "24", "--json")
        run = crucible("benchmark", "-m", model, *asked)
    assert run.code == 0, run.err
    found = json.loads(run.out)
    assert found["completions"] == 4
    assert found["coverage"] == 1.0
    assert found["pass@1"]["value"] == 0.0
    crucible("runs", "export", "latest", str(tmp_path / "run"))
    rows = (tmp_path / "run" / "completions.jsonl").read_text().splitlines()
    # temperature and seed are honoured, because the export says that sampling is meant
    assert len({json.loads(row)["continuation"] for row in rows}) == 4
