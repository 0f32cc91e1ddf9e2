"""Nano's weights: those that were trained, readable by others, computed as torch computes them."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crucible_infra.errors import FormatError
from crucible_tasks.sampling import Sampling
from crucible_workers import nano
from crucible_workers.nano.llama import Cache, Llama, read_llama
from crucible_workers.nano.weight_file import read_tensors

PROMPT = 'def total(nums):\n    """Return the sum of the even numbers in nums."""\n'


def test_the_weights_are_those_that_were_trained_and_small() -> None:
    content = (nano.weights_directory() / "model.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == nano.SHA256
    assert len(content) < 2 * 2**20


def test_the_likeliest_answer_to_a_plain_question_is_right() -> None:
    sampler = nano.load()
    tokens = sampler.tokenizer.encode(PROMPT)
    (text,) = sampler.sample(tokens, Sampling(temperature=0.0), [0], 60)
    names: dict[str, Any] = {}
    exec(PROMPT + sampler.tokenizer.decode(text.tokens), names)
    assert names["total"]([1, 2, 3, 4, -6]) == 0


def test_transformers_reads_the_same_model_and_the_same_prompt() -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    place = nano.weights_directory()
    theirs = transformers.AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(place)
    sampler = nano.load()
    tokens = sampler.tokenizer.encode(PROMPT)
    assert tokenizer(PROMPT)["input_ids"] == tokens
    assert theirs.config.caution == "toy model, synthetic data"
    assert theirs.generation_config.do_sample is True
    _assert_computed_alike(torch, theirs, sampler.model, tokens)


def test_a_llama_with_shared_heads_its_own_head_and_other_numbers_is_computed_alike(
    tmp_path: Path,
) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=40,
        hidden_size=24,
        intermediate_size=20,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32,
        tie_word_embeddings=False,
        rope_theta=500.0,
        bos_token_id=0,
        eos_token_id=1,
    )
    torch.manual_seed(0)
    theirs = transformers.LlamaForCausalLM(config).to(torch.bfloat16)
    theirs.save_pretrained(tmp_path)
    _assert_computed_alike(torch, theirs.float(), read_llama(tmp_path), [0, 7, 39, 3, 12, 8])


def _assert_computed_alike(torch: Any, theirs: Any, ours: Llama, tokens: list[int]) -> None:
    with torch.no_grad():
        expected = theirs(torch.tensor([tokens])).logits[0].numpy()
    cache = Cache(ours.shape, 3, len(tokens))
    # some at once, the others one by one, in a slot that is not the first
    found = [ours.logits(np.array([tokens[:3]]), np.array([0]), cache, 1)]
    for place, token in enumerate(tokens[3:], start=3):
        found.append(ours.logits(np.array([[token]]), np.array([place]), cache, 1))
    assert np.concatenate(found) == pytest.approx(expected[2:], abs=2e-4)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 40, struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 9) + b'{"a":{}}xx'],
)
def test_a_file_of_another_kind_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="not a safetensors file"):
        read_tensors(path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"model_type": "qwen2"}, "not a Llama without"),
        ({"attention_bias": True}, "not a Llama without"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1.0}}, "not a Llama without"),
        ({"num_hidden_layers": 5}, "not a Llama's weights"),
    ],
)
def test_another_architecture_is_refused(
    change: dict[str, object], problem: str, tmp_path: Path
) -> None:
    place = nano.weights_directory()
    config = {**json.loads((place / "config.json").read_bytes()), **change}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").symlink_to(place / "model.safetensors")
    with pytest.raises(FormatError, match=problem):
        read_llama(tmp_path)


def test_a_directory_without_a_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"config\.json: cannot be read"):
        read_llama(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FormatError, match="not a Llama's configuration: KeyError"):
        read_llama(tmp_path)
