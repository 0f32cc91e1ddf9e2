"""The trusted side: load a challenge's tests once, then run them against each candidate.

The tests' own namespace is filled with what the prompt defines (helpers, classes) and, for names
that only the program can define, with stand-ins. The verdict is made here, at the end of the
tests, and never from what a candidate says about itself.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib
import linecache
import reprlib
import sys
import traceback
import types
from collections.abc import Callable, Sequence
from typing import Any

from .foresight import Foresight, Mispredicted
from .frames import ChannelClosed, FrameTooLarge, packed, send_packed
from .oracles import Oracle, OracleMismatch
from .remote import BadProtocol, CandidateGone, Channel, Remains, RemoteError
from .requests import order_of
from .statefulness import keeps_state

_TESTS_FILE = "<tests>"
_DETAIL_LIMIT = 300
_MOST_SURPRISES = 2
#: what reads a program's output or changes its module, so must live where the program does
_OUTPUT_NAMES = frozenset(
    "patch monkeypatch stdout stdin stderr redirect_stdout redirect_stderr".split()
)
_CLASS_ASSERTIONS = frozenset(
    "assertIsInstance assertNotIsInstance assertRaises assertRaisesRegex".split()
)


class UnusableTests(Exception):
    """The challenge's own tests cannot be loaded: the dataset's fault."""


class TestsFailed(Exception):
    """A unittest suite did not succeed."""


class Tests:
    """One challenge's tests, compiled and loaded."""

    def __init__(self, prompt: str, entry_point: str | None, body: dict[str, Any]) -> None:
        self._entry_point = entry_point
        self._module = types.ModuleType("solution")
        sys.modules["solution"] = self._module
        self._namespace = vars(self._module)
        self._load_prompt(prompt)
        #: what a candidate is asked before the tests come to it
        self._ahead: Sequence[bytes] = ()
        self._surprises = 0
        self._run = self._load(body)
        #: whether a program's judging can leave something behind for the next one's
        self.keeps_state = keeps_state(prompt, body, self._namespace)
        self.classes = {
            name: value
            for name, value in self._namespace.items()
            if isinstance(value, type)
            and value.__module__ == "solution"
            and name != self._entry_point
        }

    def order(self, source: str) -> bytes:
        """What a child is told about its program."""
        return order_of("split", source, names=self.names, classes=sorted(self.classes))

    def judge(self, channel: int, order: bytes, *, keep: bool) -> tuple[list[Any], Remains | None]:
        """Outcome and detail for one candidate, which gets `order` first.

        The outcome is `gone` when it ended itself and `void` when it must be judged again, with
        nothing asked ahead. With `keep` comes what remains, where that may run another program.
        """
        foresight = Foresight(self._ahead)
        remote = self._channel(channel, foresight)
        before = dict(self._namespace)
        try:
            send_packed(channel, packed(order) + foresight.next_window())
            remote.begin()
            verdict = self._judge(remote)
        except ChannelClosed:
            return ["gone", ""], None
        except Mispredicted:
            # tests that never ask twice the same are not foreseen again
            self._surprises += 1
            self._ahead = []
            verdict = ["void", ""]
        finally:
            self._namespace.clear()
            self._namespace.update(before)
            self._foresee(foresight.conversation)
        return verdict, remote.release() if keep else None

    def _channel(self, descriptor: int, foresight: Foresight) -> Channel:
        return Channel(descriptor, self.classes, foresight)

    def _judge(self, remote: Channel) -> list[Any]:
        try:
            known = remote.ready()
            if not isinstance(known, dict):
                return _load_failure(known)
            # a program that writes this message itself could name `abs` or `__builtins__` too
            self._namespace.update({name: known[name] for name in self.names if name in known})
            self._run(self._namespace)
        except (ChannelClosed, Mispredicted):
            raise
        except (CandidateGone, BadProtocol, FrameTooLarge) as error:
            return _refusal(error)
        except BaseException as error:
            remote.is_over = True
            return _explain(error, remote)
        # a test may swallow CandidateGone; a candidate that is gone passes nothing
        return ["error", remote.end] if remote.end is not None else ["passed", ""]

    def _foresee(self, conversation: list[bytes]) -> None:
        """The longest conversation is the one that the next candidate will most likely repeat."""
        if self._surprises <= _MOST_SURPRISES and len(conversation) > len(self._ahead):
            self._ahead = conversation

    def _load_prompt(self, prompt: str) -> None:
        for source in (prompt, f"{prompt}\n    pass\n"):
            try:
                code = compile(source, "<prompt>", "exec", dont_inherit=True)
            except (SyntaxError, ValueError):
                continue
            exec(code, self._namespace)
            break
        if self._entry_point is not None:
            # the prompt's own stub; a program without the function must not be judged by it
            self._namespace.pop(self._entry_point, None)

    def _load(self, body: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
        #: whether the tests need the program's classes themselves, so cannot run outside
        self.is_shared = False
        if body["type"] == "oracle":
            self.names = [str(self._entry_point)]
            return self._load_oracle(body)
        source = body["source"]
        code = compile(source, _TESTS_FILE, "exec", dont_inherit=True)
        lines = source.splitlines(keepends=True)
        linecache.cache[_TESTS_FILE] = (len(source), None, lines, _TESTS_FILE)
        tree = ast.parse(source)
        self.names = self._needed_names(tree)
        self.is_shared = _needs_classes(tree, frozenset(self.names))
        _import_ahead(tree)

        def run(namespace: dict[str, Any]) -> None:
            exec(code, namespace)
            _run_suites(namespace)

        return run

    def _load_oracle(self, body: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
        oracle = Oracle(body, str(self._entry_point))
        self._ahead = oracle.requests

        def run(namespace: dict[str, Any]) -> None:
            oracle.check(namespace[str(self._entry_point)])

        return run

    def _needed_names(self, tree: ast.Module) -> list[str]:
        """Names that the tests use and only the program can define.

        A standard module's name is never asked of the program: it could answer with an `isclose`
        of its own. Neither is a builtin's, unless it is what the challenge asks for.
        """
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        own = {
            node.name
            for node in tree.body
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        }
        foreign = used - own - set(vars(builtins)) - set(self._namespace)
        for name in sorted(foreign & sys.stdlib_module_names):
            self._namespace[name] = __import__(name)
        wanted = foreign - sys.stdlib_module_names
        return sorted(wanted | {self._entry_point} if self._entry_point else wanted)


def _import_ahead(tree: ast.Module) -> None:
    """Import what the tests will import, once here rather than in every driver."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    for name in sorted(names):
        # tests may try an import and go on without it
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _needs_classes(tree: ast.Module, names: frozenset[str]) -> bool:
    """Whether tests need what only lives in the program: its classes, its output, its module.

    A stand-in is no class. This is a property of the tests alone: no program can choose the mode.
    """
    return any(
        isinstance(item, ast.Name) and (item.id in names or item.id in _OUTPUT_NAMES)
        for node in ast.walk(tree)
        for item in _class_uses(node)
    )


def _class_uses(node: ast.AST) -> list[ast.expr]:
    """Expressions that only a real class, or this very process, can stand for."""
    found: list[ast.expr] = []
    match node:
        case ast.ClassDef(bases=found):
            pass
        case ast.ExceptHandler(type=ast.expr() as kinds):
            found = _each(kinds)
        case ast.Raise(exc=ast.Call(func=kind)) | ast.Raise(exc=ast.Name() as kind):
            found = [kind]
        case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, kinds]):
            found = _each(kinds)
        case ast.Call(func=ast.Attribute(attr=method), args=args) if method in _CLASS_ASSERTIONS:
            found = [kind for item in args for kind in _each(item)]
        case ast.Compare(left=ast.Call(func=ast.Name(id="type")), comparators=others):
            found = [kind for item in others for kind in _each(item)]
        case ast.Attribute(attr=name) if name in _OUTPUT_NAMES:
            found = [ast.Name(name)]
        case ast.Call(func=ast.Name() as called):
            found = [called] if called.id in _OUTPUT_NAMES else []
    return found


def _each(kinds: ast.expr) -> list[ast.expr]:
    return kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]


def load(message: dict[str, Any]) -> Tests:
    """Tests of a load message. Raises UnusableTests with what is wrong."""
    try:
        return Tests(message["prompt"], message["entry_point"], message["tests"])
    except BaseException as error:
        raise UnusableTests(f"{type(error).__name__}: {error}") from error


def _load_failure(message: Any) -> list[Any]:
    match message:
        case ["syntax", str(text)]:
            return ["syntax_error", text]
        case ["exit", str(text)]:
            return ["error", text]
        case ["raise", [str(name), list(kinds), str(text), list()], list()]:
            return ["out_of_memory" if "MemoryError" in kinds else "error", text or name]
    return ["error", "wrote to its channel"]


def _refusal(error: BaseException) -> list[Any]:
    if isinstance(error, FrameTooLarge):
        return ["output_limit", "returned a value of more than 64 MiB"]
    return ["error", str(error)]


def _explain(error: BaseException, remote: Channel) -> list[Any]:
    if isinstance(error, RemoteError):
        text = str(error.__dict__.get("text", error))
        return ["out_of_memory" if isinstance(error, MemoryError) else "error", text]
    if isinstance(error, MemoryError):
        return ["out_of_memory", "the returned value does not fit in memory"]
    if isinstance(error, OracleMismatch):
        return ["failed", str(error)[:_DETAIL_LIMIT]]
    line = _failing_line(error)
    message = str(error).strip()
    if isinstance(error, (AssertionError, TestsFailed)):
        return ["failed", _failure_detail(line, message, remote)]
    return ["error", f"{type(error).__name__}: {message} in the test: {line}"[:_DETAIL_LIMIT]]


def _failure_detail(line: str, message: str, remote: Channel) -> str:
    parts = [line or message]
    if message and line and message not in line:
        parts.append(message)
    if remote.call_count:
        parts.append(f"the last call returned {reprlib.repr(remote.last_value)}")
    return "; ".join(parts)[:_DETAIL_LIMIT]


def _failing_line(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.line or "" for frame in frames if frame.filename == _TESTS_FILE]
    return lines[-1].strip() if lines else ""


def _run_suites(namespace: dict[str, Any]) -> None:
    """Run the unittest classes of a test script; a suite that skips or runs nothing fails."""
    # imported by whoever defines test cases, and by nobody else
    unittest = sys.modules.get("unittest")
    if unittest is None:
        return
    suites = [
        unittest.defaultTestLoader.loadTestsFromTestCase(kind)
        for kind in namespace.values()
        if isinstance(kind, type)
        and issubclass(kind, unittest.TestCase)
        and kind.__module__ == "solution"
    ]
    if not suites:
        return
    result = unittest.TestResult()
    unittest.TestSuite(suites).run(result)
    problems = [text for _, text in (*result.failures, *result.errors, *result.skipped)]
    if problems or not result.testsRun:
        last = problems[0].strip().splitlines()[-1] if problems else "no test ran"
        raise TestsFailed(last)
