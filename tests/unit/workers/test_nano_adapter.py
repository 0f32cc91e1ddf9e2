"""A LoRA adapter on the numpy model: added to the right weights, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from crucible_infra.errors import FormatError
from crucible_workers.nano.llama import Cache, Llama, read_llama
from crucible_workers.nano.low_rank import add_adapter
from tiny_adapter import RANK, write_tiny_adapter
from tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("nano")
    write_tiny_model(directory / "base")
    write_tiny_adapter(directory / "adapter")
    return directory


def _logits(model: Llama) -> np.ndarray:
    tokens = np.array([[1, 2, 3]])
    return model.logits(tokens, np.array([0]), Cache(model.shape, 1, 8))


def test_only_what_was_trained_changes_and_by_what_peft_adds(place: Path) -> None:
    base = load_file(place / "base" / "model.safetensors")
    trained = load_file(place / "adapter" / "adapter_model.safetensors")
    found = add_adapter({name: one.astype(float) for name, one in base.items()}, place / "adapter")

    name = "model.layers.1.self_attn.k_proj"
    down, up = (trained[f"base_model.model.{name}.lora_{one}.weight"] for one in "AB")
    # lora_alpha is 8
    wanted = base[f"{name}.weight"] + 8 / RANK * (up.astype(float) @ down.astype(float))
    assert np.allclose(found[f"{name}.weight"], wanted)
    same = "model.layers.1.self_attn.v_proj.weight"
    assert np.array_equal(found[same], base[same])


def test_the_model_says_something_else_with_it(place: Path) -> None:
    plain = _logits(read_llama(place / "base"))
    tuned = _logits(read_llama(place / "base", place / "adapter"))

    assert not np.allclose(plain, tuned)


@pytest.mark.parametrize("flag", ["use_dora", "use_rslora", "modules_to_save"])
def test_an_adapter_that_cannot_be_added_is_refused(place: Path, tmp_path: Path, flag: str) -> None:
    adapter = write_tiny_adapter(tmp_path / "adapter", **{flag: True})

    with pytest.raises(FormatError, match="not a plain LoRA adapter"):
        read_llama(place / "base", adapter)


def test_another_models_adapter_is_refused(tmp_path: Path) -> None:
    adapter = write_tiny_adapter(tmp_path / "adapter")
    tensors = {"model.embed_tokens.weight": np.zeros((4, 4))}

    with pytest.raises(FormatError, match="does not belong on this model"):
        add_adapter(tensors, adapter)
