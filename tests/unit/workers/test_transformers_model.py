"""Weights sampled in this process: exactly as asked, the same alone and among others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from crucible_infra import bundles, settings
from crucible_infra.artifacts import open_store
from crucible_infra.errors import (
    ContextOverflow,
    InvalidInput,
    ModelError,
    RequestRefused,
    ServerTimeout,
)
from crucible_tasks.answering import Piece
from crucible_tasks.completion import Finish
from crucible_tasks.fine_tuning import RECORD, AdapterRecord
from crucible_tasks.generation import Prompt
from crucible_tasks.recipe import Recipe
from crucible_tasks.sampling import Sampling
from crucible_workers import weight_files
from crucible_workers.models import open_model
from crucible_workers.models.interface import Ended
from crucible_workers.models.patience import Patience
from crucible_workers.models.transformers_drawing import drawn
from crucible_workers.models.transformers_model import TransformersModel
from model_requests import CHAT, RAW, samples
from tiny_adapter import write_tiny_adapter
from tiny_model import write_tiny_model

SHORT = Sampling(max_tokens=12)
GREEDY = Sampling(temperature=0.0, max_tokens=12)


@pytest.fixture(autouse=True)
def _home(crucible_home: Path) -> None:
    assert crucible_home
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("hf") / "model")


@pytest.fixture(scope="module")
def model(weights: Path) -> TransformersModel:
    found = open_model(f"hf:{weights}", None)
    assert isinstance(found, TransformersModel)
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "copy")


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return write_tiny_adapter(tmp_path / "adapter")


def texts(model: TransformersModel, *indices: int, sampling: Sampling = SHORT) -> list[str]:
    return [found.text for found in model.sample(samples(*indices, sampling=sampling))]


def test_a_sample_is_the_same_alone_in_a_batch_and_in_any_order(model: TransformersModel) -> None:
    together = texts(model, *range(20))
    assert len(set(together)) == 20
    assert [texts(model, index)[0] for index in (0, 7, 8, 19)] == [
        together[i] for i in (0, 7, 8, 19)
    ]
    assert texts(model, 16, 8, 3, 0) == [together[i] for i in (16, 8, 3, 0)]


def test_greedy_is_what_transformers_itself_says(weights: Path, model: TransformersModel) -> None:
    own = AutoModelForCausalLM.from_pretrained(weights)
    tokenizer = AutoTokenizer.from_pretrained(weights)
    given = tokenizer(RAW.text, return_tensors="pt")
    ids = own.generate(**given, max_new_tokens=12, do_sample=False)[
        0, given["input_ids"].shape[1] :
    ]

    found = model.sample(samples(0, 5, prompt=Prompt(RAW.text), sampling=GREEDY))
    assert {completion.text for completion in found} == {tokenizer.decode(ids)}
    assert found[0].finish is Finish.LENGTH
    assert found[0].prompt_tokens == given["input_ids"].shape[1]
    assert found[0].completion_tokens == 12


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=0.0),
        Sampling(temperature=0.8, top_p=0.95),
        Sampling(temperature=1.2, top_p=1.0, top_k=40, min_p=0.02, repetition_penalty=1.1),
    ],
    ids=["greedy", "nucleus", "everything"],
)
def test_it_samples_what_the_numpy_model_samples(sampling: Sampling) -> None:
    """A second implementation of everything: tokens, layers, options, seeds, ends, texts."""
    prompt = Prompt('def count_even(numbers):\n    """Count the even numbers."""\n')
    request = samples(*range(6), prompt=prompt, sampling=replace(sampling, max_tokens=48))
    ours, numpys = open_model("hf:nano", None), open_model("nano", None)

    told = [(c.text, c.finish, c.completion_tokens, c.prompt_tokens) for c in ours.sample(request)]
    assert told == [
        (c.text, c.finish, c.completion_tokens, c.prompt_tokens) for c in numpys.sample(request)
    ]
    assert len(told[0][0]) > 5


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=0.7, top_p=1.0),
        Sampling(temperature=1.9, top_p=0.99),
        Sampling(temperature=1.0, top_p=1.0, top_k=7),
        Sampling(temperature=1.0, top_p=0.8, top_k=40, min_p=0.02),
        Sampling(temperature=2.0, top_p=1.0, min_p=0.05),
    ],
)
@pytest.mark.parametrize("vocabulary", [300, 3000])
def test_tokens_are_drawn_as_often_as_their_probability_says(
    sampling: Sampling, vocabulary: int
) -> None:
    logits = torch.from_numpy(np.random.default_rng(1).standard_normal(vocabulary) * 2).float()
    chances = [(i + 0.5) / 500 for i in range(500)]
    found = drawn(logits.expand(500, -1), sampling, chances)
    counted = np.bincount(found.numpy(), minlength=vocabulary) / 500

    assert np.abs(counted - expected(logits.numpy(), sampling)).max() <= 1 / 500


def expected(logits: np.ndarray, sampling: Sampling) -> np.ndarray:
    """A second way: transformers' own warpers, in double precision."""
    kinds = transformers.generation.logits_process
    scores = torch.from_numpy(logits)[None].double() / sampling.temperature
    if sampling.top_k:
        scores = kinds.TopKLogitsWarper(sampling.top_k)(None, scores)
    if sampling.top_p < 1:
        scores = kinds.TopPLogitsWarper(sampling.top_p)(None, scores)
    if sampling.min_p > 0:
        scores = kinds.MinPLogitsWarper(sampling.min_p)(None, scores)
    shares: np.ndarray = torch.softmax(scores, -1)[0].numpy()
    return shares


def test_a_repetition_penalty_is_transformers_own(weights: Path, model: TransformersModel) -> None:
    own = AutoModelForCausalLM.from_pretrained(weights)
    tokenizer = AutoTokenizer.from_pretrained(weights)
    given = tokenizer(RAW.text, return_tensors="pt")
    ids = own.generate(**given, max_new_tokens=12, do_sample=False, repetition_penalty=1.5)[0]
    penalised = Sampling(temperature=0.0, max_tokens=12, repetition_penalty=1.5)

    found = model.sample(samples(0, prompt=Prompt(RAW.text), sampling=penalised))
    assert found[0].text == tokenizer.decode(ids[given["input_ids"].shape[1] :])


def test_a_stop_word_ends_a_sample_and_is_not_in_it(model: TransformersModel) -> None:
    whole = texts(model, 0, 1, sampling=Sampling(max_tokens=40))
    word = whole[0][5:8]
    found = model.sample(
        samples(0, 1, prompt=Prompt(RAW.text, stop=(word,)), sampling=Sampling(max_tokens=40))
    )
    assert found[0].text == whole[0].partition(word)[0]
    assert found[0].finish is Finish.STOP
    assert (found[0].completion_tokens or 0) < 40
    assert found[1].text == whole[1].partition(word)[0]


def test_a_streamed_text_never_shows_the_beginning_of_its_stop_word(
    model: TransformersModel,
) -> None:
    (whole,) = texts(model, 0)
    middle = len(whole) // 2
    prompt = replace(RAW, stop=(whole[middle : middle + 5],))
    *pieces, end = model.stream(prompt, SHORT, samples(0).seed(0))
    told = [piece.text for piece in pieces if isinstance(piece, Piece)]
    assert "".join(told) == whole[: whole.index(prompt.stop[0])]
    assert all(told)
    assert isinstance(end, Ended)
    assert end.finish is Finish.STOP


def test_a_text_ends_where_the_context_does(model: TransformersModel) -> None:
    found = model.sample(samples(0, sampling=Sampling(max_tokens=9999, context_tokens=20)))
    assert found[0].finish is Finish.LENGTH
    assert (found[0].prompt_tokens or 0) + (found[0].completion_tokens or 0) == 20


def test_a_prompt_that_fills_the_context_overflows_before_anything_is_sampled(
    copy: Path,
) -> None:
    model = open_model(f"hf:{copy}", None)
    (copy / "model.safetensors").unlink()
    with pytest.raises(ContextOverflow, match="512"):
        model.sample(samples(0, prompt=Prompt("def f():\n" * 200)))


def test_a_chat_is_put_into_the_models_own_template(
    tmp_path: Path, model: TransformersModel
) -> None:
    chatty = open_model(f"hf:{write_tiny_model(tmp_path / 'm', has_chat=True)}", None)
    assert chatty.identity().style == "chat"
    assert model.identity().style == "base"
    asked = "<system>You write Python.<|endoftext|><user>Write add.<|endoftext|><assistant>"
    encoded = chatty._weights.tokens.encode(CHAT)  # type: ignore[attr-defined]
    assert encoded == model._weights.tokens._tokenizer(asked)["input_ids"]
    with pytest.raises(RequestRefused, match="no chat template"):
        model.sample(samples(0, prompt=CHAT))


def test_a_prompt_that_quotes_the_end_of_a_text_does_not_end(model: TransformersModel) -> None:
    ids = model._weights.tokens.encode(Prompt("a <|endoftext|> b"))
    assert 0 not in ids


def test_the_spec_decides_the_style(weights: Path) -> None:
    model = open_model(f"hf:{weights}?style=chat", None)
    assert model.identity().style == "chat"
    assert model.identity().spec == f"hf:{weights}?style=chat"


def test_an_adapter_changes_what_is_said_as_its_matrices_say(
    weights: Path, adapter: Path, tmp_path: Path
) -> None:
    """A second way: the base with B·A·alpha/r added by numpy."""
    merged = write_tiny_model(tmp_path / "merged")
    tensors = dict(load_file(merged / "model.safetensors"))
    lora = load_file(adapter / "adapter_model.safetensors")
    for name, matrix in lora.items():
        if ".lora_A." in name:
            plain = name.removeprefix("base_model.model.").replace(".lora_A.", ".")
            tensors[plain] = tensors[plain] + 2 * lora[name.replace("lora_A", "lora_B")] @ matrix
    save_file(tensors, merged / "model.safetensors", metadata={"format": "pt"})
    adapted = open_model(f"hf:{weights}+{adapter}", None)
    by_hand = open_model(f"hf:{merged}", None)

    found = texts(adapted, 0, 1, sampling=GREEDY)  # type: ignore[arg-type]
    assert found == texts(by_hand, 0, 1, sampling=GREEDY)  # type: ignore[arg-type]
    assert found != texts(open_model(f"hf:{weights}", None), 0, 1, sampling=GREEDY)  # type: ignore[arg-type]
    assert adapted.identity().digest != by_hand.identity().digest


def test_the_digest_is_of_the_contents(copy: Path, weights: Path, adapter: Path) -> None:
    plain = open_model(f"hf:{weights}", None).identity()
    assert open_model(f"hf:{copy}", None).identity().digest == plain.digest
    assert open_model(f"hf:{copy}+{adapter}", None).identity().digest != plain.digest
    tensors = dict(load_file(copy / "model.safetensors"))
    tensors["model.norm.weight"] = tensors["model.norm.weight"] * 2
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    assert open_model(f"hf:{copy}", None).identity().digest != plain.digest


def test_an_adapter_of_other_weights_is_refused(weights: Path, copy: Path, adapter: Path) -> None:
    write_record(adapter, weight_files.weights_digest(weights))
    details = open_model(f"hf:{weights}+{adapter}", None).identity().details or {}
    assert details["adapter_base"] == "verified"
    tensors = dict(load_file(copy / "model.safetensors"))
    tensors["model.norm.weight"] = tensors["model.norm.weight"] * 2
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InvalidInput, match="trained on other weights"):
        open_model(f"hf:{copy}+{adapter}", None)


def write_record(adapter: Path, base: str) -> None:
    numbers = {"steps": 1, "kept_step": 1, "tokens": 1}
    losses = dict.fromkeys(
        ("held_out_loss_before", "held_out_loss", "perplexity_before", "perplexity")
    )
    record = AdapterRecord(
        base="tiny", base_digest=base, corpus_digest="0" * 64, recipe=Recipe(), **numbers,
        stopped_early=False, seconds=1.0, **losses, notes=(), versions={},
    )  # fmt: skip
    import msgspec

    (adapter / RECORD).write_bytes(msgspec.json.encode(record))


def test_weights_of_the_artifact_store_are_fetched_once(weights: Path, crucible_home: Path) -> None:
    store = open_store(settings.current().artifacts_url)
    digest = bundles.store_directory(store, weights)
    model = open_model(f"hf:artifact:sha256:{digest}", None)
    assert model.identity().spec == f"hf:artifact:{digest}"
    (crucible_home / "artifacts" / digest[:2] / digest).unlink()
    again = open_model(f"hf:artifact:{digest}", None)
    assert again.identity() == model.identity()
    assert again.identity().details == open_model(f"hf:{weights}", None).identity().details


def drop(path: Path, name: str) -> None:
    tensors = dict(load_file(path))
    del tensors[name]
    save_file(tensors, path, metadata={"format": "pt"})


def rank(path: Path) -> None:
    tensors = {name: tensor[:2] for name, tensor in load_file(path).items() if "A" in name}
    save_file(dict(load_file(path)) | tensors, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("spoiled", "problem"),
    [("model", "lacks 1 tensors"), ("adapter", "does not fit"), ("shape", "cannot be used")],
)
def test_tensors_that_are_missing_are_never_made_up(
    spoiled: str, problem: str, copy: Path, adapter: Path
) -> None:
    lora = adapter / "adapter_model.safetensors"
    if spoiled == "model":
        drop(copy / "model.safetensors", "model.layers.1.mlp.up_proj.weight")
    elif spoiled == "adapter":
        drop(lora, "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight")
    else:
        rank(lora)
    model = open_model(f"hf:{copy}+{adapter}", None)
    with pytest.raises(ModelError, match=problem) as caught:
        model.sample(samples(0, sampling=SHORT))
    assert "\n" not in caught.value.message
    assert not caught.value.is_transient


def test_weights_larger_than_the_memory_are_refused_before_they_are_read(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = open_model(f"hf:{copy}", None)
    monkeypatch.setattr(
        "crucible_workers.models.transformers_weights._available_bytes", lambda: 100_000
    )
    with pytest.raises(RequestRefused, match="GiB are free"):
        model.sample(samples(0))


def test_a_device_without_memory_is_one_line(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")

    model = open_model(f"hf:{copy}", None)
    monkeypatch.setattr("transformers.LlamaForCausalLM.forward", full)
    with pytest.raises(RequestRefused, match="out of memory") as caught:
        model.sample(samples(0))
    assert "\n" not in caught.value.message


def test_a_sample_that_takes_too_long_is_given_up(weights: Path) -> None:
    hasty = Patience(first_byte=0.0, per_token=0.0)
    with pytest.raises(ServerTimeout):
        open_model(f"hf:{weights}", None, hasty).sample(samples(0, sampling=SHORT))


def test_little_memory_means_fewer_rows_and_as_many_samples(copy: Path) -> None:
    model = open_model(f"hf:{copy}", None)
    assert isinstance(model, TransformersModel)
    model.sample(samples(0, sampling=SHORT))
    model._room = 60_000
    assert model._height(24) == 2
    found = texts(model, 0, 1, 2, 3, 4)
    assert [texts(model, index)[0] for index in range(5)] == found


def test_without_the_extra_it_says_what_to_install(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crucible_workers.models.in_process._ENGINE", ("torch", "no_such_engine"))
    with pytest.raises(InvalidInput, match="needs torch") as caught:
        open_model(f"hf:{weights}", None)
    assert "codecrucible[train]" in (caught.value.hint or "")
