"""The realm's own wall: what programs reach when the gate lets everything by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crucible_infra.errors import SandboxUnavailable
from crucible_tasks.challenge import Challenge, Language, Limits, ScriptTests
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.sandbox.guard import WallGuard
from crucible_workers.sandbox.javascript.slot import NodeSlot
from crucible_workers.sandbox.runtime import find_runtime
from sandbox_probes import give_up

LIMITS = Limits(cpu_seconds=1.0, memory_mib=1024, processes=32, file_mib=16, output_mib=4)
TEST = "require('assert').strictEqual(attempt(), undefined)"
FOUND = "typeof process !== 'undefined' ? 'process' : undefined"

#: each an expression or statements that end in `return`; undefined means that nothing was found
ESCAPES = {
    "the global's constructor": "return this.constructor.constructor(`return process`)()",
    "an array's constructor": "return [].constructor.constructor('return process')()",
    "indirect eval": "return (0, eval)('process')",
    "a generator's constructor": "return (function* () {}).constructor('return process')().next()",
    "an async function's constructor": "return (async () => {}).constructor('return process')()",
    "console's functions": "return console.log.constructor('return process')()",
    "module's prototype": "return module.constructor.constructor('return process')()",
    "a caller": "return (function f() { return f.caller.caller })().constructor('0; process')()",
    "arguments": "return arguments.callee.caller.constructor('return process')()",
    "frames of the stack": """
        Error.prepareStackTrace = (_, frames) => frames;
        const found = new Error().stack;
        for (const frame of Array.isArray(found) ? found : [])
          for (const one of [frame.getThis(), frame.getFunction()])
            if (one && one.process) return one.process;
        for (const frame of Array.isArray(found) ? found : []) {
          const made = frame.constructor.constructor;
          try { if (made('return process')()) return 'frame' } catch {}
        }""",
    "an overflow of the stack at the border": """
        let seen;
        const deep = () => { try { callback(0) } catch (e) { seen = e } deep() };
        try { deep() } catch (e) { seen = seen || e }
        return seen.constructor.constructor('return process')()""",
    "an error of the driver's": """
        try { callback({}) } catch (e) { return e.constructor.constructor('return process')() }""",
    "a value of the driver's": "return callback(1).constructor.constructor('return process')()",
    "a patched apply at the border": """
        let got; const old = Function.prototype.apply;
        Function.prototype.apply = Function.prototype.call = function () { got = this };
        try { callback(1) } finally { Function.prototype.apply = old }
        return got && got.constructor('return process')()""",
    "patched iteration at the border": """
        let got; const was = Array.prototype[Symbol.iterator];
        Array.prototype[Symbol.iterator] = function () { got = this; return was.call(this) };
        try { callback([1]) } finally { Array.prototype[Symbol.iterator] = was }
        return got && got.constructor.constructor('return process')()""",
    "setters at the border": """
        let got;
        for (const k of ['0', 'value', 'reply', 'get', 'set'])
          Object.defineProperty(Array.prototype, k, { set(v) { got = v }, configurable: true });
        try { callback([[1]]) } finally { for (const k of ['0', 'value', 'reply', 'get', 'set'])
          delete Array.prototype[k] }
        return got && got.constructor.constructor('return process')()""",
    "WebAssembly": "return new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))",
}


@pytest.fixture(scope="module", params=["namespaces", "process"])
def slot(request: pytest.FixtureRequest) -> Iterator[NodeSlot]:
    opened = NodeSlot(0, request.param, find_runtime(), WallGuard(3.0, 3.0))
    try:
        judged(opened, "const attempt = () => undefined")
    except SandboxUnavailable as error:
        give_up(error)
    yield opened
    opened.close()


def judged(slot: NodeSlot, program: str, test: str = TEST) -> Verdict:
    challenge = Challenge("escape", Language.JAVASCRIPT, "", None, ScriptTests(test), limits=LIMITS)
    return slot._judge_script(challenge, program, LIMITS, way="many").verdict


@pytest.mark.parametrize("name", ESCAPES)
def test_a_realm_leads_nowhere(slot: NodeSlot, name: str) -> None:
    program = (
        f"let callback; function given(f) {{ callback = f }}\n"
        f"function attempt() {{ try {{ {ESCAPES[name]} }} catch {{ }} }}"
    )
    verdict = judged(slot, program, f"given(x => x);\n{TEST}")

    assert verdict.outcome is Outcome.PASSED, verdict.detail


def test_a_realm_has_the_language_and_nothing_of_node(slot: NodeSlot) -> None:
    program = f"const attempt = () => {FOUND}; const names = () => Object.getOwnPropertyNames(this)"
    test = f"{TEST}\nrequire('assert').ok(!names().some(n => n in {{ require: 1, process: 1 }}))"

    assert judged(slot, program, test).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    "poison",
    [
        "Object.prototype.poison = 1",
        "Array.prototype.map = () => 'poison'",
        "Math.max = () => 'poison'",
        "poison = 1; this.poison = 2",
        "JSON.stringify = () => 'poison'",
        "Promise.prototype.then = () => 'poison'",
        "(function spin() { Promise.resolve().then(spin) })()",
        "Object.freeze(Object.prototype); Object.freeze(Array.prototype)",
        "String.prototype.toString = () => { throw 'poison' }",
        "Symbol.for('poison').description; Symbol.iterator",
        "console.log = () => { throw 'poison' }",
    ],
)
def test_a_program_leaves_nothing_for_the_next(slot: NodeSlot, poison: str) -> None:
    judged(slot, f"{poison}; const attempt = () => 'poison'")
    honest = """
        const attempt = () => {
          console.log('x');
          if (typeof poison !== 'undefined' || ({}).poison) return 'poisoned';
          Object.prototype.mine = 1; delete Object.prototype.mine;
          const all = [1, 2].map(x => Math.max(x, 5));
          return JSON.stringify(all) === '[5,5]' ? undefined : all;
        }"""

    assert judged(slot, honest).outcome is Outcome.PASSED
