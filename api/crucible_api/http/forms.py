"""What is posted to the API and what it answers, beyond what the services know themselves.

Both ends use this module, so it imports neither the server nor a client. Bounds are said in
`annotated_types`, which whoever checks a request reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len

from crucible_api.fine_tune_reports import FineTuneInfo
from crucible_api.reports import Progress
from crucible_infra.fine_tune_rows import StepRow
from crucible_tasks.comparison import Comparison
from crucible_tasks.priority import PRIORITIES
from crucible_tasks.scores import Score

#: values of one setting: a sweep has at most a thousand runs
_MOST = 1000

#: characters of a name, a spec or a label
_LONG = 4096

#: characters of a wording, as many as its file may have
_WORDING = 65_536

#: a signed 32-bit number, which every engine and model server can keep
_LARGEST = 2**31 - 1

Text = Annotated[str, Len(1, _LONG)]
Count = Annotated[int, Ge(1), Le(_LARGEST)]
#: completions per challenge; the grid of a run shows a letter for each
Draws = Annotated[int, Ge(1), Le(100_000)]
Seed = Annotated[int, Ge(0), Le(_LARGEST)]
Priority = Annotated[int, Ge(PRIORITIES.start), Le(PRIORITIES.stop - 1)]
Ks = Annotated[tuple[Count, ...], Len(0, _MOST)]
CpuSeconds = Annotated[float, Gt(0), Le(86_400)]
MemoryMib = Annotated[int, Ge(16), Le(2**24)]


@dataclass(frozen=True, slots=True)
class PromptText:
    """A wording of the user's own, around {request}."""

    #: what its file is called
    path: Text
    text: Annotated[str, Len(1, _WORDING)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkForm:
    """A benchmark, in the words of a sweep file; several values of one setting make a sweep."""

    #: specs; none asks what the server's own `crucible benchmark` would
    models: Annotated[tuple[Text, ...], Len(0, _MOST)] = ()
    #: known names, or `artifact:DIGEST`
    datasets: Annotated[tuple[Text, ...], Len(0, _MOST)] = ()
    #: completions per challenge
    n: Annotated[tuple[Draws, ...], Len(0, _MOST)] = ()
    k: Ks = ()
    temperatures: Annotated[tuple[Annotated[float, Ge(0), Le(100)], ...], Len(0, _MOST)] = ()
    styles: Annotated[tuple[Literal["base", "chat"], ...], Len(0, 2)] = ()
    #: none asks in our own words
    prompts: Annotated[tuple[PromptText, ...], Len(0, 100)] = ()
    #: whether our own wording is asked in as well as in `prompts`
    with_default_prompt: bool = False
    top_p: Annotated[float, Gt(0), Le(1)] = 0.95
    max_tokens: Count = 1024
    seed: Seed = 0
    #: only the first challenges
    limit: Count | None = None
    #: None leaves each challenge its own
    cpu_seconds: CpuSeconds | None = None
    memory_mib: MemoryMib | None = None
    priority: Priority = 0
    #: whether a router's members are run alone as well
    with_members: bool = True
    #: whether a router's member that fails passes its turn on
    falls_back: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """What was planned; it is begun in its turn."""

    #: None for a single run
    sweep: str | None
    runs: tuple[str, ...]
    #: what a person should know about it, a sentence each
    notes: tuple[str, ...] = ()
    #: those runs that a router is only compared with
    companions: tuple[str, ...] = ()
    #: whether the built-in toy is sampled since nothing else answered
    has_toy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationForm:
    """Completions to judge: the rows of a samples file, here or as an artifact."""

    #: a known name, or `artifact:DIGEST`
    dataset: Text = "humaneval"
    #: names where the completions came from
    source: Text = "samples"
    #: digest of a file that was put as an artifact
    artifact: Annotated[str, Len(64, 64)] | None = None
    #: each has `task_id` and one of solution, completion, response and continuation
    rows: Annotated[tuple[dict[str, Any], ...], Len(0, 100_000)] = ()
    #: none reports those of 1, 10 and 100 that there are completions for
    k: Ks = ()
    cpu_seconds: CpuSeconds | None = None
    memory_mib: MemoryMib | None = None


@dataclass(frozen=True, slots=True)
class PriorityForm:
    """When a run goes, compared to others: higher goes first."""

    priority: Priority


@dataclass(frozen=True, slots=True)
class Altered:
    """How a run or a fine-tune stands after it was to be altered."""

    id: str
    state: str
    #: False: it was like that already
    is_altered: bool


@dataclass(frozen=True, slots=True)
class AlteredSweep:
    """How the runs of a sweep stand after they were to be altered, in their order."""

    id: str
    runs: tuple[Altered, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneForm:
    """A fine-tune of a corpus that was put as an artifact."""

    #: of the new model
    name: Text
    #: the spec of what is trained
    model: Text
    #: digest of the encoded corpus
    corpus: Annotated[str, Len(64, 64)]
    #: an id of the hub or `artifact:DIGEST`; None where the model's name says which weights
    base_weights: Text | None = None
    #: as in a recipe's file; what is left out has its default
    recipe: dict[str, Any] | None = None
    #: where the corpus came from, for the record
    directory: Annotated[str, Len(0, _LONG)] = ""
    #: known names or `artifact:DIGEST`; none proves nothing
    proof_datasets: Annotated[tuple[Text, ...], Len(0, 20)] = ()
    #: digest of the encoded private benchmark
    private: Annotated[str, Len(64, 64)] | None = None
    #: answers per challenge of the proof
    proof_n: Annotated[int, Ge(1), Le(1000)] = 5
    #: workers that train it together
    hosts: Annotated[int, Ge(1), Le(1000)] = 1


@dataclass(frozen=True, slots=True)
class BegunFineTune:
    """What was planned."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far one run of several is."""

    id: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """How far the runs of a sweep are, in their order."""

    id: str
    runs: tuple[RunProgress, ...]


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """How a training stands; the steps before are asked for by number."""

    info: FineTuneInfo
    #: the last one that was told; None before the first
    step: StepRow | None


@dataclass(frozen=True, slots=True)
class Compared:
    """Run B against run A."""

    #: ids of the runs that were meant
    a: str
    b: str
    score_a: Score
    score_b: Score
    comparison: Comparison
    #: the verdict in words, for runs called A and B
    sentence: str
    #: what besides the models tells A from B, a sentence each
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """Who answers."""

    version: str
    #: whether the server does the work in its own process
    is_embedded: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """An artifact that the server has."""

    digest: str
    bytes: int
