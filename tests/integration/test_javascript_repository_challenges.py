"""A program in a JavaScript function's place: honest ones pass, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import msgspec
import pytest

from crucible_infra import settings
from crucible_infra.errors import UnusableTests
from crucible_tasks.challenge import Challenge, Language, Limits, RepositoryTests
from crucible_tasks.repository.javascript.functions import Function, find_functions
from crucible_tasks.repository.snapshot import Snapshot, take_snapshot
from crucible_tasks.verdict import Mode, Outcome, Verdict
from crucible_workers.sandbox import Sandbox, open_sandbox
from crucible_workers.sandbox.repositories import find_repository, keep_archive
from crucible_workers.survey_javascript import survey_javascript
from small_javascript import write_javascript

PRICES, WORDS = "test/prices.test.js::prices > ", "test/words.test.mjs::"
TESTS = {
    "total": (f"{PRICES}adds up",),
    "priceOf": (f"{PRICES}knows a price", f"{PRICES}throws"),
    "later": (f"{PRICES}waits", "later.test.js"),
    "doubled": (f"{PRICES}doubles",),
    "round": ("round.test.js", f"{PRICES}adds up"),
    "words": (f"{WORDS}words",),
    "stem": (f"{WORDS}stem",),
    "every": (f"{WORDS}every",),
}


@dataclass(frozen=True)
class Placed:
    """One repository in a sandbox."""

    sandbox: Sandbox
    snapshot: Snapshot
    functions: dict[str, Function]

    def __call__(self, name: str, body: str) -> Verdict:
        """Judge a body behind the prompt of the function of that name."""
        function = self.functions[name]
        return self.program(name, f"{function.prompt}{body}\n{function.tail}")

    def program(self, name: str, program: str, tests: tuple[str, ...] = ()) -> Verdict:
        """Judge a whole program in the place of the function of that name."""
        challenge = self.challenge(name, tests or TESTS[name])
        (verdict,) = self.sandbox.judge(challenge, [program])
        return verdict

    def challenge(self, name: str, tests: tuple[str, ...]) -> Challenge:
        function = self.functions[name]
        where = RepositoryTests(
            snapshot=self.snapshot.digest,
            path=function.path,
            module=function.path,
            name=name,
            first_line=function.first_line,
            last_line=function.last_line,
            tests=tests,
        )
        limits = Limits(cpu_seconds=1.0)
        return Challenge(name, Language.JAVASCRIPT, function.prompt, name, where, limits=limits)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Placed]:
    folders = [tmp_path_factory.mktemp(name) for name in ("home", "shop")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRUCIBLE_HOME", str(folders[0]))
        settings.current.cache_clear()
        snapshot = take_snapshot(write_javascript(folders[1]))
        keep_archive(snapshot.archive, snapshot.digest)
        functions = {each.qualified_name: each for each in find_functions(snapshot)[0]}
        with closing(open_sandbox("namespaces", 1)) as sandbox:
            yield Placed(sandbox, snapshot, functions)
    settings.current.cache_clear()


@pytest.mark.parametrize("name", TESTS)
def test_the_original_passes_in_another_process_and_an_empty_body_fails(
    judge: Placed, name: str
) -> None:
    verdict = judge.program(name, judge.functions[name].reference)
    empty = judge.program(name, judge.functions[name].empty)

    assert (verdict.outcome, verdict.mode) == (Outcome.PASSED, Mode.SPLIT), verdict.detail
    assert empty.outcome in (Outcome.FAILED, Outcome.ERROR), empty.detail


def test_a_failed_test_is_named_by_its_line_and_what_the_program_gave(judge: Placed) -> None:
    verdict = judge("total", "  return orders.length ? 5 : 0;")

    assert verdict.outcome is Outcome.FAILED
    assert "assert.strictEqual(shop.total(ORDERS" in verdict.detail
    assert verdict.detail.endswith("the last call returned 5")


SUM = "orders.reduce((sum, one) => sum + one.count * price(one.name), 0)"
WITH_IMPORTS = f"""
const {{ round }} = require('./round.js');

function total(orders, price) {{
  return round({SUM}, 2);
}}

module.exports = {{ total }};
"""
AS_AN_ARROW = f"const total = (orders, price) => round({SUM}, 2);\nexports.total = total;\n"
WITH_HELPERS = """
const has = (object, key) => Object.hasOwn(object, key);
exports.priceOf = function (name, prices) {
  if (!has(prices, name)) throw new exports.NoPrice(name);
  return prices[name];
};
"""
WITH_NEW_IMPORTS = """
import assert, { ok as sure } from 'node:assert';
import * as util from 'node:util';

export default function words(text) {
  sure(assert && util.inspect);
  return text.match(/\\w+/g).sort((a, b) => b.length - a.length);
}
"""
ANSWERS = {
    "with its module's imports": ("total", WITH_IMPORTS),
    "as an arrow, exported": ("total", AS_AN_ARROW),
    "as all that is exported": ("total", f"module.exports = (orders, price) => round({SUM}, 2);"),
    "with helpers": ("priceOf", WITH_HELPERS),
    "with imports of its own": ("words", WITH_NEW_IMPORTS),
    "without a name": ("words", "export default (text) => ['bcd', 'ef', 'a'];\n"),
    "exported below": (
        "stem",
        "const stem = (path) => basename(path, '.c.d');\nexport { stem };\n",
    ),
}


@pytest.mark.parametrize("way", ANSWERS)
def test_an_answer_may_be_a_module_of_either_kind(judge: Placed, way: str) -> None:
    verdict = judge.program(*ANSWERS[way])

    assert (verdict.outcome, verdict.mode) == (Outcome.PASSED, Mode.SPLIT), verdict.detail


RUIN = "for (const key of Object.keys(it)) { try { it[key] = () => {}; } catch {} }"
WRITE = """
const fs = require('fs'), { join } = require('path');
(function walk(folder) {
  for (const each of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, each.name);
    if (each.isDirectory()) walk(path);
    else try { fs.writeFileSync(path, ''); } catch {}
  }
})('/repository');
try { fs.mkdirSync('/repository/test'); fs.writeFileSync('/repository/test/prices.test.js', ''); }
catch {}
return 0;
"""
VERDICT = """
const said = JSON.stringify({ outcome: 'passed', detail: '', printed: 0 });
const frame = Buffer.alloc(4 + said.length);
frame.writeUInt32BE(said.length);
frame.write(said, 4);
for (let to = 0; to < 30; to++) try { require('fs').writeSync(to, frame); } catch {}
return 0;
"""
ATTACKS = {
    "leaves with success": "process.exit(0);",
    "leaves by another door": "process.reallyExit(0);",
    "says it passed": "console.log('TAP version 13\\nok 1 - prices\\n1..1\\n# pass 1'); return 0;",
    "patches assert": f"const it = require('node:assert'); {RUIN} return 0;",
    "patches the runner": f"const it = require('node:test'); {RUIN} return 0;",
    "overwrites the tests": WRITE,
    "writes a verdict everywhere": VERDICT,
    "is whatever is asked": "return new Proxy(() => 5.9, { get: () => () => 5.9 });",
    "is no number": "return { valueOf: () => 5.9, toString: () => '5.9' };",
    "is a thenable": "return { then: (kept) => kept(5.9) };",
    "never ends a promise": "return new Promise(() => {});",
    "patches what compares": "Object.is = () => true; Math.round = () => 5.9; return 0;",
    "throws what looks like a pass": "throw { code: 'ERR_TEST_PASSED', passed: true };",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_makes_a_pass(judge: Placed, name: str) -> None:
    verdict = judge("total", ATTACKS[name])

    assert verdict.outcome in (Outcome.FAILED, Outcome.ERROR), verdict
    assert verdict.mode is Mode.SPLIT


def test_neither_the_original_nor_a_test_is_anywhere_to_be_found(judge: Placed) -> None:
    search = r"""
const fs = require('fs'), { join } = require('path');
const found = [];
let count = 0;
(function walk(folder) {
  for (const each of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, each.name);
    if (each.isDirectory()) walk(path);
    else {
      count += 1;
      if (/sum \+= order|adds up|hidden/.test(fs.readFileSync(path, 'utf8'))) found.push(path);
    }
  }
})('/repository');
const loaded = Object.keys(require.cache).filter((name) => /test\.[cm]?js$/.test(name));
throw new Error(`of ${count} ${[...found, ...loaded]}`);
"""
    assert judge("total", search).detail == "Error: of 4 "


def test_a_program_without_the_function_and_one_without_sense_say_so(judge: Placed) -> None:
    assert "defines no function every" in judge.program("every", "const x = 1;").detail
    assert "defines no function priceOf" in judge.program("priceOf", "exports.x = 1;").detail
    assert judge("every", "  return ((").outcome is Outcome.SYNTAX_ERROR


def test_a_promise_that_never_settles_and_one_that_fails_fail(judge: Placed) -> None:
    endless = f"{judge.functions['later'].prompt}  await new Promise(() => {{}});\n}};\n"
    assert judge.program("later", endless).outcome is Outcome.FAILED
    # alone, its process would end well
    assert judge.program("later", endless, ("later.test.js",)).outcome is Outcome.FAILED
    verdict = judge("later", "  await null;\n  throw new TypeError('no');")
    assert (verdict.outcome, verdict.detail) == (Outcome.ERROR, "TypeError: no")


def test_the_tests_of_every_file_must_pass(judge: Placed) -> None:
    verdict = judge("round", "  return value === 1.26 ? 0 : Math.round(100 * value) / 100;")

    assert verdict.outcome is Outcome.FAILED
    assert "round(1.26, 1), 1.3" in verdict.detail


def test_an_endless_program_is_ended_by_its_cpu_time(judge: Placed) -> None:
    assert judge("round", "  for (;;);").outcome is Outcome.TIMED_OUT


def test_a_skipped_test_is_no_pass(judge: Placed) -> None:
    verdict = judge.program("total", judge.functions["total"].reference, (f"{PRICES}is skipped",))

    assert (verdict.outcome, verdict.detail) == (Outcome.FAILED, "Error: it is skipped")


def test_a_function_that_is_not_there_is_the_datasets_fault(judge: Placed) -> None:
    challenge = judge.challenge("total", TESTS["total"])
    assert isinstance(challenge.tests, RepositoryTests)
    missing = replace(challenge, tests=msgspec.structs.replace(challenge.tests, name="nothing"))

    with pytest.raises(UnusableTests, match=r"src/prices\.js has no function nothing"):
        list(judge.sandbox.judge(missing, ["x"]))


def test_the_survey_says_what_each_test_calls_and_why_others_do_not_count(judge: Placed) -> None:
    found = survey_javascript(find_repository(judge.snapshot.digest, ()))

    names = [each.name for each in found.functions]
    calls = {test.name: {names[place] for place in test.calls} for test in found.tests}
    problems = {test.name: test.problem for test in found.tests if test.problem}
    assert calls[f"{WORDS}stem"] == {"stem"}
    assert calls[f"{PRICES}waits"] == {"later", "total", "round"}, "the module itself calls total"
    assert calls["round.test.js"] == {"round"}
    assert problems == {
        f"{PRICES}is skipped": "Error: it is skipped",
        "test/broken.test.cjs": "Error: Cannot find module 'missing'",
    }
    assert found.problems == ("test/broken.test.cjs: Error: Cannot find module 'missing'",)
