"""A user's test file as a challenge: plain asserts, pytest's functions and classes, unittest.

What the tests import from modules of nobody's is the program's: an answer defines it, whatever
module the tests expect it in. Tests run in the sandbox, where neither packages nor files of the
user are; what needs them is refused here, in one line.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath

from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.javascript_examples import called_names
from crucible_tasks.text_file import read_text_file
from crucible_tasks.words_of_pytest import RUN, WORDS

#: bytes; every answer is judged by all of it
_LARGEST = 1 << 20

_ENDINGS = {
    ".py": Language.PYTHON,
    **dict.fromkeys((".js", ".mjs", ".cjs"), Language.JAVASCRIPT),
}
#: what the sandbox has beside the standard library
_PACKAGES = frozenset(("numpy",))
#: what a program's own module is called, or which of its names are taken: on one line or on many
_REQUIRED = re.compile(
    r"(?:^|(?<=;))[ \t]*(?:const|let|var)\s+(?P<names>\{[^{}]*\}|[\w$]+)\s*=\s*"
    r"require\(\s*['\"]\.[^)]*\)(?:\.[\w$]+)?[ \t]*;?",
    re.MULTILINE,
)
_RENAMED = re.compile(r"([\w$]+)\s*:\s*([\w$]+)")
_RUNNERS = re.compile(r"(?<![\w.$])(expect|describe|test|it)\s*\(")
_DECLARED = re.compile(r"\b(?:function\*?|class|const|let|var)\s+([A-Za-z_$][\w$]*)")
_CATCHES = """
def _catches():
    try:
        pass
    except ({},):
        pass
"""
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def read_tests(path: str, prompt: str) -> Challenge:
    """The challenge of a test file.

    Raises InvalidInput for a file that cannot be read or tests nothing, FormatError for one that
    does not parse.
    """
    language = _ENDINGS.get(PurePath(path).suffix.lower())
    if language is None:
        raise InvalidInput(
            f"{path}: is no test file that can be run here", hint="name one in .py or .js"
        )
    source = read_text_file(path, _LARGEST, "test")
    read = _javascript if language is Language.JAVASCRIPT else _python
    script, entry_point = read(path, source)
    return Challenge(
        task_id=PurePath(path).name,
        language=language,
        prompt=prompt,
        entry_point=entry_point,
        tests=ScriptTests(script),
        prompt_is_code=False,
    )


def _javascript(path: str, source: str) -> tuple[str, str]:
    runner = _RUNNERS.search(source)
    if runner and "node:test" not in source:
        raise InvalidInput(
            f"{path}: {runner[1]}(…) belongs to a test runner that is not in the sandbox",
            hint="write plain statements with node:assert, like assert.strictEqual(add(1, 2), 3)",
        )
    script = _REQUIRED.sub("", source)
    required = [found["names"] for found in _REQUIRED.finditer(source)]
    for module in (names for names in required if not names.startswith("{")):
        # `module.name` is `name`
        script = re.sub(rf"(?<![\w$.]){re.escape(module)}\.(?=[A-Za-z_$])", "", script)
    declared = set(_DECLARED.findall(script))
    renamed = {own: name for names in required for name, own in _RENAMED.findall(names)}
    called = [renamed.get(name, name) for name in called_names(script) if name not in declared]
    # on the first line, so that every other line keeps its number
    own = "".join(f"const {own} = {name}; " for own, name in renamed.items())
    return own + script, _most_called(path, called)


def _python(path: str, source: str) -> tuple[str, str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        raise FormatError.at(path, line, f"is no Python: {error}") from error
    imports = _Imports()
    tree = ast.fix_missing_locations(imports.visit(tree))
    names = _Names(tree)
    entry_point = _most_called(path, names.called())
    parts = [WORDS if imports.has_pytest else "", RUN, ast.unparse(tree), "\n"]
    parts += _runs(path, tree)
    caught = sorted(names.caught())
    if caught:
        # a class that only the program has cannot be known outside of it; the sandbox looks for
        # this clause, and runs such tests beside the program
        parts.append(_CATCHES.format(", ".join(caught)))
    return "".join(parts), entry_point


class _Imports(ast.NodeTransformer):
    """Drops the imports of what an answer defines, and uses its names without a module."""

    def __init__(self) -> None:
        self.has_pytest = False
        self._modules: set[str] = set()
        #: what an answer calls a name that the tests give another one
        self._renamed: dict[str, str] = {}

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        """Keep modules of the standard library."""
        kept = []
        for alias in node.names:
            if alias.name == "pytest":
                self.has_pytest = True
            elif _is_known(alias.name):
                kept.append(alias)
            else:
                self._modules.add(alias.asname or alias.name)
        node.names = kept
        return node if kept else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | list[ast.stmt]:
        """Keep those too; names of pytest are its words."""
        if not node.level and _is_known(node.module or ""):
            return node
        if node.module == "pytest":
            self.has_pytest = True
            words = [(alias.asname or alias.name, alias.name) for alias in node.names]
            return [ast.parse(f"{own} = pytest.{name}").body[0] for own, name in words]
        self._renamed |= {alias.asname: alias.name for alias in node.names if alias.asname}
        return ast.Pass()

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """An answer's own name for it."""
        return ast.Name(self._renamed.get(node.id, node.id), node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """`module.name` is `name`."""
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id in self._modules:
            return ast.Name(node.attr, node.ctx)
        return node


class _Names:
    """Which names tests take from the program."""

    def __init__(self, tree: ast.Module) -> None:
        self._nodes = list(ast.walk(tree))
        known = {"pytest", *vars(builtins), *sys.stdlib_module_names}
        for node in self._nodes:
            known |= set(_defined_by(node))
        self._known = known

    def called(self) -> Iterator[str]:
        """Those that are called, as often as they are."""
        for node in self._nodes:
            if isinstance(node, ast.Call) and self._is_foreign(node.func):
                assert isinstance(node.func, ast.Name)
                yield node.func.id

    def caught(self) -> set[str]:
        """Those that `raises` waits for."""
        found = set()
        for node in self._nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("pytest.raises", "raises"):
                found |= {each.id for each in ast.walk(node) if self._is_foreign(each)}  # type: ignore[attr-defined]
        return found

    def _is_foreign(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id not in self._known


def _defined_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, _FUNCTIONS | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0]


def _runs(path: str, tree: ast.Module) -> Iterator[str]:
    """Statements that run pytest's functions and classes; the driver runs unittest's."""
    for node in tree.body:
        if isinstance(node, _FUNCTIONS) and node.name.startswith("test"):
            _refuse_fixtures(path, node, len(node.args.args))
            yield f"_run({node.name})\n"
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test") and not node.bases:
            for method in node.body:
                if isinstance(method, _FUNCTIONS) and method.name.startswith("test"):
                    _refuse_fixtures(path, method, len(method.args.args) - 1)
                    yield f"_run({node.name}().{method.name})\n"


def _refuse_fixtures(path: str, test: ast.FunctionDef | ast.AsyncFunctionDef, given: int) -> None:
    cases = sum("parametrize" in ast.unparse(each) for each in test.decorator_list)
    if given and not cases:
        raise InvalidInput(
            f"{path}:{test.lineno}: {test.name} takes fixtures, which are not known here",
            hint="plain functions, classes, parametrize, raises and approx are; the tests of a "
            "whole repository judge with crucible challenges build",
        )


def _is_known(module: str) -> bool:
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top in _PACKAGES


def _most_called(path: str, called: Iterator[str] | list[str]) -> str:
    counted = Counter(called)
    if not counted:
        raise InvalidInput(
            f"{path}: calls nothing that an answer could define",
            hint="call the function that is asked for, as in assert add(1, 2) == 3",
        )
    return max(counted, key=lambda name: counted[name])
