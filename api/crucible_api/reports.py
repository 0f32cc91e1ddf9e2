"""What the doors tell about a run: how far it is, its scores, its verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crucible_infra.stage import Stage
from crucible_tasks.planning import RunKind, RunState
from crucible_tasks.quality import Quality
from crucible_tasks.registered import Registered
from crucible_tasks.router import shown
from crucible_tasks.scores import Score
from crucible_tasks.verdict import Mode, Outcome


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One line about a run."""

    id: str
    kind: RunKind
    state: RunState
    #: the model's normalised spec; for an evaluation the file the completions came from
    model: str
    #: name, not digest
    dataset: str
    challenges: int
    #: completions per challenge; for an evaluation the most any challenge has
    n: int
    ks: tuple[int, ...]
    seed: int
    #: None for an evaluation
    temperature: float | None
    grader: str
    #: seconds since the epoch
    created_at: float
    finished_at: float | None
    sweep_id: str | None
    #: when a worker last answered
    heard_at: float | None = None
    #: higher goes first
    priority: int = 0
    #: the wording the model was asked in; None where none was asked, see `manifest.prompt_of`
    prompt: str | None = None
    #: what must be said beside its scores: "toy model, synthetic data"
    caution: str | None = None
    #: what made the model; None for one that no fine-tune of this database has made
    registered: Registered | None = None

    @property
    def model_text(self) -> str:
        """The model as tables show it: by its registered name or label, and with its caution."""
        name = shown(self.model) if self.registered is None else self.registered.name
        return name if self.caution is None else f"{name} ({self.caution})"


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """How many completions ended this way."""

    outcome: Outcome
    count: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Challenges that lack something for one and the same reason."""

    stage: Stage
    reason: str
    task_ids: tuple[str, ...]
    #: whether nothing more is asked for until somebody resumes the run
    is_given_up: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; counts are completions."""

    state: RunState
    planned: int
    generated: int
    judged: int
    passed: int
    outcomes: tuple[OutcomeCount, ...]
    #: given up after the bounded attempts: ours, never a wrong answer
    infra: int
    #: why something is missing, most frequent first
    failures: tuple[str, ...]
    #: whether the run is the work of one process, and ends or pauses with it
    is_owned: bool = False
    #: the failures with every challenge they hit
    gaps: tuple[Gap, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state not in (RunState.PLANNED, RunState.RUNNING)

    @property
    def left(self) -> int:
        """Completions that will still get a verdict, as things stand."""
        return 0 if self.is_over else max(0, self.planned - self.judged - self.infra)


@dataclass(frozen=True, slots=True)
class Cost:
    """What answers cost; None where the server of one of them did not tell."""

    completion_tokens: int | None
    seconds: float | None
    #: of the sampling hosts' GPUs; None where one answer's was not measured
    joules: float | None = None


@dataclass(frozen=True, slots=True)
class Alone:
    """A run of the same sweep in which a router's member answers everything."""

    run_id: str
    scores: tuple[Score, ...]
    completions: int
    cost: Cost
    #: of its completions, those that the router's run had drawn already
    taken: int


@dataclass(frozen=True, slots=True)
class MemberPart:
    """What one member of a router did in a run."""

    role: str
    #: its spec
    model: str
    draws: int
    #: completions that are its answer
    answered: int
    cost: Cost
    #: None where the sweep has no such run
    alone: Alone | None


@dataclass(frozen=True, slots=True)
class Routing:
    """How a router's run came about."""

    label: str
    policy: str
    escalate_on: tuple[str, ...]
    falls_back: bool
    completions: int
    members: tuple[MemberPart, ...]
    cost: Cost
    #: pass@k of whoever could choose among the members' answers by the hidden tests; empty without
    #: a run of each member alone
    bound: tuple[Score, ...]

    @property
    def draws(self) -> int:
        """How many answers were drawn for all completions."""
        return sum(one.draws for one in self.members)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Everything worth knowing about a run at once."""

    run: RunInfo
    scores: tuple[Score, ...]
    quality: Quality
    progress: Progress
    #: worked on, pauses left out; None before the start
    seconds: float | None
    manifest: dict[str, Any]
    #: what kept the judged programs from the host, like "namespaces"; None before the first verdict
    isolation: str | None = None
    #: who answered; None for a run that asked one model
    routing: Routing | None = None
    #: of all completions there are
    cost: Cost | None = None

    @property
    def outcomes(self) -> tuple[OutcomeCount, ...]:
        """How the judged completions ended."""
        return self.progress.outcomes


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One completion and what became of it."""

    task_id: str
    #: from 0 within its challenge
    index: int
    #: `missing` while there is no verdict
    outcome: Outcome
    detail: str
    cpu_seconds: float
    wall_seconds: float
    #: None while there is no verdict
    mode: Mode | None
    passed: bool
    #: line of the samples file, from 1; None for sampled completions
    line: int | None
    #: "namespaces", or "process" for none; None while there is no verdict
    isolation: str | None = None
