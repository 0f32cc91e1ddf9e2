"""What a run consists of before any work is sent: its id, challenges, prompts and seeds."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from crucible_infra.errors import UnsupportedLanguage
from crucible_tasks.challenge import Language, Limits
from crucible_tasks.completion import Finish, Form
from crucible_tasks.evaluation import GRADER
from crucible_tasks.generation import ModelIdentity, Prompt
from crucible_tasks.sampling import Sampling, seed_base

if TYPE_CHECKING:
    from crucible_tasks.challenges import Dataset
    from crucible_tasks.wording import Wording

Item = TypeVar("Item")

#: no 0/o, 1/l/i: ids are read aloud and typed
_ID_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"

#: completions in one message; 200 texts are about 100 KB, and n = 200 is one message
MESSAGE_COMPLETIONS = 200

#: completions a live server is asked for in one message: small, so that each message ends well
#: within the lease of `control` on a slow host, and a killed run loses little
LIVE_COMPLETIONS = 8

#: servers that answer from memory, whatever they are asked
_INSTANT_SERVERS = ("replay", "reference")


class RunState(StrEnum):
    """Where a run stands."""

    PLANNED = "planned"
    RUNNING = "running"
    #: on purpose and for a while: nothing new is sent, what arrives is stored
    PAUSED = "paused"
    STOPPED = "stopped"
    #: every completion has a verdict
    FINISHED = "finished"
    #: something stayed missing after the bounded attempts; the reasons are kept
    INCOMPLETE = "incomplete"
    #: its process was killed; found out by whoever looks, never stored
    INTERRUPTED = "interrupted"


#: a paused run, or one whose turn has not come, may go on at any time
MAY_GO_ON = (RunState.PLANNED, RunState.RUNNING, RunState.PAUSED)


class RunKind(StrEnum):
    """Where a run's completions come from."""

    #: sampled from a model
    BENCHMARK = "benchmark"
    #: read from a file
    EVALUATION = "evaluation"


@dataclass(frozen=True, slots=True)
class BenchmarkPlan:
    """One model, one dataset, one wording, one sampling setting."""

    model: ModelIdentity
    dataset: Dataset
    sampling: Sampling
    #: completions per challenge
    n: int
    ks: tuple[int, ...]
    seed: int
    #: None takes each challenge's own
    limits: Limits | None = None
    #: groups the runs of a matrix
    sweep_id: str | None = None
    #: one of PRIORITIES
    priority: int = 0
    #: None asks in the words of `prompts`
    wording: Wording | None = None


@dataclass(frozen=True, slots=True)
class ImportedCompletion:
    """One row of a samples file."""

    task_id: str
    form: Form
    text: str
    #: from 1; 0 where the file has no lines
    line: int
    #: a text that was cut by the token limit is read as such
    finish: Finish = Finish.STOP


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """Completions that are there already, and what to judge them against."""

    dataset: Dataset
    completions: Sequence[ImportedCompletion]
    ks: Sequence[int]
    #: None takes each challenge's own
    limits: Limits | None
    #: names where the completions came from
    source: str


@dataclass(frozen=True, slots=True)
class PlannedChallenge:
    """One challenge of a run, with everything a generation request needs."""

    task_id: str
    #: completions wanted
    planned: int
    prompt: Prompt | None = None
    seed_base: int = 0


def new_id(now: float | None = None) -> str:
    """A run or sweep id: UTC time and four random characters, so that ids sort by age."""
    moment = time.gmtime(time.time() if now is None else now)
    tail = "".join(secrets.choice(_ID_ALPHABET) for _ in range(4))
    return f"{time.strftime('%Y%m%d-%H%M%S', moment)}-{tail}"


def refuse_unjudgeable(dataset: Dataset) -> None:
    """Raise UnsupportedLanguage when a challenge is in a language that no sandbox runs."""
    for challenge in dataset.challenges:
        if challenge.language is Language.OTHER:
            raise UnsupportedLanguage(
                f"{dataset.name}: {challenge.task_id} is neither Python nor JavaScript, "
                "which is all that can be judged"
            )


def grader_label() -> str:
    """What judges: verdicts under one label are interchangeable."""
    from crucible_tasks import extraction  # noqa: PLC0415 -- sending needs no extractor

    return f"{GRADER}+{extraction.VERSION}"


def takes_prompts(server: str) -> bool:
    """Whether what answers reads its prompt, by `ModelIdentity.server`."""
    return server not in _INSTANT_SERVERS


def completions_per_message(model: ModelIdentity) -> int:
    """How many completions one generation request asks for."""
    return LIVE_COMPLETIONS if takes_prompts(model.server) else MESSAGE_COMPLETIONS


def batches(items: Sequence[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """Cut what is wanted into messages of at most `size`."""
    for start in range(0, len(items), size):
        yield tuple(items[start : start + size])


def planned_challenges(plan: BenchmarkPlan) -> tuple[PlannedChallenge, ...]:
    """The challenges of a benchmark, in the dataset's order.

    Prompt and seed are settled here and stored, so a resumed run asks exactly what an undisturbed
    one would have asked, even after an upgrade changed the prompts.
    """
    from crucible_tasks.prompts import make_prompt  # noqa: PLC0415 -- evaluations need no prompts

    return tuple(
        PlannedChallenge(
            challenge.task_id,
            plan.n,
            make_prompt(challenge, plan.model.style, plan.wording),
            # the name, because a part of a dataset has another digest but the same seeds
            seed_base(plan.seed, plan.dataset.name, challenge.task_id),
        )
        for challenge in plan.dataset.challenges
    )
