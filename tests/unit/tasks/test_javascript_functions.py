"""JavaScript functions are found by their tokens, told whole, mutated, and taken out of a file."""

from __future__ import annotations

import pytest

from crucible_infra.errors import FormatError
from crucible_tasks.repository.functions import Unfit
from crucible_tasks.repository.javascript.filling import Import, filling_of
from crucible_tasks.repository.javascript.functions import (
    CROWDED,
    INNER,
    TRIVIAL,
    TWICE,
    Function,
    find_functions,
    functions_of,
)
from crucible_tasks.repository.javascript.hole import with_hole
from crucible_tasks.repository.javascript.layout import files_of_tests, is_for_tests
from crucible_tasks.repository.javascript.mutation import mutants
from crucible_tasks.repository.javascript.relatives import relatives
from crucible_tasks.repository.javascript.tokens import read
from crucible_tasks.repository.snapshot import Snapshot

FORMS = {
    "function f(a) {\n  return a;\n}\n": ("f", "f", 1),
    "async function f(a, b = 1, c) {\n  return a;\n}\n": ("f", "f", 1),
    "export function* f() {\n  yield 1;\n}\n": ("f", "f", 0),
    "export default function f(...all) {\n  return all;\n}\n": ("f", "f", 0),
    "export default async function (a) {\n  return a;\n}\n": ("myFile", "default", 1),
    "export default (a, { b, c }) => a;\n": ("myFile", "default", 2),
    "const f = a => a * 2\n": ("f", "f", 1),
    "export const f = async ([a], b) => {\n  return a;\n};\n": ("f", "f", 2),
    "let f = function g(a) {\n  return a;\n};\n": ("f", "f", 1),
    "exports.f = (a) => ({ a });\n": ("f", "exports.f", 1),
    "module.exports.f = function (a) {\n  return a;\n};\n": ("f", "module.exports.f", 1),
    "module.exports = function (a) {\n  return a;\n};\n": ("myFile", "module.exports", 1),
    "module.exports = function f(a) {\n  return a;\n};\n": ("f", "module.exports", 1),
    "tools.deep.f = function (a) {\n  return a;\n};\n": ("f", "tools.deep.f", 1),
}


def _found(text: str) -> list[Function | Unfit]:
    return list(functions_of("lib/my-file.js", text))


def _only(text: str) -> Function:
    (found,) = (each for each in _found(text) if isinstance(each, Function))
    return found


@pytest.mark.parametrize("text", FORMS)
def test_a_function_is_found_however_it_is_spelled(text: str) -> None:
    found = _only(f"'use strict';\n{text}")

    assert (found.name, found.target, found.parameters) == FORMS[text]
    assert found.first_line == 2
    assert found.last_line == 1 + text.count("\n")
    assert found.prompt.endswith("{\n")
    read(found.reference)
    read(found.empty)


def test_the_prompt_has_imports_and_the_comment_above_and_the_body_is_the_rest() -> None:
    text = (
        "#!/usr/bin/env node\n"
        "import a, { b } from './b.mjs'\n"
        "const fs = require('fs'), path = require('path');\n"
        "const other = () => require('x');\n"
        "\n// of another\n\n"
        "/**\n * Adds.\n */\n"
        "// really\n"
        "export function add(x) { // so\n"
        "  return x + 1;\n"
        "}\n"
        "import './late.js';\n"
    )
    found = next(each for each in _found(text) if isinstance(each, Function) and each.name == "add")

    assert found.prompt == (
        "// lib/my-file.js\n"
        "import a, { b } from './b.mjs'\n"
        "const fs = require('fs'), path = require('path');\n"
        "\n/**\n * Adds.\n */\n// really\nexport function add(x) {\n"
    )
    assert found.body == "  // so\n  return x + 1;\n}\n"
    assert found.empty == f"{found.prompt}}}\n"


def test_the_expression_of_an_arrow_becomes_a_block() -> None:
    found = _only("export const f = (a) =>\n  a\n    .b()\n    + 1\n\nother()\n")

    assert found.reference.endswith(
        "export const f = (a) => {\n  return a\n    .b()\n    + 1;\n};\n"
    )
    assert found.empty.endswith("(a) => {\n};\n")


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        ("function f() {}\n", "f", TRIVIAL),
        ("const f = (a) => a, g = 1;\n", "f", CROWDED),
        ("const f = function () { return 1; }();\n", "f", CROWDED),
        ("function f() { return 1; }\nf = wrap(f);\n", "f", TWICE),
        ("exports.f = () => 1;\nfunction f() { return 2; }\n", "f", TWICE),
        ("if (x) { function f() { return 1; } }\n", "f", INNER),
        ("class A { m(a) { if (a) { return 1; } } }\n", "m", INNER),
        ("module.exports = { m(a) { return a; } };\n", "m", INNER),
    ],
)
def test_what_cannot_be_asked_for_has_its_reason(text: str, name: str, reason: str) -> None:
    assert Unfit("lib/my-file.js", name, reason) in _found(text)
    assert not [
        each
        for each in _found(text)
        if isinstance(each, Function) and each.name == name and reason is not TWICE
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a = b / c / d; '/'",
        "x = /[/'\"`{]\\/}/g.test(y) && !/\\)/.test(z)",
        "if (a) /}/.test(b)",
        "`a ${ { b: `}${'`'}` }.b } {`",
        "a = {} / 1; f(g) / h; i++ / j; this.return / 2",
        "const \\u0061 = 'x\\\ny', $é = 0x1Fn + .5e-3 + 1_000;",
        "// {\n/* } */ <!= 1",
    ],
)
def test_signs_in_texts_templates_and_expressions_are_no_brackets(text: str) -> None:
    tokens = read(text)
    assert "".join(token.text for token in tokens.all).strip()


@pytest.mark.parametrize("text", ["(", "}", "(]", "'a", "`a", "`${", "/a", "function f() { \x00 }"])
def test_what_is_no_javascript_is_not_guessed_at(text: str) -> None:
    with pytest.raises(FormatError):
        read(text if text != "/a" else "x = /a")


def test_a_file_that_cannot_be_read_gives_nothing() -> None:
    files = {"a.js": b"const f = <div>{", "b.js": b"\xff", "c.mjs": b"export const f = () => 1\n"}
    functions, unfit = find_functions(Snapshot(files))

    assert [each.path for each in functions] == ["c.mjs"]
    assert unfit == []


def test_a_hole_keeps_lines_and_the_rest_of_a_module() -> None:
    text = "const a = 1;\nexport async function f(x) {\n  secret();\n}\nexport { a };\n"
    dug = with_hole(text, _only(text))

    assert "secret" not in dug
    assert dug.startswith("const a = 1;\nexport function f() { return ")
    assert dug.endswith("\n\n\nexport { a };\n")
    assert dug.count("\n") == text.count("\n")
    nameless = "export default (a) => a;\n"
    assert with_hole(nameless, _only(nameless)).startswith("export default globalThis[")


def test_mutants_are_small_mistakes_of_the_body_alone() -> None:
    text = (
        "// a < b\nfunction f(a = 1) {\n  if (a < 2) return g(a + 1, '+');\n  return [-1, !a];\n}\n"
    )
    found = _only(text)
    bodies = {each.removeprefix(found.prompt) for each in mutants(found, 50)}

    assert "  if (a >= 2) return g(a + 1, '+');\n  return [-1, !a];\n}\n" in bodies
    assert "  if (!(a < 2)) return g(a + 1, '+');\n  return [-1, !a];\n}\n" in bodies
    assert "  if (a < 3) return g(a + 1, '+');\n  return [-1, !a];\n}\n" in bodies
    assert "  if (a < 2) return g();\n  return [-1, !a];\n}\n" in bodies
    assert "  if (a < 2) return undefined && g(a + 1, '+');\n  return [-1, !a];\n}\n" in bodies
    assert "  if (a < 2) return g(a + 1, '+');\n  return [-1, a];\n}\n" in bodies
    assert all("'+'" in each or "g()" in each for each in bodies), "no text is changed"
    assert mutants(found, 3) == mutants(found, 50)[:3]
    for body in bodies:
        read(body.removesuffix("}\n"))


def test_a_program_fills_a_hole_without_its_imports_and_exports() -> None:
    filling = filling_of(
        "import a, { b as c, d } from './x.js';\nimport * as e from 'e'\nimport 'f';\n"
        "export const g = 1;\nexport default function h() {}\nexport { g as i, h };\n"
        "export * from 'j';\nconst k = import('k');\n"
    )

    assert filling.imports == (
        Import("./x.js", (("b", "c"), ("d", "d"), ("default", "a"))),
        Import("e", (("*", "e"),)),
        Import("f", ()),
    )
    assert "import './" not in filling.text
    assert "export" not in filling.text.replace("module.exports", "")
    assert "const g = 1;" in filling.text
    assert "const k = import('k');" in filling.text
    assert filling.text.rstrip().endswith("module.exports = { i: g, h: h };")
    assert filling_of("export default (a) => a;\n").text == "module.exports = (a) => a;\n"
    assert filling_of("const a = `").text == "const a = `"


def test_tests_are_the_files_that_nodes_runner_finds() -> None:
    names = (
        "a.test.js b-test.cjs c_test.mjs test-d.js test.js test/e.js test/f/g.mjs test/data.json "
        "src/contest.js src/latest.js tests/h.js test/i.ts"
    ).split()
    snapshot = Snapshot(dict.fromkeys(names, b""))

    assert files_of_tests(snapshot) == (
        *("a.test.js", "b-test.cjs", "c_test.mjs", "test-d.js", "test.js"),
        *("test/e.js", "test/f/g.mjs"),
    )
    assert is_for_tests("tests/h.js")
    assert not is_for_tests("src/latest.js")


def test_the_files_that_a_module_brings_in_are_found_as_node_finds_them() -> None:
    text = (
        "import a from './a.mjs';\nconst b = require('../b'), c = await import('./c');\n"
        "import './data.json'; require('d'); require('./gone'); require('./test/e.js');\n"
    )
    files = ("lib/m.js", "lib/a.mjs", "b.js", "lib/c/index.js", "lib/data.json", "lib/test/e.js")

    found = relatives(Snapshot(dict.fromkeys(files, b"")), "lib/m.js", text)

    assert found == ["lib/m.js", "lib/a.mjs", "b.js", "lib/c/index.js"]
