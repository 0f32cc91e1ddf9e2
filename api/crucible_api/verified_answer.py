"""A verified answer: samples of one prompt, judged in the sandbox until one passes.

The first sample is drawn as any answer is. Where it fails, drawing it again would mostly give the
same, so the others are drawn at a benchmark's temperature. Programs that came before are known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from crucible_api.sandbox_work import ask_sandbox
from crucible_infra.artifacts import open_store
from crucible_infra.errors import SandboxUnavailable
from crucible_infra.settings import current
from crucible_tasks.answering import AnswerRequest
from crucible_tasks.challenge import Challenge
from crucible_tasks.challenges import create, encode
from crucible_tasks.completion import Completion, Finish, Form
from crucible_tasks.evaluation import JUDGING, EvaluationRequest
from crucible_tasks.extraction import extract
from crucible_tasks.sampling import later_seed
from crucible_tasks.verdict import Outcome, Verdict

#: at least, from the second answer on
_TEMPERATURE = 0.8


@dataclass(frozen=True, slots=True)
class Judged:
    """What the sandbox found about one answer."""

    #: what was judged; None where the answer holds no code
    program: str | None
    verdict: Verdict
    #: what kept the program from the host
    isolation: str | None

    @property
    def has_passed(self) -> bool:
        """Whether every test holds."""
        return self.verdict.outcome is Outcome.PASSED


class Verifier:
    """Puts answers to the tests of one challenge."""

    def __init__(self, challenge: Challenge) -> None:
        self._challenge = challenge
        dataset = create("verify", "crucible", [challenge])
        self._dataset = open_store(current().artifacts_url).put(encode(dataset))
        self._known: dict[str | None, Judged] = {}

    def judge(self, answer: str, finish: Finish) -> Judged:
        """Whether the code of an answer passes. Raises SandboxError where nobody can tell."""
        program = extract(answer, Form.RESPONSE, self._challenge, finish).program
        if program not in self._known:
            completion = Completion(0, Form.RESPONSE, answer, finish=finish)
            request = EvaluationRequest("", self._dataset, self._challenge.task_id, (completion,))
            found = ask_sandbox(JUDGING, request)
            if not found.judgements or found.judgements[0].verdict.outcome.is_ours:
                raise SandboxUnavailable(
                    f"no answer can be judged: {found.failure or 'the sandbox gave no verdict'}",
                    hint="crucible doctor says what is missing here",
                )
            verdict = found.judgements[0].verdict
            self._known[program] = Judged(program, verdict, found.isolation)
        return self._known[program]


def drawn(request: AnswerRequest, number: int) -> AnswerRequest:
    """The request of the sample with this number, from 0."""
    if not number:
        return request
    sampling = request.sampling
    warmer = replace(sampling, temperature=max(sampling.temperature, _TEMPERATURE))
    return replace(request, sampling=warmer, seed=later_seed(request.seed, number))
