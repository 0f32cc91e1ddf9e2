"""Prints how many useful tokens a second are trained here, by us and by other stacks.

    python tests/performance/finetune_throughput.py [--model 1.5b|7b|tiny] [--steps 30]
        [--warm-up 5] [--stacks ours,trl,trl-packed,liger] [--sequence 4096] [--batch 8] [--rank 16]

Every stack is a process of its own and trains the same random weights (real widths and depths;
zeros would run faster than real ones) on the same source files, with the same adapter. Useful
tokens are those that came from a file: neither padding nor what was cut off counts.

ours        the training process itself, as `crucible fine-tune` runs it
trl         SFTTrainer as it comes
trl-packed  SFTTrainer told to pack (bfd_split)
liger       the same with Liger's kernels, where liger-kernel is installed

`--model tiny` shows on a CPU that the script runs, and says nothing about speed. Nothing here has
been measured on a GPU yet: the goals are 60,000 tokens a second for 1.5b and 16,000 for 7b on an
H200, MFU of 48 %, 1.2 times the best other stack, and a peak within 10 % of what was predicted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tiny_model
from crucible_tasks.corpus.corpus import Corpus, Document, Part, encode
from crucible_tasks.corpus.report import CorpusReport, PartCount
from crucible_tasks.fine_tuning import TrainingJob, read_steps, write_job
from crucible_tasks.recipe import Recipe

#: of Qwen2.5-Coder
SHAPES = {
    "1.5b": {
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
        "tie_word_embeddings": True,
    },
    "7b": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "tie_word_embeddings": False,
    },
    "tiny": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 1024,
        "tie_word_embeddings": True,
    },
}

STACKS = ("ours", "trl", "trl-packed", "liger")

_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Wish:
    """What is measured."""

    model: str
    steps: int
    warm_up: int
    sequence: int
    batch: int
    rank: int
    #: holds `base` and `corpus.jsonl`
    directory: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What one stack did; None where it cannot tell."""

    tokens_per_second: float
    seconds_per_step: float
    peak_gib: float
    mfu: float | None = None
    predicted_gib: float | None = None


def main() -> None:
    """Measure and print."""
    options = _options()
    if options.child:
        print(json.dumps(asdict(_plain_trl(Wish(**json.loads(options.wish)), options.child))))
        return
    with tempfile.TemporaryDirectory() as name:
        wish = Wish(
            options.model,
            options.steps,
            options.warm_up,
            options.sequence,
            options.batch,
            options.rank,
            name,
        )
        _write_base(wish)
        _write_corpus(wish)
        print(f"{wish.model}, sequence {wish.sequence}, batch {wish.batch}, on {_device()}")
        print(
            f"{'stack':12}{'tokens/s':>10}{'s/step':>9}{'MFU':>7}{'peak GiB':>10}{'predicted':>11}"
        )
        for stack in options.stacks.split(","):
            _print_row(stack, wish)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", choices=SHAPES, default="1.5b")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--warm-up", type=int, default=5)
    parser.add_argument("--sequence", type=int, default=4096)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--stacks", default=",".join(STACKS))
    parser.add_argument("--child", choices=STACKS, help=argparse.SUPPRESS)
    parser.add_argument("--wish", help=argparse.SUPPRESS)
    return parser.parse_args()


def _print_row(stack: str, wish: Wish) -> None:
    if stack == "liger" and find_spec("liger_kernel") is None:
        print(f"{stack:12}not installed: pip install liger-kernel")
        return
    try:
        found = _ours(wish) if stack == "ours" else _in_child(wish, stack)
    except subprocess.CalledProcessError as error:
        print(f"{stack:12}failed: {error.stderr.strip().splitlines()[-1]}")
        return
    mfu = "" if found.mfu is None else f"{found.mfu:.1%}"
    predicted = "" if found.predicted_gib is None else f"{found.predicted_gib:.2f}"
    print(
        f"{stack:12}{found.tokens_per_second:10,.0f}{found.seconds_per_step:9.3f}{mfu:>7}"
        f"{found.peak_gib:10.2f}{predicted:>11}",
        flush=True,
    )


def _ours(wish: Wish) -> Figures:
    place = Path(wish.directory)
    recipe = Recipe(
        rank=wish.rank,
        alpha=2 * wish.rank,
        max_steps=wish.steps,
        batch=wish.batch,
        sequence_tokens=wish.sequence,
        # the others know no fill-in-the-middle
        fim_rate=0.0,
        checkpoint_every=wish.steps,
        deterministic=False,
    )
    write_job(
        TrainingJob(str(place / "base"), str(place / "corpus.jsonl"), recipe, str(place / "out")),
        place / "job.json",
    )
    process = tiny_model.start_trainer(place / "job.json")
    _, errors = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "ours", stderr=errors)
    steps = list(read_steps(place / "out/progress.jsonl").values())
    timed = [step for step in steps if step.step > wish.warm_up and step.tokens_per_second]
    predicted = re.search(r"about ([\d.]+) GiB", errors)
    rates = [step.tokens_per_second or 0.0 for step in timed]
    before = {step.step: step.tokens for step in steps}
    seconds = [(s.tokens - before[s.step - 1]) / (s.tokens_per_second or 1) for s in timed]
    mfus = [step.mfu for step in timed if step.mfu is not None]
    return Figures(
        statistics.median(rates),
        statistics.median(seconds),
        (timed[-1].memory_bytes or 0) / _GIB,
        statistics.median(mfus) if mfus else None,
        float(predicted[1]) if predicted else None,
    )


def _in_child(wish: Wish, stack: str) -> Figures:
    words = ["--child", stack, "--wish", json.dumps(asdict(wish))]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def _plain_trl(wish: Wish, stack: str) -> Figures:
    """SFTTrainer on the texts, as its users write it."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    place, has_gpu = Path(wish.directory), torch.cuda.is_available()
    packing = {"packing": True, "packing_strategy": "bfd_split"} if stack != "trl" else {}
    clock = _clock_class()(wish.warm_up)
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(
            place / "base", dtype=torch.bfloat16 if has_gpu else torch.float32
        ),
        args=SFTConfig(
            output_dir=str(place / stack),
            max_steps=wish.steps,
            per_device_train_batch_size=wish.batch,
            max_length=wish.sequence,
            use_liger_kernel=stack == "liger",
            bf16=has_gpu,
            use_cpu=not has_gpu,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            **packing,
        ),
        train_dataset=Dataset.from_dict({"text": [*_texts(wish)]}),
        processing_class=AutoTokenizer.from_pretrained(place / "base"),
        peft_config=LoraConfig(r=wish.rank, lora_alpha=2 * wish.rank, target_modules="all-linear"),
        callbacks=[clock],
    )
    trainer.train()
    peak = torch.cuda.max_memory_allocated() if has_gpu else 0
    return Figures(statistics.median(clock.rates), statistics.median(clock.seconds), peak / _GIB)


def _clock_class() -> Any:
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        """Useful tokens and seconds of each step after the warm-up."""

        def __init__(self, warm_up: int) -> None:
            self.rates: list[float] = []
            self.seconds: list[float] = []
            self._warm_up = warm_up
            self._tokens = 0.0
            self._mark = time.monotonic()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any, **_: Any) -> None:
            del args, control
            if "num_tokens" not in logs or "loss" not in logs:
                return
            now, tokens = time.monotonic(), float(logs["num_tokens"])
            if state.global_step > self._warm_up:
                self.seconds.append(now - self._mark)
                self.rates.append((tokens - self._tokens) / (now - self._mark))
            self._mark, self._tokens = now, tokens

    return Clock


def _write_base(wish: Wish) -> None:
    import torch
    from transformers import AutoModelForCausalLM, Qwen2Config

    directory = tiny_model.write_tiny_model(Path(wish.directory) / "base")
    config = Qwen2Config(**SHAPES[wish.model], max_position_embeddings=32768, eos_token_id=0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    (directory / "model.safetensors").unlink()
    model.save_pretrained(directory)


def _write_corpus(wish: Wish) -> None:
    documents = tuple(
        Document(f"{number}.py", "python", text, Part.TRAIN)
        for number, text in enumerate(_texts(wish))
    )
    report = CorpusReport(
        len(documents), PartCount(len(documents)), PartCount(), {}, (), (), (), (), ()
    )
    corpus = Corpus("0" * 64, documents, (), report)
    (Path(wish.directory) / "corpus.jsonl").write_bytes(encode(corpus))


def _texts(wish: Wish) -> list[str]:
    """Python's own library: files of real lengths, the same for all."""
    library = Path(sysconfig.get_paths()["stdlib"])
    paths = sorted(library.glob("*.py"))[: 5 if wish.model == "tiny" else None]
    return [path.read_text("utf-8", "replace") for path in paths]


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return f"{os.cpu_count()} CPU cores, where a figure means nothing"


if __name__ == "__main__":
    main()
