"""JavaScript programs that attack, and those that a careless sandbox fails."""

from __future__ import annotations

from textwrap import dedent

from crucible_tasks.challenge import Language
from crucible_tasks.verdict import Outcome
from crucible_workers.sandbox.self_check.check import NOT_PASSED, Check, hurried
from crucible_workers.sandbox.self_check.javascript_promises import JS_PROMISES

__all__ = ["JS_CHECKS"]

_TEST = """
const assert = require('node:assert');
function test() {
  let candidate = double;
  assert.deepEqual(candidate(21), 42);
  assert(Math.abs(candidate(4) - 8) < 1e-6);
  assert(candidate(21) > 41 && candidate(21) < 43);
  assert.strictEqual(JSON.stringify([candidate(1), candidate(2)]), '[2,4]');
}
test();
"""
_ASYNC_TEST = """
const assert = require('node:assert');
async function test() {
  assert.equal(await double(1), 2);
  assert.equal(await double(2), 4);
}
test();
"""
_X_TEST = """
const testDouble = () => {
  console.assert(double(21) === 42)
  console.assert(double(1) === 2)
}
testDouble()
"""


def _forgery(name: str, program: str, test: str = _TEST) -> Check:
    return Check(
        f"js {name}",
        "verdict",
        dedent(program),
        test,
        NOT_PASSED,
        is_universal=True,
        language=Language.JAVASCRIPT,
    )


def _attack(name: str, topic: str, body: str) -> Check:
    """A body that returns true when it got through, and throws or returns falsely when not."""
    program = f"function attempt() {{ try {{\n{dedent(body)}\n}} catch {{ return false }} }}"
    test = "require('assert').strictEqual(Boolean(attempt()), false)"
    return Check(f"js {name}", topic, program, test, language=Language.JAVASCRIPT)


def _limited(name: str, program: str, *outcomes: Outcome, is_universal: bool = True) -> Check:
    check = Check(
        f"js {name}",
        "resources",
        dedent(program),
        _X_TEST,
        frozenset(outcomes) or NOT_PASSED,
        is_universal=is_universal,
        language=Language.JAVASCRIPT,
    )
    return hurried(check)


#: the tests themselves can be passed, or their failures would mean nothing
_RIGHT = tuple(
    Check(
        f"js the right answer to {name}",
        "promises",
        program,
        test,
        is_universal=True,
        language=Language.JAVASCRIPT,
    )
    for name, program, test in (
        ("MultiPL-E", "function double(x) { return 2 * x }", _TEST),
        ("asynchronous tests", "async function double(x) { return 2 * x }", _ASYNC_TEST),
        ("HumanEval-X", "const double = (x) => {\n  return 2 * x;\n}\n", _X_TEST),
    )
)

_ENDINGS = (
    _forgery("process.exit in the function", "function double(x) { process.exit(0) }"),
    _forgery("process.exit at the top", "process.exit(0); function double(x) {}"),
    _forgery("process.reallyExit", "function double(x) { process.reallyExit(0) }"),
    _forgery("exit code", "process.exitCode = 0; function double(x) { throw 1 }"),
    _forgery("top-level return", "function double(x) {}\nreturn;\n"),
    _forgery("top-level return of names", "return [['double', () => 0]];"),
    _forgery(
        "exit listener",
        "process.on('exit', () => process.exit(0)); function double(x) { throw new Error() }",
    ),
    _forgery(
        "uncaught exception listener",
        "process.on('uncaughtException', () => process.exit(0)); function double(x) { throw 0 }",
    ),
    _forgery("abort", "function double(x) { process.abort() }"),
    _forgery("kill itself", "function double(x) { process.kill(process.pid, 'SIGKILL') }"),
    _forgery("never settles", "function double(x) { return new Promise(() => {}) }", _ASYNC_TEST),
    _forgery("a thenable that never settles", "double = x => ({ then() {} })", _ASYNC_TEST),
    _forgery(
        "right until the first await",
        "async function double(x) { return x === 1 ? 2 : 0 }",
        _ASYNC_TEST,
    ),
    _forgery("rejects", "async function double(x) { throw new Error('no') }", _ASYNC_TEST),
    _forgery(
        "exits between awaits",
        "async function double(x) { if (x > 1) process.exit(0); return 2 * x }",
        _ASYNC_TEST,
    ),
)

_PATCHES = (
    _forgery(
        "patched assert",
        "const a = require('assert'); for (const k of Object.keys(a)) a[k] = () => {};\n"
        "a.AssertionError = class {}; function double(x) { return 0 }",
    ),
    _forgery(
        "patched assert in the cache",
        "const M = require('module'); M._load = () => () => {}; function double(x) { return 0 }",
    ),
    _forgery("reassigned require", "require = () => () => {}; function double(x) { return 0 }"),
    _forgery(
        "its own require, test and assert",
        "var assert = () => {}; assert.deepEqual = assert.strictEqual = assert;\n"
        "function test() {} function double(x) { return 0 }",
    ),
    _forgery("console.assert replaced", "console.assert = () => {}; double = x => 0", _X_TEST),
    _forgery("its own console", "var console = { assert() {} }; double = x => 0", _X_TEST),
    _forgery("console.assert is a failure", "const double = x => 41", _X_TEST),
    _forgery(
        "its own Math and JSON",
        "var Math = { abs: () => 0 }; var JSON = { stringify: () => '[2,4]' }; double = x => 0",
    ),
    _forgery(
        "Object.prototype setters",
        """
        for (const name of ['actual', 'expected', 'operator', 'generatedMessage', 'message'])
          Object.defineProperty(Object.prototype, name, { set() { throw 0 }, get() { return 42 } });
        function double(x) { return 0 }
        """,
    ),
    _forgery("prepareStackTrace", "Error.prepareStackTrace = () => ''; double = x => 0"),
    _forgery(
        "patched JSON and String",
        "JSON.stringify = () => '42'; JSON.parse = () => [42]; String.prototype.slice = () => '';\n"
        "function double(x) { return 0 }",
    ),
    _forgery(
        "patched iterators",
        "Array.prototype[Symbol.iterator] = function* () { yield 42 }; double = x => 0",
    ),
    _forgery(
        "patched equality",
        "Object.is = () => true; Number.prototype.valueOf = () => 42; double = x => 0",
    ),
)

_OBJECTS = (
    _forgery("valueOf", "let n = 0; double = x => ({ valueOf: () => (n++ % 2 ? 0 : 99) })"),
    _forgery(
        "valueOf that sees both sides",
        "let n = 0; double = x => ({ valueOf: () => (n++ % 2 ? 0 : 99) })",
        "require('assert')(double(21) > 41 && double(21) < 43)",
    ),
    _forgery(
        "toPrimitive",
        "let n = 0; double = x => ({ [Symbol.toPrimitive]: () => (n++ % 2 ? 0 : 99) })",
        "require('assert')(double(21) > 41 && double(21) < 43)",
    ),
    _forgery(
        "toString of an array",
        "let n = 0; double = x => Object.assign([], { toString: () => (n++ % 2 ? 0 : 99) })",
        "require('assert')(double(21) > 41 && double(21) < 43)",
    ),
    _forgery(
        "valueOf of a class",
        "let n = 0; class Any { valueOf() { return n++ % 2 ? 0 : 99 } } double = x => new Any()",
        "require('assert')(double(21) > 41 && double(21) < 43)",
    ),
    _forgery(
        "valueOf of a function",
        "let n = 0; double = x => Object.assign(() => 0, { valueOf: () => (n++ % 2 ? 0 : 99) })",
        "require('assert')(double(21) > 41 && double(21) < 43)",
    ),
    _forgery("a proxy that is anything", "double = x => new Proxy({}, { get: () => 42 })"),
    _forgery("a proxy of a function", "double = new Proxy(() => 0, { apply: () => NaN })"),
    _forgery("a proxy of an array", "double = x => new Proxy([], { get: () => 0 })"),
    _forgery("getters", "double = x => ({ get then() { throw 0 }, get length() { return 42 } })"),
    _forgery("toJSON", "double = x => ({ toJSON: () => 42 })"),
    _forgery(
        "a symbol's species",
        "class A extends Array { equals() { return true } } double = x => new A(42)",
    ),
    _forgery(
        "an error that is an assertion's",
        "double = x => { const e = new Error('ok'); e.code = 'ERR_ASSERTION'; throw e }",
    ),
    _forgery(
        "a way back to the tests' Function",
        """
        let escaped = false;
        double = f => {
          try { f.constructor('globalThis.double = x => 2 * x')() } catch {}
          try { f.constructor.constructor('return process')().exit(0) } catch {}
          return 0;
        }
        """,
        "require('assert').strictEqual(double(x => x), 42)",
    ),
    _forgery(
        "a way back through a test's object",
        "double = o => { try { o.constructor.constructor('process.exit(0)')() } catch {}\n"
        "return 0 }",
        "class Box { get() { return 1 } }\nrequire('assert').strictEqual(double(new Box()), 42)",
    ),
)

_CHANNEL = (
    _forgery(
        "writes to its channel",
        """
        const fs = require('fs');
        const send = text => {
          const body = Buffer.from(text), head = Buffer.alloc(4);
          head.writeUInt32BE(body.length); fs.writeSync(3, Buffer.concat([head, body]));
        };
        function double(x) { for (let i = 0; i < 9; i++) send('["return"]\\n[]\\n0'); return 0 }
        """,
    ),
    _forgery(
        "writes a verdict to its channel",
        "const fs = require('fs');\n"
        'double = x => { fs.writeSync(3, \'\\0\\0\\0\\x15{"outcome": "passed"}\'); return 0 }',
    ),
    _forgery(
        "writes everywhere",
        "const fs = require('fs');\nfor (let i = 3; i < 40; i++)\n"
        '  try { fs.writeSync(i, \'\\0\\0\\0\\x15{"outcome": "passed"}\') } catch {}\n'
        "double = x => 0",
    ),
    _forgery(
        "prints a verdict", "console.log('passed', 'OK', '1..1', 'ok 1 - test'); double = x => 0"
    ),
    _forgery("closes its channel", "require('fs').closeSync(3); double = x => 42"),
    _forgery(
        "a deep value",
        "double = x => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a }",
    ),
)

_FILES = (
    _attack(
        "reads /etc/passwd", "files", "return require('fs').readFileSync('/etc/passwd').length"
    ),
    _attack("lists the home directories", "files", "return require('fs').readdirSync('/home')"),
    _attack("sees processes", "files", "return require('fs').readdirSync('/proc').length"),
    _attack(
        "reads the environment",
        "files",
        "return Object.keys(process.env).some(name => !['HOME', 'PATH', 'LANG', 'TZ', "
        "'LD_LIBRARY_PATH', 'PWD'].includes(name))",
    ),
    _attack("writes the root", "files", "require('fs').writeFileSync('/x', ''); return true"),
    _attack(
        "writes our scripts",
        "files",
        "require('fs').appendFileSync(process.argv0 && '/node/crucible/driver.js', ' '); return 1",
    ),
    _attack("finds a shell", "files", "return require('child_process').execSync('id').length"),
    _attack(
        "leaves a file behind",
        "files",
        "const fs = require('fs'); const was = fs.existsSync('/tmp/left');\n"
        "fs.writeFileSync('/tmp/left', ''); return was",
    ),
    _attack(
        "finds the file left behind",
        "files",
        "const fs = require('fs'); return fs.existsSync('/tmp/left')",
    ),
    _attack(
        "has a network",
        "network",
        "return Object.values(require('os').networkInterfaces()).flat().some(one => !one.internal)",
    ),
)

_RESOURCES = (
    _limited("loops for ever", "function double(x) { while (true) {} }", Outcome.TIMED_OUT),
    _limited("loops at the top", "for (;;) {}", Outcome.TIMED_OUT),
    _limited(
        "loops in promises",
        "function spin() { return Promise.resolve().then(spin) } spin();\n"
        "async function double(x) { while (true) await null }",
        is_universal=True,
    ),
    _limited(
        "a hopeless regular expression",
        "double = x => /^(a+)+$/.test('a'.repeat(40) + 'b')",
        Outcome.TIMED_OUT,
    ),
    _limited(
        "fills the heap",
        "const all = []; function double(x) { for (;;) all.push(new Array(1e5).fill({})) }",
        Outcome.OUT_OF_MEMORY,
        Outcome.TIMED_OUT,
        Outcome.ERROR,
    ),
    _limited(
        "fills buffers",
        "const all = []; function double(x) { for (;;) all.push(new Uint8Array(1 << 26).fill(1)) }",
        Outcome.OUT_OF_MEMORY,
        Outcome.TIMED_OUT,
        Outcome.ERROR,
    ),
    _limited("recurses for ever", "function double(x) { return double(x) }", Outcome.ERROR),
    _limited(
        "prints for ever",
        "function double(x) { for (;;) require('fs').writeSync(1, 'x'.repeat(1 << 20)) }",
        Outcome.OUTPUT_LIMIT,
        Outcome.TIMED_OUT,
        Outcome.ERROR,
    ),
    _limited(
        "a huge value", "double = x => 'x'.repeat(1 << 26)", Outcome.OUTPUT_LIMIT, Outcome.FAILED
    ),
    _limited("not JavaScript", "def double(x): return 2 * x", Outcome.SYNTAX_ERROR),
    _limited("nothing", "", Outcome.ERROR),
)

JS_CHECKS = (
    *_RIGHT,
    *_ENDINGS,
    *_PATCHES,
    *_OBJECTS,
    *_CHANNEL,
    *_FILES,
    *_RESOURCES,
    *JS_PROMISES,
)
