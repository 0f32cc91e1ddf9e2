"""Evaluation: each completion gets its judgement, each program is judged once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from celery.exceptions import Reject

from crucible_infra import settings
from crucible_infra.artifacts import open_store
from crucible_tasks.challenge import Challenge, Language, Limits, ScriptTests
from crucible_tasks.challenges import create, encode
from crucible_tasks.completion import Completion, Finish, Form
from crucible_tasks.evaluation import Evaluation, EvaluationRequest
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers import evaluate as evaluation
from crucible_workers import verdict_cache
from crucible_workers.sandbox import open_sandbox
from crucible_workers.verdict_cache import Recollection, shared_memory
from sick_sandboxes import SickSandbox

PROMPT = "def double(x):\n"
RIGHT, WRONG = "    return 2 * x\n", "    return x\n"


class CountingSandbox:
    """A second sandbox: believes the text, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.limits: Limits | None = None

    def judge(
        self, challenge: Challenge, programs: Sequence[str], limits: Limits | None = None
    ) -> Iterator[Verdict]:
        del challenge
        self.limits = limits
        for program in programs:
            self.asked.append(program)
            yield Verdict(Outcome.PASSED if "2 * x" in program else Outcome.FAILED, program)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def counting(crucible_home: object, monkeypatch: pytest.MonkeyPatch) -> CountingSandbox:
    assert crucible_home
    sandbox = CountingSandbox()
    monkeypatch.setattr(evaluation, "_sandboxes", {settings.current().sandbox_backend: sandbox})
    return sandbox


def _digest(language: Language = Language.PYTHON, test: str = "assert double(2) == 4") -> str:
    challenge = Challenge("probe/0", language, PROMPT, "double", ScriptTests(test))
    return open_store(settings.current().artifacts_url).put(
        encode(create("probe", "own", [challenge]))
    )


def _request(
    texts: Sequence[str], form: Form = Form.COMPLETION, dataset: str | None = None, **more: object
) -> EvaluationRequest:
    completions = tuple(
        Completion(index * 10, form, text, finish=Finish.STOP) for index, text in enumerate(texts)
    )
    return EvaluationRequest("run", dataset or _digest(), "probe/0", completions, **more)  # type: ignore[arg-type]


def _evaluate(
    texts: Sequence[str], form: Form = Form.COMPLETION, dataset: str | None = None, **more: object
) -> Evaluation:
    return evaluation._evaluate(
        _request(texts, form, dataset, **more), Recollection(shared_memory())
    )


def _outcomes(found: Evaluation) -> list[Outcome]:
    return [judgement.verdict.outcome for judgement in found.judgements]


def test_identical_programs_are_judged_once_and_each_gets_the_verdict(
    counting: CountingSandbox,
) -> None:
    found = _evaluate([RIGHT, WRONG, RIGHT, WRONG, RIGHT])

    assert counting.asked == [PROMPT + RIGHT, PROMPT + WRONG]
    assert _outcomes(found) == [Outcome.PASSED, Outcome.FAILED] * 2 + [Outcome.PASSED]
    assert [judgement.index for judgement in found.judgements] == [0, 10, 20, 30, 40]


def test_what_luck_may_decide_is_judged_for_every_sample(counting: CountingSandbox) -> None:
    drawn = "    import random\n    return random.random()\n"
    found = _evaluate([drawn, RIGHT, drawn, RIGHT, drawn])

    assert counting.asked == [PROMPT + text for text in (drawn, RIGHT, drawn, drawn)]
    assert _outcomes(found) == [Outcome.FAILED, Outcome.PASSED] * 2 + [Outcome.FAILED]


def test_tests_that_draw_their_questions_ask_every_sample(counting: CountingSandbox) -> None:
    dataset = _digest(test="import random\nassert double(random.random()) < 2")
    _evaluate([RIGHT, WRONG, RIGHT], dataset=dataset)

    assert counting.asked == [PROMPT + text for text in (RIGHT, WRONG, RIGHT)]


def test_a_later_request_knows_what_canaries_have_vouched_for(
    crucible_home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crucible_home
    backend = settings.current().sandbox_backend
    watched = SickSandbox(open_sandbox(backend, 1), healthy=10**9)
    monkeypatch.setattr(evaluation, "_sandboxes", {backend: watched})
    # nothing of it is checked again
    monkeypatch.setattr(verdict_cache, "SPOT_CHECK_EVERY", 10**12)
    with closing(watched):
        custody = evaluation.shared_custody()
        sent: list[Evaluation] = []
        custody._send = sent.append
        for _ in range(2):
            evaluation.evaluate(_request([RIGHT, WRONG, "    return (\n"]))
            assert custody.flush(20)

    assert [watched.asked.count(PROMPT + text) for text in (RIGHT, WRONG)] == [1, 1]
    assert sent[0] == sent[1]
    assert _outcomes(sent[1]) == [Outcome.PASSED, Outcome.FAILED, Outcome.SYNTAX_ERROR]


def test_a_sick_process_forgets_what_it_has_found(counting: CountingSandbox) -> None:
    memory = shared_memory()
    assert memory is not None
    memory.add({"k": Verdict(Outcome.PASSED)})
    _fall_ill(counting)

    assert memory.find(["k"]) == {}


def test_no_code_is_a_verdict_and_asks_no_sandbox(counting: CountingSandbox) -> None:
    found = _evaluate(["", "I cannot help with that."], Form.RESPONSE)

    assert Outcome.NO_CODE in _outcomes(found)
    assert found.judgements[0].program_digest is None
    assert counting.asked == [] or Outcome.FAILED in _outcomes(found)


def test_no_code_among_programs_moves_no_verdict(counting: CountingSandbox) -> None:
    fenced = f"```python\n{PROMPT}{RIGHT}```"
    found = _evaluate(["", fenced, "", fenced], Form.RESPONSE)

    assert _outcomes(found) == [Outcome.NO_CODE, Outcome.PASSED] * 2
    assert len(counting.asked) == 1


def test_a_program_is_named_by_its_digest(counting: CountingSandbox) -> None:
    found = _evaluate([RIGHT, "    return '\ud83d'\n"])

    assert found.judgements[0].program_digest == (
        hashlib.sha256((PROMPT + RIGHT).encode()).hexdigest()
    )
    assert found.judgements[1].program_digest is not None
    assert len(counting.asked) == 2


def test_limits_of_the_request_reach_the_sandbox(counting: CountingSandbox) -> None:
    _evaluate([RIGHT], limits=Limits(cpu_seconds=0.25))

    assert counting.limits == Limits(cpu_seconds=0.25)


def test_the_answer_names_its_question(counting: CountingSandbox) -> None:
    assert counting.asked == []
    found = _evaluate([RIGHT, WRONG], attempt=3)

    assert (found.run_id, found.task_id, found.indices, found.attempt, found.failure) == (
        "run",
        "probe/0",
        (0, 10),
        3,
        None,
    )


@pytest.mark.usefixtures("crucible_home")
def test_another_language_is_a_failure_not_a_verdict() -> None:
    found = _evaluate([RIGHT], dataset=_digest(Language.OTHER))

    assert found.judgements == ()
    assert found.failure is not None
    assert found.indices == (0,)


@pytest.mark.usefixtures("crucible_home")
def test_a_lost_dataset_is_a_failure_not_a_verdict() -> None:
    found = _evaluate([RIGHT], dataset="0" * 64)

    assert found.judgements == ()
    assert found.failure is not None


@pytest.mark.usefixtures("crucible_home")
def test_tests_that_cannot_be_loaded_are_a_failure_not_a_verdict() -> None:
    found = _evaluate([RIGHT], dataset=_digest(test="assert ("))

    assert found.judgements == ()
    assert "probe/0" in (found.failure or "")


@pytest.mark.usefixtures("crucible_home")
def test_the_real_sandbox_judges_surrogates_and_the_rest() -> None:
    found = _evaluate([RIGHT, WRONG, "    return '\ud83d'\n", "    return (\n"])

    assert _outcomes(found) == [
        Outcome.PASSED,
        Outcome.FAILED,
        Outcome.SYNTAX_ERROR,
        Outcome.SYNTAX_ERROR,
    ]


@pytest.mark.usefixtures("crucible_home")
def test_one_process_has_one_sandbox() -> None:
    assert evaluation.shared_sandbox() is evaluation.shared_sandbox()


def _fall_ill(counting: CountingSandbox) -> list[Evaluation]:
    """Judge one request with a sandbox that knows nothing of canaries; what was sent."""
    assert counting.asked == []
    sent: list[Evaluation] = []
    custody = evaluation.shared_custody()
    custody._send = sent.append
    evaluation.evaluate(_request([RIGHT]))
    assert custody.flush(20)
    return sent


def test_a_sick_process_voids_what_it_found_and_refuses_in_one_process(
    counting: CountingSandbox,
) -> None:
    sent = _fall_ill(counting)
    evaluation.evaluate(_request([RIGHT, WRONG], attempt=1))
    assert evaluation.shared_custody().flush(20)

    assert [(one.judgements, one.indices, one.attempt) for one in sent] == [
        ((), (0,), 0),
        ((), (0, 10), 1),
    ]
    assert all("this host is sick: canary" in (one.failure or "") for one in sent)
    assert counting.asked.count(PROMPT + WRONG) == 0


def test_a_sick_process_of_a_cluster_hands_requests_back(
    counting: CountingSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = _fall_ill(counting)
    monkeypatch.setenv("CRUCIBLE_BROKER_URL", "redis://127.0.0.1:1/0")
    settings.current.cache_clear()

    with pytest.raises(Reject) as raised:
        evaluation.evaluate(_request([RIGHT]))

    assert raised.value.requeue
    assert "canary" in str(raised.value.reason)
    assert len(sent) == 1


def test_another_sandbox_has_a_custody_of_its_own(
    counting: CountingSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fall_ill(counting)
    sick = evaluation.shared_custody()
    backend = settings.current().sandbox_backend
    monkeypatch.setattr(evaluation, "_sandboxes", {backend: CountingSandbox()})

    assert sick.sickness is not None
    assert evaluation.shared_custody().sickness is None
