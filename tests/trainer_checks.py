"""What tests ask of torch and the trainer's parts, where these are imported already: in forks."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config

from crucible_tasks.corpus.corpus import Part, decode
from crucible_tasks.recipe import Method, Recipe
from crucible_workers.trainer import memory
from crucible_workers.trainer.packing import schedule
from crucible_workers.trainer.pieces import cut
from crucible_workers.trainer.preparation import caution
from crucible_workers.trainer.tokenising import Tokens

for _module in ("training", "failures"):
    importlib.import_module(f"crucible_workers.trainer.{_module}")

#: Qwen2.5-Coder-7B
_SEVEN_BILLION = {
    "vocab_size": 152064,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "max_position_embeddings": 32768,
}


def held_out_loss(base: str, adapter: str, corpus: str) -> float:
    """The held-out loss the plain way: peft's own loader, one file after the other, no packing."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if (Path(adapter) / "adapter_config.json").exists():
        model = PeftModel.from_pretrained(model, adapter)
    elif adapter:
        model = AutoModelForCausalLM.from_pretrained(adapter, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(base)
    total, count = 0.0, 0
    for document in decode(Path(corpus).read_bytes()).documents:
        if document.part is Part.HELD_OUT:
            ids = torch.tensor([[*tokenizer(document.text)["input_ids"], tokenizer.eos_token_id]])
            with torch.no_grad():
                logits = model(ids).logits[0, :-1].log_softmax(-1)
            total -= logits.gather(1, ids[0, 1:, None]).sum().item()
            count += ids.shape[1] - 1
    return total / count


def seven_billion(method: str) -> dict[str, float]:
    """What training Qwen2.5-Coder-7B needs for a row of 4096 tokens, by the rehearsal."""
    recipe = Recipe(method=Method(method), sequence_tokens=4096, precision="bfloat16")
    found = memory.rehearse(Qwen2Config(**_SEVEN_BILLION), recipe, torch.device("cpu"))
    return {
        "gigaflops": found.work.operations(4096, 4096**2) / 4096 / 1e9,
        "weights": found.need.weights / 2**30,
        "optimizer": found.need.optimizer / 2**30,
        "row": found.need.row / 2**30,
        "row_checkpointed": found.need.row_checkpointed / 2**30,
    }


def cautions(rows: int, max_steps: int | None) -> list[str]:
    """What is said of that many rows of 100 tokens, trained in steps of 4."""
    recipe = Recipe(max_steps=max_steps, batch=4)
    found = Dataset.from_dict({"seq_lengths": [[100]] * rows})
    return list(caution(rows, 100 * rows, schedule(found, recipe), recipe))


def pieces(base: str, text: str, budget: int) -> list[Any]:
    """How a text is cut, and how many tokens each piece has."""
    tokens = Tokens(AutoTokenizer.from_pretrained(base), rows=10**9)
    return [(piece, len(tokens.encode(piece))) for piece in cut(text, budget, tokens)]


def ids_of(base: str, text: str) -> list[int]:
    """The ids of a text of a document."""
    return Tokens(AutoTokenizer.from_pretrained(base), rows=10**9).encode(text)
