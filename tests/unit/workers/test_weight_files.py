"""What is no model, and what is not here, is told in one line before anything is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible_infra.errors import ArtifactMissing, CrucibleError, InvalidInput
from crucible_workers.models import open_model
from tiny_model import write_tiny_model


@pytest.fixture(autouse=True)
def _home(crucible_home: Path) -> None:
    assert crucible_home


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "copy")


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda at: (at / "config.json").unlink(), "no config.json"),
    "no weights": (lambda at: (at / "model.safetensors").unlink(), "no .*safetensors"),
    "a pickle": (
        lambda at: (at / "model.safetensors").rename(at / "pytorch_model.bin"),
        "no .*safetensors",
    ),
    "cut weights": (
        lambda at: (at / "model.safetensors").write_bytes(
            (at / "model.safetensors").read_bytes()[:-10]
        ),
        "its header speaks of",
    ),
    "no safetensors": (
        lambda at: (at / "model.safetensors").write_bytes(b"version https://git-lfs" * 9),
        "not a safetensors file",
    ),
    "broken JSON": (lambda at: (at / "config.json").write_text("{"), "not a valid JSON"),
    "an unknown family": (
        lambda at: (at / "config.json").write_text('{"model_type": "abacus"}'),
        "does not recognize this architecture$",
    ),
    "code of its own": (
        lambda at: (at / "config.json").write_text(
            json.dumps({"model_type": "x", "auto_map": {"AutoConfig": "evil.Config"}})
        ),
        "contains custom code",
    ),
    "an adapter": (
        lambda at: (at / "adapter_config.json").write_text("{}"),
        "not a model of its own",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_is_no_model_is_told_in_one_line_when_it_is_opened(name: str, copy: Path) -> None:
    spoil, problem = SPOILED[name]
    (copy / "evil.py").write_text("raise SystemExit('code of a model was run')")
    spoil(copy)
    with pytest.raises(InvalidInput, match=problem) as caught:
        open_model(f"hf:{copy}", None)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("hf:./nowhere", "no directory on this host"),
        ("hf:nobody/nothing", "neither a directory nor in the local Hugging Face cache"),
        ("hf:artifact:12", "names no artifact"),
        (f"hf:artifact:{'0' * 64}", "does not hold"),
    ],
)
def test_weights_that_are_not_here_are_told_in_one_line(spec: str, problem: str) -> None:
    with pytest.raises(CrucibleError, match=problem) as caught:
        open_model(spec, None)
    assert isinstance(caught.value, InvalidInput | ArtifactMissing)
    assert "\n" not in caught.value.message
