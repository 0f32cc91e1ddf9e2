"""A run's result as a table and as an object, and what makes a command fail after telling it."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from crucible_api.cli.following import demand
from crucible_api.cli.options import Gate
from crucible_api.cli.output import Voice, coverage_text
from crucible_api.cli.report import document, score_text, show
from crucible_api.differences import differences
from crucible_api.reports import OutcomeCount, Progress, RunInfo, RunSummary
from crucible_infra.errors import GateNotMet, RunIncomplete
from crucible_tasks.planning import RunKind, RunState
from crucible_tasks.quality import Quality
from crucible_tasks.scores import Score
from crucible_tasks.verdict import Outcome

RUN = RunInfo(
    id="20260131-120000-abcd",
    kind=RunKind.BENCHMARK,
    state=RunState.FINISHED,
    model="ollama:coder",
    dataset="humaneval",
    challenges=164,
    n=1,
    ks=(1,),
    seed=0,
    temperature=0.0,
    grader="split/1",
    created_at=0.0,
    finished_at=60.0,
    sweep_id=None,
)

UNKNOWN = Score(10, math.nan, math.nan, math.nan, 164, reason="164 of 164 challenges …")


def _summary(judged: int = 164, *, score: Score | None = None, model: str = "m") -> RunSummary:
    quality = Quality(0, 0, 0, 0, 0, 0, 164 - judged, 164, judged)
    progress = Progress(
        state=RunState.FINISHED,
        planned=164,
        generated=164,
        judged=judged,
        passed=103,
        outcomes=(OutcomeCount(Outcome.PASSED, 103),),
        infra=164 - judged,
        failures=() if judged == 164 else ("HumanEval/3: the server left",),
    )
    shown = score or Score(1, 0.628, 0.552, 0.698, 164)
    run = replace(RUN, model=model)
    manifest = {"seed": 0}
    return RunSummary(run, (shown,), quality, progress, 61.0, manifest, "namespaces")


def _partial(k: int = 1) -> RunSummary:
    """A samples file that answers 20 of 164 challenges."""
    summary = _summary()
    quality = replace(summary.quality, planned=20, judged=20, missing=0, unanswered=144)
    progress = replace(summary.progress, planned=20, generated=20, judged=20, infra=0)
    run = replace(summary.run, model="s.jsonl", challenges=20)
    scores = (replace(summary.scores[0], k=k),)
    return replace(summary, run=run, scores=scores, quality=quality, progress=progress)


def test_the_table_has_score_interval_coverage_and_run_then_the_validity_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show([_summary()], Voice())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["model", "dataset", "n"]
    assert "62.8 %  [55.2, 69.8]" in lines[1]
    assert lines[1].split()[-5:] == ["100", "%", "namespaces", "1:01", RUN.id]
    assert lines[3] == "164 of 164 completions judged (100 %)"


def test_one_run_is_an_object_and_several_are_a_sweep() -> None:
    one = document([_summary()])
    assert one["pass@1"] == {"value": 0.628, "low": 0.552, "high": 0.698}
    assert (one["completions"], one["coverage"], one["outcomes"]) == (164, 1.0, {"passed": 103})
    several = document([_summary(model="a"), _summary(model="b")])
    assert [run["model"] for run in several["runs"]] == ["a", "b"]


def test_a_score_that_cannot_be_given_says_why_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    show([_summary(score=UNKNOWN)], Voice(is_json=True))
    found = json.loads(capsys.readouterr().out)
    assert found["pass@10"] == {"value": None, "low": None, "high": None, "reason": UNKNOWN.reason}
    assert score_text(UNKNOWN) == "n/a"


def test_a_score_that_cannot_be_given_says_why_to_people(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show([_summary(score=UNKNOWN)], Voice())
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"pass@10 is not known: {UNKNOWN.reason}"


def test_isolation_that_is_none_stands_in_the_table_and_in_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    summary = replace(_summary(), isolation="process")
    show([summary], Voice())
    assert "NONE (process)" in capsys.readouterr().out
    assert document([summary])["isolation"] == "process"


def test_what_must_be_said_beside_a_number_stands_beside_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    summary = _summary(model="nano")
    summary = replace(summary, run=replace(summary.run, caution="toy model, synthetic data"))
    show([summary], Voice())
    assert "nano (toy model, synthetic data)" in capsys.readouterr().out
    assert document([summary])["caution"] == "toy model, synthetic data"
    assert document([_summary()])["caution"] is None


def test_nothing_is_shown_where_the_output_has_claimed_stdout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show([_summary()], Voice(is_json=True), output="-")
    assert capsys.readouterr().out == ""


def test_coverage_is_never_rounded_up_to_all() -> None:
    assert coverage_text(1.0) == "100 %"
    assert coverage_text(32799 / 32800) == "99.9 %"


def test_a_low_score_is_no_error_without_a_gate() -> None:
    demand([_summary()], None)


@pytest.mark.parametrize("gate", [Gate(1, 0.7), Gate(10, 0.1)])
def test_a_score_below_its_gate_or_missing_is_3(gate: Gate) -> None:
    with pytest.raises(GateNotMet) as caught:
        demand([_summary()], gate)
    assert caught.value.exit_code == 3


def test_a_score_that_is_not_a_number_meets_no_gate() -> None:
    with pytest.raises(GateNotMet, match="164 of 164"):
        demand([_summary(score=UNKNOWN)], Gate(10, 0.0))


def test_missing_verdicts_are_4_before_any_gate_and_name_the_reason() -> None:
    with pytest.raises(RunIncomplete, match=r"2 completions .* the server left") as caught:
        demand([_summary(162)], Gate(1, 0.9))
    assert caught.value.exit_code == 4
    assert caught.value.hint == f"crucible runs resume {RUN.id}"


def test_no_gate_is_met_by_a_part_of_the_dataset_unless_that_is_allowed() -> None:
    with pytest.raises(RunIncomplete, match=r"s\.jsonl answers 20 of the 164 challenges") as caught:
        demand([_partial()], Gate(1, 0.5))
    assert "--allow-partial" in (caught.value.hint or "")
    demand([_partial()], None)
    demand([_partial()], Gate(1, 0.5, allows_partial=True))
    with pytest.raises(GateNotMet):
        demand([_partial()], Gate(1, 0.9, allows_partial=True))


def _asked_in(prompt: str | None, model: str = "m") -> RunSummary:
    found = _summary(model=model)
    return replace(found, run=replace(found.run, id=f"of-{model}-{prompt}", prompt=prompt))


def test_a_prompt_of_ones_own_is_shown_beside_every_score(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show([_asked_in("terse@12345678")], Voice())
    title, row = capsys.readouterr().out.splitlines()[:2]
    assert title.index("prompt") == row.index("terse@12345678")
    show([_asked_in(None), _asked_in("terse@12345678")], Voice())
    assert " prompt " in capsys.readouterr().out
    show([_asked_in("default"), _asked_in(None)], Voice())
    assert "prompt" not in capsys.readouterr().out.splitlines()[0]
    assert document([_asked_in("terse@12345678")])["prompt"] == "terse@12345678"


def test_a_comparison_of_models_warns_where_the_prompts_differ_too() -> None:
    for a, b in (
        (_asked_in("default"), _asked_in("terse@12345678")),
        (_asked_in("default"), _asked_in("default", "other")),
        (_asked_in(None), _asked_in("terse@12345678", "other")),
    ):
        assert list(differences(a, b)) == []
    (found,) = differences(_asked_in("default"), _asked_in("terse@12345678", "other"))
    assert "different prompts too: default and terse@12345678" in found
