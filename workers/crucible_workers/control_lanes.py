"""Lanes: messages that wait for the same servant, one model server or the sandboxes."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_infra.stage import Stage
from crucible_tasks.evaluation import EVALUATION
from crucible_tasks.generation import queue_of
from crucible_tasks.model_spec import ModelKind, parse


@dataclass(frozen=True, slots=True)
class Lane:
    """Whoever answers a run's messages of one stage."""

    #: a URL, or what stands for one; empty for evaluation
    server: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A lane, the queue that leads there, and what its servant must have loaded for a run."""

    lane: Lane
    #: a server's models may have one each
    queue: str
    #: empty where changing costs nothing
    model: str = ""


def place_of(source: str, stage: Stage) -> Place:
    """Where a run of this model spec sends its messages of this stage."""
    if stage is Stage.EVALUATION:
        return Place(Lane(), EVALUATION.queue)
    spec = parse(source)
    if spec.kind in (ModelKind.REPLAY, ModelKind.REFERENCE):
        # a worker answers from memory
        return Place(Lane("memory"), queue_of(source))
    model = f"{spec.name}+{spec.adapter}" if spec.adapter else spec.name
    return Place(Lane(spec.url or str(spec.kind)), queue_of(source), model)
