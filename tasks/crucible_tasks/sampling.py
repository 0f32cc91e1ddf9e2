"""How completions are sampled, and the seed of each."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

#: leaves room for 2**30 samples below the 31-bit limit of llama.cpp and Ollama
_SEED_BASES = 2**30

#: that limit
_MOST_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Sampling:
    """Every sampling option, always sent in full: an unknown default is never relied on."""

    temperature: float = 0.8
    top_p: float = 0.95
    #: 0 turns it off
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_tokens: int = 1024
    #: context window asked of servers that let the client choose (Ollama)
    context_tokens: int = 8192


def seed_base(run_seed: int, dataset: str, task_id: str) -> int:
    """The seed before a challenge's first sample.

    Sample `index` (from 0) uses `seed_base(...) + 1 + index`, the rule vLLM and llama.cpp follow
    for `n`, so one request for n samples and n requests for one draw the same set.
    """
    key = f"{run_seed}\0{dataset}\0{task_id}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "big") % _SEED_BASES


def any_seed() -> int:
    """A seed for one answer, where nobody wants a certain one."""
    return random.randrange(1, _MOST_SEED)


def later_seed(seed: int, number: int) -> int:
    """The seed of the answer this many behind one, from 1 again behind the last there is."""
    return (seed - 1 + number) % _MOST_SEED + 1
