"""A Llama of 90 thousand random weights, a corpus for it, and the process that trains it.

Written without torch, which takes seconds to import: its file format needs numpy alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from crucible_tasks.corpus.corpus import Corpus, Document, Pair, Part, encode
from crucible_tasks.corpus.report import CorpusReport, PartCount

HIDDEN, LAYERS, HEADS, INNER = 64, 2, 4, 128

SPECIAL = ("<|endoftext|>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>")

VOCABULARY = 320

CHAT_TEMPLATE = """\
{%- for message in messages -%}
<{{ message.role }}>{{ message.content }}{{ eos_token }}
{%- endfor -%}
{%- if add_generation_prompt %}<assistant>{% endif -%}
"""

CODE = '''\
def {name}(values):
    """Return the {name} of the values."""
    result = {start}
    for value in values:
        if value > {limit}:
            result {sign}= value
    return result
'''


def write_tiny_model(
    directory: Path,
    special: tuple[str, ...] = SPECIAL,
    *,
    context: int = 512,
    has_chat: bool = False,
) -> Path:
    """A directory that transformers loads; always the same weights."""
    directory.mkdir(parents=True)
    tokenizer = _tokenizer(special)
    tokenizer.save(str(directory / "tokenizer.json"))
    rows = tokenizer.get_vocab_size()
    _write(directory / "config.json", _config(rows) | {"max_position_embeddings": context})
    if has_chat:
        (directory / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    _write(
        directory / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": special[0]},
    )
    save_file(_weights(rows), directory / "model.safetensors", metadata={"format": "pt"})
    return directory


def tiny_corpus(pairs: tuple[Pair, ...] = ()) -> bytes:
    """Sixty small files to learn from and six that are held out."""
    documents = tuple(
        Document(f"f{number}.py", "python", _code(number), _part(number)) for number in range(66)
    )
    return encode(Corpus("0" * 64, documents, pairs, _report()))


def start_trainer(job: Path, *limits: str) -> subprocess.Popen[str]:
    """The real process, on one thread; `limits` are words before the command."""
    return subprocess.Popen(
        [*limits, sys.executable, "-m", "crucible_workers.trainer", str(job)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def _report() -> CorpusReport:
    return CorpusReport(66, PartCount(60), PartCount(6), {"python": 66}, (), (), (), (), ())


def _code(number: int) -> str:
    names = "total sum count weight price length area height".split()
    return CODE.format(
        name=f"{names[number % len(names)]}_{number}",
        start=number % 3,
        limit=number % 7,
        sign="+-*"[number % 3],
    )


def _part(number: int) -> Part:
    return Part.HELD_OUT if number % 11 == 10 else Part.TRAIN


def _tokenizer(special: tuple[str, ...]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([_code(number) for number in range(66)], trainer)
    return tokenizer


def _config(rows: int) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
        "vocab_size": rows,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "dtype": "float32",
    }


def _weights(rows: int) -> dict[str, np.ndarray]:
    dice = np.random.default_rng(7)

    def random(*shape: int) -> np.ndarray:
        return (dice.standard_normal(shape) * 0.05).astype(np.float32)

    ones = np.ones(HIDDEN, np.float32)
    found = {"model.embed_tokens.weight": random(rows, HIDDEN), "model.norm.weight": ones}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        for name in "qkvo":
            found[f"{at}.self_attn.{name}_proj.weight"] = random(HIDDEN, HIDDEN)
        found[f"{at}.mlp.gate_proj.weight"] = random(INNER, HIDDEN)
        found[f"{at}.mlp.up_proj.weight"] = random(INNER, HIDDEN)
        found[f"{at}.mlp.down_proj.weight"] = random(HIDDEN, INNER)
        found[f"{at}.input_layernorm.weight"] = ones
        found[f"{at}.post_attention_layernorm.weight"] = ones
    return found


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content), "utf-8")
