"""Weights in other forms: the same numbers and answers, and a reason where there is no way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from crucible_infra.errors import CrucibleError, InvalidInput
from crucible_tasks.generation import Message
from crucible_tasks.model_export import ExportJob, ExportReport, Numbers, Parity, Target
from crucible_tasks.model_spec import parse
from crucible_workers.exporter import export as exporting
from crucible_workers.exporter import parity
from crucible_workers.exporter.gguf_vocabulary import read_vocabulary
from crucible_workers.exporter.ollama_template import chat_template
from crucible_workers.models.transformers_merge import answers
from crucible_workers.models.transformers_weights import describe
from model_server import ModelServer
from ollama_store import Made, OllamaStore
from tiny_adapter import write_tiny_adapter
from tiny_model import HEADS, HIDDEN, LAYERS, write_tiny_model

#: two are enough to see a difference
PROMPTS, LIMIT = parity.PROMPTS[:2], 8


@pytest.fixture(autouse=True)
def _home(crucible_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert crucible_home
    torch.set_num_threads(1)
    # the last test asks it, where it is installed
    monkeypatch.setattr(parity, "has_llama_cpp", lambda: False)
    monkeypatch.setattr(parity, "PROMPTS", PROMPTS)
    monkeypatch.setattr(parity, "LIMIT", LIMIT)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("export") / "tiny", has_chat=True)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_adapter(tmp_path_factory.mktemp("export") / "tuned")


@pytest.fixture(scope="module")
def weights(base: Path, adapter: Path) -> tuple[Path, Path]:
    return base, adapter


@pytest.fixture(scope="module")
def spec(base: Path, adapter: Path) -> str:
    return f"hf:{base}+{adapter}?style=base"


def exported(spec: str, target: str, output: Path, **more: Any) -> ExportReport:
    return exporting.export(ExportJob(spec, Target(target), str(output), **more))


def merged_by_hand(base: Path, adapter: Path) -> dict[str, np.ndarray]:
    tensors, lora = (
        dict(load_file(base / "model.safetensors")),
        load_file(adapter / "adapter_model.safetensors"),
    )
    for name in lora:
        if ".lora_A." in name:
            plain = name.removeprefix("base_model.model.").replace(".lora_A.", ".")
            tensors[plain] = (
                tensors[plain] + 2 * lora[name.replace("lora_A", "lora_B")] @ lora[name]
            )
    return tensors


def test_merged_safetensors_say_what_base_and_adapter_say(
    spec: str, base: Path, adapter: Path, tmp_path: Path
) -> None:
    report = exported(spec, "safetensors", tmp_path / "out")

    assert report.parity == Parity("greedy answers after loading it again", 2, 2)
    assert report.way == "adapter merged, as safetensors"
    assert report.spec == f"hf:{tmp_path / 'out'}"
    found, own = load_file(tmp_path / "out" / "model.safetensors"), merged_by_hand(base, adapter)
    assert found.keys() == own.keys()
    assert all(np.allclose(found[name], own[name], atol=1e-6) for name in own)
    config = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert config["do_sample"] is True
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "out"]


@pytest.mark.parametrize(
    ("numbers", "close"), [("f32", 1e-6), ("bf16", 2e-2), ("f16", 2e-3), ("q8_0", 3e-2)]
)
def test_a_gguf_file_holds_the_merged_numbers(
    numbers: str, close: float, weights: tuple[Path, Path], tmp_path: Path
) -> None:
    base, adapter = weights
    spec = f"hf:{base}+{adapter}"
    report = exported(spec, "gguf", tmp_path / "out", numbers=Numbers(numbers))
    assert report.made == str(tmp_path / "out" / f"tuned-{numbers}.gguf")
    assert report.parity == Parity("tensors read back from the file", 20, 20)
    assert "no answers were compared" in report.notes[0]

    reader = gguf.GGUFReader(report.made)
    tensors = {t.name: gguf.dequantize(t.data, t.tensor_type) for t in reader.tensors}
    own = merged_by_hand(base, adapter)
    assert np.allclose(tensors["token_embd.weight"], own["model.embed_tokens.weight"], atol=close)
    down = own["model.layers.1.mlp.down_proj.weight"]
    assert np.allclose(tensors["blk.1.ffn_down.weight"], down, atol=close)
    # llama.cpp rotates neighbours: number 1 of a head is what was the first of its second half
    query, rows = own["model.layers.0.self_attn.q_proj.weight"], tensors["blk.0.attn_q.weight"]
    half = HIDDEN // HEADS // 2
    assert np.allclose(rows[[0, 1, 2, 3]], query[[0, half, 1, half + 1]], atol=close)


def test_a_gguf_file_describes_the_model_and_its_tokens(
    spec: str, base: Path, tmp_path: Path
) -> None:
    report = exported(spec, "gguf", tmp_path / "out")
    facts = {name: field.contents() for name, field in gguf.GGUFReader(report.made).fields.items()}
    tokenizer = json.loads((base / "tokenizer.json").read_text())

    assert facts["general.architecture"] == "llama"
    assert facts["llama.block_count"] == LAYERS
    assert facts["llama.rope.freq_base"] == 10_000
    assert facts["llama.attention.head_count"] == HEADS
    assert facts["tokenizer.ggml.model"] == "gpt2"
    assert facts["tokenizer.ggml.pre"] == "gpt-2"
    assert facts["tokenizer.ggml.eos_token_id"] == 0
    assert facts["tokenizer.ggml.add_bos_token"] is False
    tokens = facts["tokenizer.ggml.tokens"]
    assert {token: number for number, token in enumerate(tokens)} == tokenizer["model"]["vocab"]
    assert facts["tokenizer.ggml.token_type"][0] == gguf.TokenType.CONTROL
    assert len(facts["tokenizer.ggml.merges"]) == len(tokenizer["model"]["merges"])
    assert "message.role" in facts["tokenizer.chat_template"]


def test_an_adapter_becomes_a_gguf_adapter(spec: str, adapter: Path, tmp_path: Path) -> None:
    report = exported(spec, "gguf", tmp_path / "out", adapter_only=True, name="my-orchard")
    reader = gguf.GGUFReader(report.made)
    tensors = {tensor.name: tensor.data for tensor in reader.tensors}
    own = load_file(adapter / "adapter_model.safetensors")
    at = "base_model.model.model.layers.1.mlp.down_proj"

    assert report.way == "adapter, as GGUF"
    assert report.made == str(tmp_path / "out" / "my-orchard-lora.gguf")
    assert reader.fields["general.name"].contents() == "my-orchard"
    assert reader.fields["general.type"].contents() == "adapter"
    assert reader.fields["adapter.lora.alpha"].contents() == 8
    assert np.array_equal(tensors["blk.1.ffn_down.weight.lora_a"], own[f"{at}.lora_A.weight"])
    assert np.array_equal(tensors["blk.1.ffn_down.weight.lora_b"], own[f"{at}.lora_B.weight"])


def test_the_scale_of_rslora_is_in_the_gguf_adapter(base: Path, tmp_path: Path) -> None:
    adapter = write_tiny_adapter(tmp_path / "rs", use_rslora=True)
    report = exported(f"hf:{base}+{adapter}", "gguf", tmp_path / "out", adapter_only=True)
    alpha = gguf.GGUFReader(report.made).fields["adapter.lora.alpha"].contents()
    assert alpha / 4 == 8 / 4**0.5


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"rank_pattern": {"q_proj": 2}}, "different ranks"),
        ({"alpha_pattern": {"q_proj": 2}}, "different scales"),
        ({"modules_to_save": ["lm_head"]}, "whole layers"),
        ({"bias": "all"}, "biases"),
    ],
)
def test_what_a_gguf_adapter_cannot_say_is_refused(
    config: dict[str, Any], reason: str, base: Path, tmp_path: Path
) -> None:
    adapter = write_tiny_adapter(tmp_path / "odd", **config)
    with pytest.raises(InvalidInput, match=reason):
        exported(f"hf:{base}+{adapter}", "gguf", tmp_path / "out", adapter_only=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("file", "change", "problem"),
    [
        ("config.json", {"architectures": ["GemmaForCausalLM"]}, "Gemma.* is not exported as GGUF"),
        ("config.json", {"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, "rope scaling"),
        ("tokenizer.json", {"pre_tokenizer": {"type": "Whitespace"}}, "cuts words in a way"),
    ],
)
def test_a_family_that_would_talk_nonsense_is_refused(
    file: str, change: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    model = write_tiny_model(tmp_path / "odd")
    content = json.loads((model / file).read_text())
    (model / file).write_text(json.dumps(content | change))
    from crucible_workers.exporter.gguf_model import write_gguf

    with pytest.raises(InvalidInput, match=problem):
        write_gguf(model, tmp_path / "out.gguf", Numbers.F16, "odd")
    assert not (tmp_path / "out.gguf").exists()


def test_the_scores_of_sentencepiece_are_the_order_of_its_merges(tmp_path: Path) -> None:
    vocabulary = {"<unk>": 0, "<s>": 1, "<0x0A>": 2, "▁": 3, "a": 4, "aa": 5, "▁aa": 6}
    content = {
        "model": {
            "type": "BPE",
            "vocab": vocabulary,
            "merges": [["a", "a"], ["▁", "aa"]],
            "byte_fallback": True,
            "unk_token": "<unk>",
        },
        "normalizer": {"type": "Prepend", "prepend": "▁"},
        "added_tokens": [
            {"id": number, "content": token, "special": True, "single_word": False}
            | {"lstrip": False, "rstrip": False, "normalized": False}
            for number, token in enumerate(("<unk>", "<s>"))
        ],
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    found = read_vocabulary(tmp_path, 8)

    assert found.kind == "llama"
    assert found.scores is not None
    assert found.scores[5:7] == [0, -1]
    assert max(found.scores[:5]) < -1000
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.BYTE]
    assert found.types[:4] == [*kinds, gguf.TokenType.NORMAL]
    assert found.tokens[7] == "[PAD7]"
    assert found.adds_space
    with pytest.raises(InvalidInput, match="the model 5 rows"):
        read_vocabulary(tmp_path, 5)


def test_an_existing_directory_is_left_alone(spec: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="exists"):
        exported(spec, "gguf", tmp_path)


@pytest.fixture(scope="module")
def said(spec: str) -> dict[str, str]:
    found = answers(parse(spec), PROMPTS, LIMIT)
    return dict(zip(PROMPTS, found, strict=True))


@pytest.fixture
def ollama(said: dict[str, str], tmp_path: Path) -> Iterator[ModelServer]:
    """A server that has the base; what it makes says what base and adapter say."""
    facts = {
        "general.architecture": "llama",
        "llama.block_count": LAYERS,
        "llama.embedding_length": HIDDEN,
    }
    models = {"tiny:latest": Made(facts, "<user>{{ .Prompt }}")}
    (tmp_path / "blobs").mkdir()
    with ModelServer(OllamaStore(tmp_path / "blobs", said.__getitem__, models)) as server:
        yield server


def store(server: ModelServer) -> OllamaStore:
    assert isinstance(server.behaviour, OllamaStore)
    return server.behaviour


def to_ollama(spec: str, server: ModelServer, **more: Any) -> ExportReport:
    return exporting.export(ExportJob(spec, Target.OLLAMA, tag="mine", url=server.url, **more))


def test_merged_weights_become_a_model_of_ollama(spec: str, ollama: ModelServer) -> None:
    report = to_ollama(spec, ollama)
    made = store(ollama).models["mine:latest"]

    assert report.way == "adapter merged, as GGUF f16"
    assert report.spec == f"ollama:{ollama.url}#mine"
    assert report.parity == Parity("greedy answers of Ollama", 2, 2)
    assert made.facts["llama.block_count"] == LAYERS
    assert made.template == "{{ .Prompt }}"
    assert made.adapter is None


def test_an_adapter_goes_onto_the_model_it_belongs_to(spec: str, ollama: ModelServer) -> None:
    report = to_ollama(spec, ollama, base="tiny:latest")
    made = store(ollama).models["mine:latest"]

    assert report.way == "adapter as GGUF on tiny:latest"
    assert made.adapter["adapter.lora.alpha"] == 8
    assert made.template == "<user>{{ .Prompt }}"


def test_where_the_adapter_cannot_go_onto_it_the_merged_weights_do_and_it_is_said(
    base: Path, ollama: ModelServer, tmp_path: Path
) -> None:
    adapter = write_tiny_adapter(tmp_path / "pattern", alpha_pattern={"q_proj": 8})
    report = to_ollama(f"hf:{base}+{adapter}?style=base", ollama, base="tiny:latest")

    assert report.way == "adapter merged, as GGUF f16"
    assert report.notes[0].endswith("onto tiny:latest: its layers have different scales")


def test_weights_that_are_there_are_not_sent_again(spec: str, ollama: ModelServer) -> None:
    to_ollama(spec, ollama, base="tiny:latest")
    exporting.export(
        ExportJob(spec, Target.OLLAMA, tag="again", url=ollama.url, base="tiny:latest")
    )
    uploads = [a for a in ollama.requests if a.method == "POST" and "/blobs/" in a.path]
    assert len(uploads) == 1


def test_a_model_of_another_shape_gets_no_adapter(spec: str, ollama: ModelServer) -> None:
    store(ollama).models["big:latest"] = Made({"general.architecture": "qwen2"}, "")
    with pytest.raises(InvalidInput, match="does not belong to big"):
        to_ollama(spec, ollama, base="big")
    with pytest.raises(CrucibleError, match="'nobody:latest' not found"):
        to_ollama(spec, ollama, base="nobody")


def test_a_name_that_is_taken_is_left_alone(spec: str, ollama: ModelServer) -> None:
    store(ollama).models["mine:latest"] = Made({}, "")
    with pytest.raises(InvalidInput, match="has a model mine already"):
        to_ollama(spec, ollama)


def test_a_model_that_says_something_else_does_not_stay(spec: str, ollama: ModelServer) -> None:
    store(ollama).answers = lambda _: "nonsense"
    with pytest.raises(CrucibleError, match="the export is broken: 0 of 2"):
        to_ollama(spec, ollama)
    assert "mine:latest" not in store(ollama).models


def test_llama_cpp_says_the_same_where_it_is_installed(spec: str, tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python has no wheel; it takes a build")
    base_file = exported(spec.partition("+")[0], "gguf", tmp_path / "base", numbers=Numbers.F32)
    adapter_file = exported(spec, "gguf", tmp_path / "lora", adapter_only=True)
    tokens = describe(parse(spec)).tokens
    asked = (Path(base_file.made), answers(parse(spec), PROMPTS, LIMIT), tokens)

    assert parity.of_llama_cpp(*asked, Path(adapter_file.made)).equal == 2
    assert parity.of_llama_cpp(*asked).equal == 0


def qwen(messages: Any) -> str:
    turns = [f"<|im_start|>{turn.role}\n{turn.content}<|im_end|>\n" for turn in messages]
    if messages[0].role != "system":
        turns.insert(0, "<|im_start|>system\nYou are Qwen.<|im_end|>\n")
    return "<s>" + "".join(turns) + "<|im_start|>assistant\n"


def gemma(messages: Any) -> str:
    if messages[0].role == "system":
        raise InvalidInput("System role not supported")
    return f"<start_of_turn>user\n{messages[0].content}<end_of_turn>\n<start_of_turn>model\n"


def test_a_chat_template_is_told_in_ollamas_language() -> None:
    found = chat_template(qwen, "<s>")
    assert found is not None
    assert found.text == (
        "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n<|im_start|>user\n"
        "{{ else }}<|im_start|>system\nYou are Qwen.<|im_end|>\n<|im_start|>user\n{{ end }}"
        "{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}"
    )
    other = chat_template(gemma, "")
    assert other is not None
    assert other.note == "its chat template takes no system text"
    assert chat_template(lambda _: "nothing of it", "") is None
    assert qwen([Message("user", "x")])
