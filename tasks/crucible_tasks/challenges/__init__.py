"""Datasets of challenges: open, select, store."""

from crucible_tasks.challenges.dataset import Dataset, create, decode, encode, select
from crucible_tasks.challenges.known import names
from crucible_tasks.challenges.loading import load, open_dataset
from crucible_tasks.challenges.own import write_rows

__all__ = [
    "Dataset",
    "create",
    "decode",
    "encode",
    "load",
    "names",
    "open_dataset",
    "select",
    "write_rows",
]
