from __future__ import annotations

import pytest

from crucible_workers.sandbox.javascript.gate import is_plain, needs_node

PLAIN = [
    "const f = (x) => x + 1",
    "// process the list, then eval it\nconst f = x => x",
    "/* a global constructor.constructor */ function f() {}",
    "class A { constructor() { this.x = 1 } }",
    "class A {\n  constructor (x) {}\n}",
    "s.replace(/\\/\\/[/]x/g, '') // process",
    "const x = a / b; // eval",
    "module.exports = { f }; exports.g = f;",
    "console.log('x'); async function f() { await null }",
    "const processed = 1, evaluate = 2, globals = 3, $process = 4",
]
NOT_PLAIN = [
    "require('fs')",
    "x['constructor']",
    "a.constructor('x')",
    "a. constructor('x')",
    "a?.constructor('x')",
    "x[`__proto__`]",
    "`${eval}`",
    "let \\u0065val",
    "'\\u0041'",
    "import('fs')",
    # the one word that leads out is not even looked over in prose
    "// import\nconst f = 1",
    "export const f = 1",
    "setTimeout(f)",
    "new Function('x')",
    "Error['prepareStackTrace']",
    # what looks like a comment to a careless reader and is code
    "x++ /a//*\nprocess.exit()\n//*/",
    "if (a) /b//*\nprocess.exit()\n//*/",
    "x.in /a//*\nprocess.exit()\n//*/",
    "let of = 4; of /a//*\nprocess.exit()\n//*/",
    "<!-- /*\nprocess.exit() // */",
    "'//' + process",
    "`//` + process",
    "/[/]/* process/ */ + process",
    "#!/*\nprocess //*/",
]


@pytest.mark.parametrize("source", PLAIN)
def test_plain_computation_may_share_a_process(source: str) -> None:
    assert is_plain(source)


@pytest.mark.parametrize("source", NOT_PLAIN)
def test_what_names_more_than_the_language_may_not(source: str) -> None:
    assert not is_plain(source)


def test_an_answer_that_lacks_node_is_known_by_its_exception() -> None:
    assert needs_node("ReferenceError: structuredClone is not defined")
    assert needs_node("EvalError: Code generation from strings disallowed for this context")
    assert not needs_node("ReferenceError: helper is not defined")
    assert not needs_node("TypeError: x is not a function")
