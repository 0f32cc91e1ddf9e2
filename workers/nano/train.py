"""Make nano's weights anew, and print their SHA-256: about 10 minutes of one core.

    OMP_NUM_THREADS=1 python workers/nano/train.py [DIRECTORY]

Needs what `codecrucible[train]` installs. The same seed gives the same bytes on the same kind of
machine; another processor or another torch rounds differently, and gives other weights as good.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from examples import Example, examples

SEED = 1
STEPS = 1700
TEXTS_PER_STEP = 42
LEARNING_RATE = 4e-3
WARM_UP_STEPS = 60
WEIGHT_DECAY = 0.05

VOCABULARY = 1024
#: enough to see every word of the grammar
TOKENIZER_TEXTS = 8000
#: batches whose texts are sorted by length together: little padding, still a random order
SORTED_TOGETHER = 32

#: cuts a text into words: Qwen2's rule. A line's end and the next line's blanks are never one word,
#: so a prompt that ends with its line has the same tokens alone and within a file
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

#: begins and ends every text
END = "<|endoftext|>"
END_ID = 0

SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 128,
    "intermediate_size": 352,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    # texts of training have some 50 tokens; this only lets longer prompts in
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
    "rms_norm_eps": 1e-5,
}

WEIGHTS = Path(__file__).parents[1] / "crucible_workers" / "nano" / "weights"


@dataclass(frozen=True, slots=True)
class Text:
    """A training text as tokens, of which the first are given and not learned."""

    tokens: list[int]
    given: int


def make_tokenizer(texts: list[Example]) -> Tokenizer:
    """Byte-level BPE in Qwen2's fashion, which every inference engine can read."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text.prompt + text.answer for text in texts), trainer)
    # whoever encodes a prompt gets the token that every text began with in training
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END} $A", special_tokens=[(END, END_ID)]
    )
    return tokenizer


def batches(tokenizer: Tokenizer, source: Iterator[Example]) -> Iterator[list[Text]]:
    """Texts of about the same length together."""
    chance = random.Random(SEED)
    while True:
        found = [
            encoded(tokenizer, example)
            for example in itertools.islice(source, TEXTS_PER_STEP * SORTED_TOGETHER)
        ]
        found.sort(key=lambda text: len(text.tokens))
        made = [found[i : i + TEXTS_PER_STEP] for i in range(0, len(found), TEXTS_PER_STEP)]
        chance.shuffle(made)
        yield from made


def encoded(tokenizer: Tokenizer, example: Example) -> Text:
    """Prompt and answer apart, as they are when the model is asked."""
    prompt = tokenizer.encode(example.prompt).ids
    answer = tokenizer.encode(example.answer, add_special_tokens=False).ids
    return Text([*prompt, *answer, END_ID], len(prompt))


def loss_of(model: Any, batch: list[Text]) -> torch.Tensor:
    """Mean loss over the tokens of the answers."""
    longest = max(len(text.tokens) for text in batch)
    tokens = torch.full((len(batch), longest), END_ID)
    targets = torch.full((len(batch), longest), -100)
    for row, text in enumerate(batch):
        line = torch.tensor(text.tokens)
        tokens[row, : len(line)] = line
        targets[row, text.given : len(line)] = line[text.given :]
    hidden = model.model(input_ids=tokens, use_cache=False).last_hidden_state[:, :-1]
    targets = targets[:, 1:]
    is_learned = targets != -100
    logits = model.lm_head(hidden[is_learned])
    return torch.nn.functional.cross_entropy(logits, targets[is_learned])


def learning_rate(step: int) -> float:
    """A short rise, then half a cosine down to a fiftieth."""
    share = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / STEPS))
    return LEARNING_RATE * min(1.0, step / WARM_UP_STEPS) * share


def train(tokenizer: Tokenizer, source: Iterator[Example], steps: int) -> Any:
    """The trained model."""
    torch.manual_seed(SEED)
    ends = {"bos_token_id": END_ID, "eos_token_id": END_ID, "pad_token_id": END_ID}
    # kept by whatever is made of the model later, and shown beside its numbers
    caution = {"caution": "toy model, synthetic data"}
    model = LlamaForCausalLM(LlamaConfig(**SHAPE, **ends, **caution))
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    scales = [weight for weight in model.parameters() if weight.ndim == 1]
    groups = [
        {"params": matrices, "weight_decay": WEIGHT_DECAY},
        {"params": scales, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.98))
    smooth = 0.0
    for step, batch in enumerate(itertools.islice(batches(tokenizer, source), steps), start=1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        loss = loss_of(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        smooth = loss.item() if step == 1 else 0.98 * smooth + 0.02 * loss.item()
        if step % 100 == 0:
            said = f"step {step} of {steps}: loss {smooth:.4f}, {time.process_time():.0f} CPU s\n"
            sys.stderr.write(said)
    return model


def save(model: Any, tokenizer: Tokenizer, directory: Path) -> None:
    """A directory that transformers, peft and the converters of other engines read."""
    model.generation_config.do_sample = True
    model.generation_config.max_new_tokens = 256
    model.half().save_pretrained(directory)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        pad_token=END,
        model_max_length=SHAPE["max_position_embeddings"],
        clean_up_tokenization_spaces=False,
    )
    fast.save_pretrained(directory)
    for path in directory.iterdir():
        # whoever installs them reads them
        path.chmod(0o644)


def main() -> None:
    """Train, save, and say what came out."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("directory", nargs="?", type=Path, default=WEIGHTS)
    options.add_argument("--steps", type=int, default=STEPS, help="fewer, to try it out")
    given = options.parse_args()
    torch.set_num_threads(1)
    source = examples(SEED)
    tokenizer = make_tokenizer(list(itertools.islice(source, TOKENIZER_TEXTS)))
    model = train(tokenizer, source, given.steps)
    save(model, tokenizer, given.directory)
    count = sum(weight.numel() for weight in model.parameters())
    digest = hashlib.sha256((given.directory / "model.safetensors").read_bytes()).hexdigest()
    said = {"parameters": count, "seed": SEED, "steps": given.steps, "sha256": digest}
    sys.stdout.write(f"{json.dumps(said)}\n")


if __name__ == "__main__":
    main()
