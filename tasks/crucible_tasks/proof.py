"""A proof: which challenges base and new model of a fine-tune answer, and by which runs.

It is settled when the fine-tune is planned: the datasets are kept, and the base model's runs are
written down, so prompts and seeds are too. When the training has ended, the new model's runs are
made as copies of them with another model, which is what equal settings mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crucible_tasks.sampling import Sampling

#: varied enough that several answers say more than one; functions of a benchmark have some 200
#: tokens, and a small model never ends
SAMPLING = Sampling(temperature=0.8, top_p=0.95, max_tokens=512)


class Role(StrEnum):
    """What a dataset is asked for."""

    #: is it better on this codebase?
    PRIVATE = "private"
    #: did it get worse elsewhere?
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Part:
    """One dataset of a proof, and the runs that answer it."""

    role: Role
    #: of the dataset
    name: str
    #: where the artifact store holds it
    artifact: str
    #: its challenges that stand in what is trained on; None where nobody has looked
    shared: tuple[str, ...] | None = None
    base_run: str | None = None
    #: None until the training has ended
    new_run: str | None = None

    @property
    def run_ids(self) -> tuple[str, ...]:
        """Those that are planned."""
        return tuple(one for one in (self.base_run, self.new_run) if one is not None)


@dataclass(frozen=True, slots=True)
class Proof:
    """What is to be proved, and by which runs."""

    #: answers per challenge
    n: int
    parts: tuple[Part, ...]

    @property
    def run_ids(self) -> tuple[str, ...]:
        """All runs, each base before its new model."""
        return tuple(one for part in self.parts for one in part.run_ids)
