"""The held-out loss: a mean over all held-out tokens, the same on any number of hosts."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Any

import torch
from datasets import Dataset
from torch import distributed

from crucible_workers.trainer.examples import IGNORED
from crucible_workers.trainer.gathering import told_by_all
from crucible_workers.trainer.packing import Collate


class HeldOut:
    """Rows that nothing is learned from."""

    def __init__(self, rows: Dataset, collator: Collate) -> None:
        self._batches = [collator([row]) for row in rows]

    def loss(self, model: Any, autocast: AbstractContextManager[Any]) -> float:
        """The mean loss of a token. Every process of a gang must ask, and takes its share."""
        was_training = model.training
        model.eval()
        with torch.no_grad(), autocast:
            sums = self._share(model)
        model.train(was_training)
        # fsum rounds once: the order of the hosts does not matter
        return math.fsum(one for share in told_by_all(sums) for one in share) / self._tokens()

    def _share(self, model: Any) -> list[float]:
        rank, world = 0, 1
        if distributed.is_initialized():
            rank, world = distributed.get_rank(), distributed.get_world_size()
        device = next(model.parameters()).device
        sums = []
        for batch in self._batches[rank::world]:
            inputs = {
                name: value.to(device) if isinstance(value, torch.Tensor) else value
                for name, value in batch.items()
            }
            # TRL's head scores tile by tile: the logits of a long row need gigabytes
            found = model(**inputs, use_cache=False, fused_lm_head=True)
            sums.append(-found.log_probs.double().sum().item())
        return sums

    def _tokens(self) -> int:
        return sum(int((batch["labels"][:, 1:] != IGNORED).sum()) for batch in self._batches)
