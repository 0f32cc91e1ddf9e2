"""A registered model: the specs that sample it, and what must be said beside each of its scores.

Said is where it comes from, and how much of what it answers stood in what it was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from crucible_tasks.fine_tuning import NANO
from crucible_tasks.recipe import Method

#: where a run's manifest holds it
KEY = "registered"


@dataclass(frozen=True, slots=True)
class Registered:
    """What made a model, and what its corpus has in common with the challenges of one run."""

    #: when the run was planned; the name may be another model's by now
    name: str
    fine_tune: str
    #: digest of the encoded corpus
    corpus: str
    dataset: str
    #: of the dataset, as the run has it
    challenges: int
    #: the challenges that stand in the part that was trained on
    shared: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The line beside its scores."""
        return overlap_sentence(self.shared, self.challenges, self.dataset)


def overlap_sentence(shared: Sequence[str], challenges: int, dataset: str) -> str:
    """How many of the challenges stand in what a model was trained on, as a line beside a score."""
    return f"its corpus shares {len(shared)} of {challenges} challenges with {dataset}"


def registered_in(manifest: Mapping[str, Any]) -> Registered | None:
    """What a run's manifest says; None for a model that no fine-tune has made."""
    found = manifest.get(KEY)
    return None if found is None else msgspec.convert(found, Registered)


def spec_of_base(base: str, method: Method) -> str:
    """The spec that samples what a model is trained from, by the client that samples the model."""
    # the toy is sampled without torch, unless its adapter is of a kind that only peft can add
    return NANO if base == NANO and method is Method.LORA else f"hf:{base}"


def spec_of_trained(base: str, method: Method, artifact: str, *, is_whole: bool) -> str:
    """The spec that samples a trained model on any host of its cluster."""
    if is_whole:
        return f"hf:artifact:{artifact}"
    return f"{spec_of_base(base, method)}+artifact:{artifact}"
