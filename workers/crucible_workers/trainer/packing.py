"""Rows of a fixed width, filled with whole pieces that do not see each other.

TRL packs (best fit decreasing). What keeps the pieces of a row apart is that positions begin anew
with each of them and that there is no attention mask: transformers then draws one from the
positions. With an attention mask, or with a cache, they would see each other without a word.
The order of all steps is laid out before the first one: every row comes once before any comes
again, each step has exactly as many rows as the recipe says, and a resumed process needs to know
no more than the number of its step.

Batches have few widths. For each one it has not seen, the library that multiplies on CPUs makes
itself programs, and keeps them: with as many widths as steps, forty steps of the toy took 0.5 GiB
more, and a third more CPU time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, count, islice
from typing import Any

import torch
from datasets import Dataset, disable_progress_bars
from trl import pack_dataset
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from crucible_tasks.recipe import Recipe
from crucible_workers.trainer.examples import IGNORED, Example

disable_progress_bars()

#: at most so many widths; what is padded for it is less than this share of a row
_WIDTHS = 8

Collate = Callable[[list[dict[str, Any]]], dict[str, Any]]


def pack(examples: list[Example], recipe: Recipe) -> Dataset:
    """Rows with `input_ids`, `labels` and the lengths of their pieces, `seq_lengths`."""
    rows = Dataset.from_dict(
        {
            "input_ids": [example.ids for example in examples],
            "labels": [example.labels for example in examples],
        }
    )
    if recipe.packing == "off":
        # pieces longer than a row were cut before
        return rows.add_column("seq_lengths", [[len(example.ids)] for example in examples])
    return pack_dataset(rows, recipe.sequence_tokens, strategy=recipe.packing)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which rows every step has."""

    #: one after the other, `batch` for each step
    order: list[int]
    batch: int
    #: useful tokens after each step, from none
    tokens: list[int]
    #: sum over the step's pieces of their squared length, which attention costs
    squares: list[int]

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self.order) // self.batch


def schedule(rows: Dataset, recipe: Recipe) -> Schedule:
    """Lay out all steps."""
    steps = recipe.max_steps or max(1, round(recipe.epochs * len(rows) / recipe.batch))
    order = list(islice(_rounds(len(rows), recipe.seed), steps * recipe.batch))
    lengths = rows["seq_lengths"]
    tokens = [sum(lengths[row]) for row in range(len(rows))]
    squares = [sum(length**2 for length in lengths[row]) for row in range(len(rows))]
    chunks = [order[at : at + recipe.batch] for at in range(0, len(order), recipe.batch)]
    return Schedule(
        order,
        recipe.batch,
        [0, *accumulate(sum(tokens[row] for row in chunk) for chunk in chunks)],
        [sum(squares[row] for row in chunk) for chunk in chunks],
    )


def collator(padding: int, attention: str, sequence_tokens: int) -> Collate:
    """What makes a batch of rows of at most so many tokens, for this attention.

    Flash attention takes one long row and the places where pieces begin. Given several rows it
    would let the pieces of each see each other.
    """
    if attention.startswith("flash"):
        found: Collate = DataCollatorForLanguageModeling(padding, padding_free=True)
        return found
    return Collator(padding, sequence_tokens)


class Collator:
    """Rows to one batch of a common width; pieces begin at position 0."""

    def __init__(self, padding: int, sequence_tokens: int) -> None:
        self._padding = padding
        self._most = sequence_tokens
        self._step = -(-sequence_tokens // _WIDTHS)

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Stack the rows; a first token has nothing before it to be told from."""
        longest = max(len(row["input_ids"]) for row in rows)
        width = min(self._most, -(-longest // self._step) * self._step)
        ids = torch.full((len(rows), width), self._padding)
        labels = torch.full((len(rows), width), IGNORED)
        # what is padded is a piece of its own
        positions = torch.zeros((len(rows), width), dtype=torch.long)
        for at, row in enumerate(rows):
            lengths = [*row["seq_lengths"]]
            used = sum(lengths)
            ids[at, :used] = torch.tensor(row["input_ids"])
            labels[at, :used] = torch.tensor(row["labels"])
            pieces = [torch.arange(length) for length in (*lengths, width - used)]
            positions[at] = torch.cat(pieces)
        labels[positions == 0] = IGNORED
        return {"input_ids": ids, "labels": labels, "position_ids": positions}


def _rounds(rows: int, seed: int) -> Iterator[int]:
    for number in count():
        order = list(range(rows))
        random.Random(f"{seed}:{number}").shuffle(order)
        yield from order
