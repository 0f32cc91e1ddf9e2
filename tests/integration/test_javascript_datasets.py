"""JavaScript datasets: canonical programs pass, both ways of judging agree, faults are shown."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from crucible_infra.errors import SandboxUnavailable, UnusableTests
from crucible_tasks.challenge import (
    Challenge,
    Language,
    Limits,
    OracleTests,
    ScriptTests,
    StdioCase,
    StdioTests,
    Tests,
)
from crucible_tasks.challenges import Dataset, open_dataset
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.sandbox.deaths import Doubt
from crucible_workers.sandbox.guard import WallGuard
from crucible_workers.sandbox.javascript.gate import is_plain
from crucible_workers.sandbox.javascript.slot import NodeSlot
from crucible_workers.sandbox.runtime import find_runtime
from crucible_workers.sandbox.self_check import Check
from crucible_workers.sandbox.self_check.javascript import JS_CHECKS
from sandbox_probes import BACKENDS, QUICK_LIMITS, give_up

DATASET_FAULTS = {"JavaScript/112", "JavaScript/155", "JavaScript/162"}
MULTIPL_E = Path(__file__).parent / "data" / "multipl_e_javascript.jsonl"


@pytest.fixture(scope="module", params=BACKENDS)
def slot(request: pytest.FixtureRequest) -> Iterator[NodeSlot]:
    opened = NodeSlot(0, request.param, find_runtime(), WallGuard(2.0, 2.0))
    try:
        judged(opened, "const f = 1", "f")
    except SandboxUnavailable as error:
        give_up(error)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def humaneval_x(datasets_directory: Path) -> Dataset:
    return open_dataset(str(datasets_directory / "humaneval_x_js.jsonl.gz"))


def judged(slot: NodeSlot, program: str, tests: Tests | str, prompt: str = "") -> Verdict:
    given = ScriptTests(tests) if isinstance(tests, str) else tests
    challenge = Challenge("probe", Language.JAVASCRIPT, prompt, None, given, limits=QUICK_LIMITS)
    (finding,) = slot.judge(challenge, [program], QUICK_LIMITS)
    return finding.verdict


def test_canonical_programs_pass(slot: NodeSlot, humaneval_x: Dataset) -> None:
    failed = set()
    for challenge in humaneval_x.challenges:
        (finding,) = slot.judge(challenge, [str(challenge.reference)], challenge.limits)
        if finding.verdict.outcome is not Outcome.PASSED:
            failed.add(challenge.task_id)

    assert len(humaneval_x.challenges) == 164
    assert failed == DATASET_FAULTS


def test_both_ways_agree_on_right_and_wrong_programs(slot: NodeSlot, humaneval_x: Dataset) -> None:
    differing = []
    for challenge in humaneval_x.challenges[::8]:
        for program in (str(challenge.reference), f"{challenge.prompt}\n  return [];\n}}\n"):
            (shared,) = slot.judge(challenge, [program], challenge.limits)
            alone = slot.judge_alone(challenge, program, challenge.limits)
            assert is_plain(program)
            if shared.verdict.outcome is not alone.verdict.outcome:
                differing.append((challenge.task_id, shared, alone))

    assert differing == []


@pytest.mark.parametrize("name", sorted(DATASET_FAULTS))
def test_what_fails_is_the_datasets_own_fault(
    name: str, humaneval_x: Dataset, node: str, tmp_path: Path
) -> None:
    (challenge,) = [each for each in humaneval_x.challenges if each.task_id == name]
    assert isinstance(challenge.tests, ScriptTests)
    # as its publisher runs it, without our first line
    published = challenge.tests.source.partition("\n")[2]
    assert "node:assert" not in published
    (tmp_path / "program.js").write_text(f"{challenge.reference}\n{published}")
    done = subprocess.run(
        [node, "program.js"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    if name == "JavaScript/162":
        assert "Cannot find module 'js-md5'" in done.stderr
    else:
        assert done.stderr.startswith("Assertion failed")


def test_multipl_e_rows_are_judged(slot: NodeSlot) -> None:
    dataset = open_dataset(str(MULTIPL_E))
    right = {
        "HumanEval_0_has_close_elements": """
    for (let i = 0; i < numbers.length; i++)
        for (let j = 0; j < i; j++)
            if (Math.abs(numbers[i] - numbers[j]) < threshold) return true;
    return false;
}
""",
        "mbpp_404_minimum": "    return Math.min(a, b);\n}\n",
        "HumanEval_8_sum_product": "    let s = 0, p = 1;\n"
        "    for (const n of numbers) { s += n; p *= n; }\n    return [s, p];\n}\n",
    }
    for challenge in dataset.challenges:
        body = right[challenge.task_id.removeprefix("js/")]
        programs = [challenge.prompt + body, f"{challenge.prompt}    return 0;\n}}\n"]
        found = [
            slot.judge(challenge, [program], challenge.limits)[0].verdict.outcome
            for program in programs
        ]
        assert found == [Outcome.PASSED, Outcome.FAILED]


CHECKS = [pytest.param(check, id=check.name.replace(" ", "_")) for check in JS_CHECKS]


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_holds_in_a_process_of_its_own(
    slot: NodeSlot, check: Check, request: pytest.FixtureRequest
) -> None:
    if not check.is_universal and "process" in request.node.name.partition("[")[2]:
        pytest.skip("holds behind walls")
    challenge = Challenge(
        check.name, Language.JAVASCRIPT, "", None, ScriptTests(check.test), limits=check.limits
    )
    verdict = slot.judge_alone(challenge, check.program, check.limits).verdict

    assert verdict.outcome in check.expected, verdict.detail


def test_the_prompt_gives_helpers_and_classes_to_the_tests(slot: NodeSlot) -> None:
    prompt = (
        "class Node {\n  constructor(v) { this.v = v; this.next = null }\n"
        "  twice() { return 2 * this.v }\n}\n"
        "const encode = s => s + '!';\nfunction last(node) {\n"
    )
    test = (
        "const n = new Node(1); n.next = new Node(4); const l = last(n);\n"
        "require('assert')(l instanceof Node && l === n.next && l.twice() === 8);\n"
        "require('assert').strictEqual(encode('a'), 'a!')"
    )
    program = prompt + "  while (node.next) node = node.next; return node }"

    assert judged(slot, program, test, prompt).outcome is Outcome.PASSED
    # a split evaluator knows the prompt; the answer need not repeat it
    short = "const g = s => s"
    test = "require('assert')(encode(g('a')) === 'a!')"
    assert judged(slot, short, test, prompt).outcome is Outcome.PASSED


def test_whole_programs_read_and_write(slot: NodeSlot) -> None:
    tests = StdioTests((StdioCase("3 4\n", "7\n"), StdioCase("1 1", "2")))
    by_file = (
        "const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number)\n"
        "console.log(a + b)"
    )
    by_event = (
        "import { createInterface } from 'node:readline';\n"
        "for await (const line of createInterface({ input: process.stdin }))\n"
        "  console.log(line.split(' ').map(Number).reduce((a, b) => a + b));"
    )

    assert judged(slot, by_file, tests).outcome is Outcome.PASSED
    assert judged(slot, by_event, tests).outcome is Outcome.PASSED
    assert judged(slot, "console.log(7)", tests).outcome is Outcome.FAILED
    assert judged(slot, "null.x", tests).outcome is Outcome.ERROR
    assert judged(slot, "let let = (", tests).outcome is Outcome.SYNTAX_ERROR
    assert judged(slot, "for (;;);", tests).outcome is Outcome.TIMED_OUT


def test_a_sleeper_meets_the_guard_and_the_next_program_is_fine(slot: NodeSlot) -> None:
    program = "async function f() { await new Promise(done => setTimeout(done, 1e8)) }"
    challenge = Challenge(
        "sleep", Language.JAVASCRIPT, "", None, ScriptTests("f()"), limits=QUICK_LIMITS
    )
    (finding,) = slot.judge(challenge, [program, program], QUICK_LIMITS)

    assert finding.verdict.outcome is Outcome.TIMED_OUT
    assert finding.doubt is Doubt.WALL
    assert judged(slot, "const f = 1", "f").outcome is Outcome.PASSED


def test_unusable_tests_are_the_datasets_fault(slot: NodeSlot) -> None:
    with pytest.raises(UnusableTests, match="SyntaxError"):
        judged(slot, "const f = 1", "f(")
    with pytest.raises(UnusableTests, match="for Python"):
        judged(slot, "const f = 1", OracleTests("x = 1", "[]"))
    assert judged(slot, "const f = 1", "f").outcome is Outcome.PASSED


def test_a_program_that_uses_most_of_its_time_passes(slot: NodeSlot) -> None:
    limits = Limits(cpu_seconds=1.5)
    program = (
        "const began = Date.now(); function f() {\n"
        "  let x = 0; while (Date.now() - began < 300) x++; return 1 }"
    )
    challenge = Challenge(
        "slow", Language.JAVASCRIPT, "", None, ScriptTests("require('assert')(f())"), limits=limits
    )
    (finding,) = slot.judge(challenge, [program], limits)

    assert finding.verdict.outcome is Outcome.PASSED
