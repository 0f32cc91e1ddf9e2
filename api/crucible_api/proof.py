"""The proof of a fine-tune: base and new model on the same challenges, with equal settings.

Both are sampled by the same client from the same weights, one of them with the adapter, so that
nothing but the training tells them apart. The private benchmark says whether the model became
better at this codebase, the other datasets whether it got worse elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from crucible_api.runs import Runs
from crucible_infra.artifacts import ArtifactStore
from crucible_tasks.challenges import Dataset, decode, encode
from crucible_tasks.comparison import Comparison, Finding, compare
from crucible_tasks.generation import ModelIdentity
from crucible_tasks.planning import BenchmarkPlan, new_id
from crucible_tasks.sampling import Sampling
from crucible_tasks.scores import Score, score

#: of the proof's answers: varied enough that several say more than one
TEMPERATURE = 0.8

#: tokens of an answer: functions of a benchmark have some 200, and a small model never ends
_LONGEST = 512

_TOP_P = 0.95


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
    base_run: str | None = None
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


@dataclass(frozen=True, slots=True)
class PartFound:
    """What one dataset says."""

    part: Part
    base: Score
    new: Score
    comparison: Comparison


def wished(
    artifacts: ArtifactStore, n: int, private: Dataset | None, elsewhere: Sequence[Dataset]
) -> Proof:
    """A proof on these datasets, which are kept as they are now."""
    named = [(Role.PRIVATE, private)] if private is not None else []
    named += [(Role.ELSEWHERE, dataset) for dataset in elsewhere]
    parts = (Part(role, one.name, artifacts.put(encode(one))) for role, one in named)
    return Proof(n, tuple(parts))


def planned(runs: Runs, proof: Proof, base: ModelIdentity, new: ModelIdentity) -> Proof:
    """The proof with all of its runs written down; nothing is sent."""
    sweep_id = new_id()
    return Proof(
        proof.n,
        tuple(_planned(runs, part, proof.n, (base, new), sweep_id) for part in proof.parts),
    )


def found(runs: Runs, proof: Proof) -> Iterator[PartFound]:
    """What the runs say, dataset by dataset."""
    for part in proof.parts:
        if part.base_run is not None and part.new_run is not None:
            base, new = runs.counts(part.base_run), runs.counts(part.new_run)
            yield PartFound(part, score(base, 1), score(new, 1), compare(base, new))


def answer(found_parts: Sequence[PartFound], name: str) -> str:
    """The two questions and their answers, in words."""
    private = [one for one in found_parts if one.part.role is Role.PRIVATE]
    elsewhere = [one for one in found_parts if one.part.role is Role.ELSEWHERE]
    sentences = [_better(one, name) for one in private]
    sentences += [_worse(one, name) for one in elsewhere]
    return "\n".join(sentences)


def _better(one: PartFound, name: str) -> str:
    detail = one.comparison.describe("the base model", name)
    match one.comparison.verdict:
        case Finding.BETTER:
            return f"better on this codebase? Yes: {detail}"
        case Finding.WORSE:
            return f"better on this codebase? No: {detail}"
        case _:
            return f"better on this codebase? {detail[:1].upper()}{detail[1:]}"


def _worse(one: PartFound, name: str) -> str:
    detail = one.comparison.describe("the base model", name)
    question = f"worse elsewhere ({one.part.name})?"
    match one.comparison.verdict:
        case Finding.WORSE:
            return f"{question} Yes: {detail}"
        case Finding.BETTER:
            return f"{question} No: {detail}"
        case _:
            return f"{question} {detail[:1].upper()}{detail[1:]}"


def _planned(
    runs: Runs, part: Part, n: int, models: tuple[ModelIdentity, ModelIdentity], sweep_id: str
) -> Part:
    dataset = decode(runs.artifacts.get(part.artifact))
    base, new = (
        runs.plan_benchmark(
            BenchmarkPlan(
                model=model,
                dataset=dataset,
                sampling=Sampling(temperature=TEMPERATURE, top_p=_TOP_P, max_tokens=_LONGEST),
                n=n,
                ks=(1,),
                seed=0,
                sweep_id=sweep_id,
            )
        )
        for model in models
    )
    return Part(part.role, part.name, part.artifact, base, new)
