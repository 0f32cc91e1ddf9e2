"""Drawing the next token: every sampling option, applied in the order transformers has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crucible_tasks.sampling import Sampling
from crucible_workers.nano.weight_file import Array


def drawn(logits: Array, sampling: Sampling, chances: Sequence[float]) -> NDArray[np.int64]:
    """One token for each row of logits, where the row's chance from 0 to 1 falls."""
    found: NDArray[np.int64]
    if sampling.temperature == 0:
        found = logits.argmax(axis=-1)
        return found
    scaled = logits / sampling.temperature
    shares = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    if 0 < sampling.top_k < shares.shape[-1]:
        shares = _at_least(shares, np.sort(shares, axis=-1)[:, -sampling.top_k, None])
    shares /= shares.sum(axis=-1, keepdims=True)
    if sampling.top_p < 1:
        shares = _at_least(shares, _nucleus(shares, sampling.top_p))
    if sampling.min_p > 0:
        shares = _at_least(shares, sampling.min_p * shares.max(axis=-1, keepdims=True))
    sums = shares.cumsum(axis=-1)
    found = (sums <= np.array(chances)[:, None] * sums[:, -1:]).sum(axis=-1)
    return found


def penalised(logits: Array, penalty: float, seen: Sequence[Sequence[int]]) -> Array:
    """Make tokens that occurred already less likely."""
    changed = logits.copy()
    for row, tokens in zip(changed, seen, strict=True):
        known = np.unique(tokens)
        row[known] = np.where(row[known] > 0, row[known] / penalty, row[known] * penalty)
    return changed


def _at_least(shares: Array, least: Array) -> Array:
    return np.where(shares >= least, shares, 0.0)


def _nucleus(shares: Array, top_p: float) -> Array:
    """The share of the last token that is needed to make up `top_p`."""
    falling = np.sort(shares, axis=-1)[:, ::-1]
    # at least the first is needed
    needed = (falling.cumsum(axis=-1) - falling < top_p).sum(axis=-1)
    return np.take_along_axis(falling, needed[:, None] - 1, axis=-1)
