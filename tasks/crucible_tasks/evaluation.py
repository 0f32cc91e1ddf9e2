"""Contracts: judge the completions of one challenge; check this host's sandbox."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_tasks.challenge import Limits
from crucible_tasks.completion import Completion
from crucible_tasks.contract import Contract
from crucible_tasks.verdict import Verdict

QUEUE = "evaluation"

#: changes whenever the same program could get another verdict
GRADER = "split/1"


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """Ask for the verdicts on some completions of one challenge."""

    run_id: str
    #: digest of the dataset in the artifact store
    dataset: str
    task_id: str
    completions: tuple[Completion, ...]
    #: None takes the challenge's own
    limits: Limits | None = None
    #: how often these were asked for before, sealed: see `tickets`
    attempt: int = 0
    #: whether to judge what is remembered, too: whoever judges a run again wants to know
    is_afresh: bool = False


@dataclass(frozen=True, slots=True)
class Extraction:
    """What became of a completion's text on the way to a program."""

    #: None when the text holds no code
    program: str | None
    #: "verbatim", "continuation", "fence", "joined" blocks, "trimmed" block, "unfenced" code,
    #: "whole_text", function "body", "unparsed" (code, but with a syntax error), "none"
    method: str
    #: identifies this extractor in manifests and verdicts
    version: str
    #: whether anything inside the accepted code was cut off its end
    is_trimmed: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one completion, and how its program was found."""

    index: int
    verdict: Verdict
    extraction: str
    #: sha256 of the program; None when there was none
    program_digest: str | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation worker found; `failure` is set when the host, not a program, failed."""

    run_id: str
    task_id: str
    grader: str
    judgements: tuple[Judgement, ...]
    failure: str | None = None
    #: of the request, so that only those are asked for again, and no others are stored
    indices: tuple[int, ...] = ()
    #: of the request, as it was there: an answer counts only with it, and a failure counts once
    attempt: int | None = None
    #: what kept the programs from the host: "namespaces", or "process" for nothing
    isolation: str | None = None
    #: False when asking again cannot help (it has killed its workers)
    is_transient: bool = True


@dataclass(frozen=True, slots=True)
class HostRequest:
    """Ask what holds on an evaluation host."""

    #: whether to look only if the sandbox opens, which takes a moment instead of seconds
    is_quick: bool = False
    #: whether to name every check and building block instead of one line per topic
    is_detailed: bool = False


@dataclass(frozen=True, slots=True)
class HostCheck:
    """One thing that makes results safe and reliable, or not."""

    name: str
    is_ok: bool
    #: what was found, and what to do about it
    detail: str
    #: of the self-check, in a detailed report
    topic: str | None = None
    #: of the program that was judged, in a detailed report
    language: str | None = None


@dataclass(frozen=True, slots=True)
class BuildingBlock:
    """One thing of the kernel or the host that sandboxes are built from."""

    name: str
    is_there: bool
    #: whether the chosen backend cannot do without
    is_needed: bool
    #: the version found, or why there is none
    found: str


@dataclass(frozen=True, slots=True)
class HostReport:
    """Everything that was checked; `problem` is one line when nothing can be judged here."""

    host: str
    checks: tuple[HostCheck, ...]
    problem: str | None = None
    hint: str | None = None
    #: only in a detailed report, also when there is a problem
    blocks: tuple[BuildingBlock, ...] = ()


EVALUATION = Contract("crucible.evaluate", QUEUE, EvaluationRequest, Evaluation)
#: the same for whoever waits for the answer, which then reaches no database
JUDGING = Contract("crucible.judge", QUEUE, EvaluationRequest, Evaluation, keeps_result=True)
HOST = Contract("crucible.check_host", QUEUE, HostRequest, HostReport, keeps_result=True)
