"""Honest JavaScript programs that a careless sandbox fails, and must pass."""

from __future__ import annotations

from textwrap import dedent

from crucible_tasks.challenge import Language
from crucible_workers.sandbox.self_check.check import Check

_ECHO = "const same = x => x;"
_DOUBLE_TEST = "require('node:assert').strictEqual(double(21), 42);"


def _promise(name: str, program: str, test: str) -> Check:
    return Check(
        f"js {name}",
        "promises",
        dedent(program),
        "const assert = require('node:assert');\n" + dedent(test),
        is_universal=True,
        language=Language.JAVASCRIPT,
    )


def _same(name: str, *values: str) -> Check:
    lines = [
        f"{{ const v = {value}; assert.deepStrictEqual(same(v), {value}); }}" for value in values
    ]
    return _promise(f"{name} cross", _ECHO, "\n".join(lines))


def _double(name: str, program: str, test: str = _DOUBLE_TEST) -> Check:
    return _promise(name, program, test)


_VALUES = (
    _same(
        "numbers",
        "0",
        "-0",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e308",
        "5e-324",
        "2 ** 53",
        "0.1 + 0.2",
    ),
    _same("big integers", "0n", "-1n", "2n ** 20000n"),
    _same("undefined and null", "undefined", "null", "[undefined, null]", "{ a: undefined }"),
    _same("texts", "''", "'\\ud83d'", "'\\0'", "'😀\\u2028'", "'\"\\\\\\n'"),
    _same("maps and sets", "new Map([[{ a: 1 }, new Set([1, '1'])], [NaN, -0]])", "new Set([[1]])"),
    _same("dates", "new Date(5)", "new Date(-1)"),
    _same("regular expressions", "/a+\\/b/giu", "new RegExp('')"),
    _same(
        "typed arrays",
        "new Uint8Array([1, 255])",
        "new Float64Array([NaN, -0, 1.5])",
        "new BigInt64Array([-1n])",
        "new Uint8Array([1, 2]).buffer",
        "Buffer.from('ab')",
    ),
    _same("sparse arrays", "[, 1]", "new Array(3)", "[1, , 3, ,]", "Object.assign([1], { x: 2 })"),
    _same("boxed values", "new Number(4)", "new String('s')", "new Boolean(false)", "Object(1n)"),
    _same("objects without prototype", "Object.assign(Object.create(null), { a: 1 })"),
    _same("odd keys", "{ ['__proto__']: 3 }", "{ '': 1, constructor: 2, toString: 3 }"),
    _same("symbols", "Symbol.iterator", "Symbol.for('x')", "{ [Symbol.for('k')]: 1 }"),
    _same("match results", "'a-1'.match(/(\\w)-(?<n>\\d)/)"),
    _same(
        "errors", "new TypeError('no', { cause: 5 })", "Object.assign(new Error('x'), { code: 7 })"
    ),
)

_IDENTITY = (
    _promise(
        "an argument comes back itself",
        "const first = (a, b) => a;",
        "const a = [], o = {}; assert.strictEqual(first(a, o), a);\n"
        "assert.strictEqual(first(o), o);",
    ),
    _promise(
        "changes in place are seen",
        "function f(a, o, m) { a.reverse().push({ a }); o.x = [o]; delete o.y; m.set(1, m) }",
        """
        const a = [1, 2], o = { y: 1 }, m = new Map(); f(a, o, m);
        assert.deepStrictEqual(a.slice(0, 2), [2, 1]); assert.strictEqual(a[2].a, a);
        assert.strictEqual(o.x[0], o); assert(!('y' in o)); assert.strictEqual(m.get(1), m);
        """,
    ),
    _promise(
        "cycles and shared parts",
        "function f() { const s = []; const o = { a: s, b: s }; o.me = o; return o }",
        "const o = f(); assert.strictEqual(o.a, o.b); assert.strictEqual(o.me, o);",
    ),
    _promise(
        "frozen objects",
        "const f = () => Object.freeze([1]);",
        "assert(Object.isFrozen(f()));\n"
        "assert.throws(() => { 'use strict'; f().push(1) }, TypeError);",
    ),
    _promise(
        "state over calls",
        "let n = 0; const counter = () => ++n; const make = () => { let k = 0; return () => ++k };",
        "counter(); assert.equal(counter(), 2); const c = make(); c(); assert.equal(c(), 2); "
        "assert.equal(make()(), 1);",
    ),
)

_HANDLES = (
    _promise(
        "classes of the program",
        """
        class Stack {
          #items = [];
          static of(...items) { const s = new Stack(); items.forEach(i => s.push(i)); return s }
          push(item) { this.#items.push(item); return this }
          get size() { return this.#items.length }
          toString() { return this.#items.join() }
        }
        class Big extends Stack { name = 'big' }
        """,
        """
        const s = new Stack(); assert.strictEqual(s.push(1).push(2), s);
        assert.equal(s.size, 2); assert.equal(s.toString(), '1,2'); assert.equal(`${s}`, '1,2');
        assert(s instanceof Stack); assert.equal(Stack.of(1, 2, 3).size, 3);
        const b = new Big(); assert(b instanceof Stack); assert.equal(b.name, 'big');
        b.name = 'small'; assert.equal(b.name, 'small'); assert.deepEqual(b, { name: 'small' });
        """,
    ),
    _promise(
        "functions both ways",
        "const twice = f => x => f(f(x)); const apply = (f, ...xs) => f(...xs);",
        """
        assert.equal(twice(x => x + 3)(1), 7); assert.equal(apply(Math.max, 1, 5, 2), 5);
        const seen = []; apply(x => seen.push(x), 4); assert.deepEqual(seen, [4]);
        assert.throws(() => apply(() => { throw new RangeError('mine') }), /mine/);
        """,
    ),
    _promise(
        "generators and iterators",
        "function* up(n) { for (let i = 0; i < n; i++) yield i }\n"
        "class Few { *[Symbol.iterator]() { yield* [1, 2] } }",
        "assert.deepEqual([...up(3)], [0, 1, 2]); assert.deepEqual([...new Few()], [1, 2]); "
        "const g = up(2); g.next(); assert.deepEqual(g.next(), { value: 1, done: false });",
    ),
    _promise(
        "exceptions by class, name and text",
        "class Odd extends RangeError {\n"
        "  constructor(m) { super(m); this.name = 'Odd'; this.at = 3 }\n}\n"
        "function f(x) { if (x) throw new Odd('no good'); null.x }\nfunction g() { throw 'text' }",
        """
        assert.throws(() => f(1), { name: 'Odd', message: 'no good', at: 3 });
        assert.throws(() => f(1), RangeError); assert.throws(() => f(1), Odd);
        assert.throws(() => f(0), TypeError); assert.throws(g, e => e === 'text');
        """,
    ),
)

_ASYNC = (
    _promise(
        "asynchronous functions",
        "const later = async x => { await null; return [x] };",
        """
        async function test() {
          assert.deepEqual(await later(1), [1]);
          assert.deepEqual(await Promise.all([later(2), later(3)]), [[2], [3]]);
        }
        test();
        """,
    ),
    _promise(
        "timers",
        "const later = x => new Promise(done => setTimeout(done, 20, x));",
        "(async () => { assert.equal(await later(5), 5); assert.equal(await later(6), 6) })();",
    ),
    _promise(
        "rejections",
        "async function f() { throw new TypeError('no') }",
        "assert.rejects(f, { name: 'TypeError', message: 'no' });",
    ),
    _promise(
        "thenables",
        "const f = x => ({ then(done) { done(2 * x) } });",
        "(async () => assert.equal(await f(4), 8))();",
    ),
    _promise(
        "callbacks",
        "function f(x, done) { setTimeout(() => done(null, 2 * x), 5);\n"
        "return new Promise(r => setTimeout(r, 10)) }",
        "(async () => { let got; await f(4, (e, v) => { got = v }); assert.equal(got, 8) })();",
    ),
    _promise(
        "awaiting at the top of the tests",
        "export async function f(x) { return x }",
        "assert.equal(await f(3), 3);",
    ),
)

_SYNTAX = (
    _double("module.exports", "module.exports = { double: x => 2 * x };"),
    _double("exports", "exports.double = x => 2 * x;"),
    _double("a function as the module", "const double = x => 2 * x; module.exports = double;"),
    _double("export function", "export function double(x) { return 2 * x }"),
    _double("import and export", "import fs from 'node:fs'; export const double = x => 2 * x;"),
    _double("strict mode", "'use strict';\nconst double = x => 2 * x"),
    _double("an assignment", "double = function (x) { return 2 * x }"),
    _double("a comment at the end", "const double = x => 2 * x // twice"),
    _double(
        "a guard", "const double = x => 2 * x; if (require.main === module) console.log(double(1))"
    ),
    _double(
        "node's modules",
        "const { inspect } = require('util'); const double = x => Number(inspect(2 * x))",
    ),
    _double(
        "crypto",
        "const crypto = require('crypto');\n"
        "const hash = () => crypto.createHash('md5').update('').digest('hex');\n"
        "const double = x => hash()[0] === 'd' ? 2 * x : 0",
    ),
    _double("eval", "const double = x => eval('2 * x');"),
    _double(
        "extended builtins",
        "Array.prototype.twice = function () { return this.map(x => 2 * x) };\n"
        "Object.prototype.extra = 1; const double = x => [x].twice()[0]",
    ),
    _double("many words", "const log = console.log; const double = x => { log(x); return 2 * x }"),
    _promise(
        "import in the tests",
        "const double = x => 2 * x",
        "{ const { equal } = assert; equal(double(1), 2) }",
    ),
    _promise(
        "two thousand calls",
        "const inc = x => x + 1",
        "for (let i = 0; i < 2000; i++) assert.equal(inc(i), i + 1);",
    ),
    _promise(
        "a long array",
        "const f = a => a.map(x => x + 1)",
        "const a = Array.from({ length: 100000 }, (_, i) => i); assert.equal(f(a)[99999], 100000);",
    ),
)

JS_PROMISES = (*_VALUES, *_IDENTITY, *_HANDLES, *_ASYNC, *_SYNTAX)
