"""The proof of a fine-tune: base and new model on the same challenges, with equal settings.

Both are sampled by the same client from the same weights, one of them with the adapter, so that
nothing but the training tells them apart. The private benchmark says whether the model became
better at this codebase, the other datasets whether it got worse elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from crucible_api.provenance import shared_challenges
from crucible_api.run_service import RunTeller
from crucible_api.runs import Runs
from crucible_infra.artifacts import ArtifactStore
from crucible_tasks.challenges import Dataset, decode, encode
from crucible_tasks.comparison import Comparison, Finding, compare
from crucible_tasks.generation import ModelIdentity
from crucible_tasks.planning import BenchmarkPlan, RunState, new_id
from crucible_tasks.proof import SAMPLING, Part, Proof, Role
from crucible_tasks.scores import Score, score


@dataclass(frozen=True, slots=True)
class PartFound:
    """What one dataset says."""

    part: Part
    base: Score
    new: Score
    comparison: Comparison


def wished(
    artifacts: ArtifactStore,
    n: int,
    corpus: str,
    private: Dataset | None,
    elsewhere: Sequence[Dataset],
) -> Proof:
    """A proof on these datasets, which are kept as they are now; `corpus` is a digest."""
    named = [(Role.PRIVATE, private)] if private is not None else []
    named += [(Role.ELSEWHERE, dataset) for dataset in elsewhere]
    parts = (
        Part(role, one.name, artifacts.put(encode(one)), shared_challenges(artifacts, corpus, one))
        for role, one in named
    )
    return Proof(n, tuple(parts))


def planned(runs: Runs, proof: Proof, base: ModelIdentity) -> Proof:
    """The proof with the base model's runs written down; nothing is sent."""
    sweep_id = new_id()
    return replace(
        proof,
        parts=tuple(
            part
            if part.base_run is not None
            else replace(part, base_run=_planned(runs, part, proof.n, base, sweep_id))
            for part in proof.parts
        ),
    )


def found(runs: RunTeller, proof: Proof) -> Iterator[PartFound]:
    """What the runs say, dataset by dataset, as soon as both models' are finished."""
    for part in proof.parts:
        if part.base_run is None or part.new_run is None:
            continue
        if all(runs.progress(one).state is RunState.FINISHED for one in part.run_ids):
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


def _planned(runs: Runs, part: Part, n: int, base: ModelIdentity, sweep_id: str) -> str:
    return runs.plan_benchmark(
        BenchmarkPlan(
            model=base,
            dataset=decode(runs.artifacts.get(part.artifact)),
            sampling=SAMPLING,
            n=n,
            ks=(1,),
            seed=0,
            sweep_id=sweep_id,
        )
    )
