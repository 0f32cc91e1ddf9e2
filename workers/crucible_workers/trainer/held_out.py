"""The held-out loss: a mean over all held-out tokens, the same on any number of hosts.

It is summed piece by piece, so that it can be told for each file: an interval over files says what
a mean over tokens does not, whether all of them gained or one large one did.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from torch import distributed

from crucible_workers.trainer.examples import IGNORED, Example
from crucible_workers.trainer.gathering import told_by_all
from crucible_workers.trainer.packing import Collate


@dataclass(frozen=True, slots=True)
class FileLoss:
    """Of one file: the sum over its tokens, and how many those are."""

    loss: float
    tokens: int


@dataclass(frozen=True, slots=True)
class _PieceLoss:
    path: str
    loss: float
    tokens: int


class HeldOut:
    """Rows that nothing is learned from."""

    def __init__(self, rows: Dataset, examples: list[Example], collator: Collate) -> None:
        self._batches = [collator([row]) for row in rows]
        self._lengths: list[list[int]] = list(rows["seq_lengths"])
        # packing moves whole pieces, and tells of none where it came from
        self._paths = {tuple(example.ids): example.path for example in examples}
        #: by path, when it was last asked
        self.files: dict[str, FileLoss] = {}

    def loss(self, model: Any, autocast: AbstractContextManager[Any]) -> float:
        """The mean loss of a token. Every process of a gang must ask, and takes its share."""
        was_training = model.training
        model.eval()
        with torch.no_grad(), autocast:
            pieces = list(self._share(model))
        model.train(was_training)
        everything = [one for share in told_by_all(pieces) for one in share]
        self.files = _by_file(everything)
        # fsum rounds once: the order of the hosts does not matter
        tokens = sum(piece.tokens for piece in everything)
        return math.fsum(piece.loss for piece in everything) / tokens

    def _share(self, model: Any) -> Iterator[_PieceLoss]:
        rank, world = 0, 1
        if distributed.is_initialized():
            rank, world = distributed.get_rank(), distributed.get_world_size()
        device = next(model.parameters()).device
        for batch, lengths in zip(
            self._batches[rank::world], self._lengths[rank::world], strict=True
        ):
            inputs = {
                name: value.to(device) if isinstance(value, torch.Tensor) else value
                for name, value in batch.items()
            }
            # TRL's head scores tile by tile: the logits of a long row need gigabytes
            found = model(**inputs, use_cache=False, fused_lm_head=True)
            yield from self._pieces(batch, lengths, found.log_probs.double().cpu()[0])

    def _pieces(self, batch: Any, lengths: list[int], scores: torch.Tensor) -> Iterator[_PieceLoss]:
        """A row's pieces; score i is of token i + 1, and that of a piece's first is none."""
        begin = 0
        for length in lengths:
            end = begin + length
            ids = tuple(batch["input_ids"][0, begin:end].tolist())
            tokens = int((batch["labels"][0, begin + 1 : end] != IGNORED).sum())
            loss = -scores[begin : end - 1].sum().item()
            yield _PieceLoss(self._paths.get(ids, ""), loss, tokens)
            begin = end


def _by_file(pieces: list[_PieceLoss]) -> dict[str, FileLoss]:
    found: defaultdict[str, list[_PieceLoss]] = defaultdict(list)
    for piece in pieces:
        found[piece.path].append(piece)
    return {
        path: FileLoss(math.fsum(one.loss for one in mine), sum(one.tokens for one in mine))
        for path, mine in sorted(found.items())
    }
