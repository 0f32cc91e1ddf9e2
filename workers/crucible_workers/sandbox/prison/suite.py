"""A repository's own tests, collected by pytest in a prison, and run one at a time.

Public hooks of pytest do it: its loop over the tests is replaced by ours, which forks instead.
"""

from __future__ import annotations

import contextlib
import linecache
import marshal
import os
import re
import signal
import sys
import time
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any

from .driver import UnusableTests
from .placed import HOLE, Shipped
from .places import binding_of, function_of, look_up

#: pytest, without what reads a user's habits, writes files or changes the order of tests
_ARGUMENTS = (
    "-q --continue-on-collection-errors --assert=plain --capture=no --tb=native -o addopts= "
    "-p no:cacheprovider -p no:xdist -p no:randomly -p no:cov -p no:pytest_cov -p no:timeout"
).split()
#: CPU seconds of one test while the suite is looked at; a unit test takes milliseconds
_TEST_SECONDS = 10.0
_TEXT_LIMIT = 200
#: bytes of modules that nobody has imported so far, but a program might
_MOST_UNUSED = 4 << 20


class TestTooLong(Exception):
    """A test takes longer than a unit test may."""


class Suite:
    """The tests of one repository; a plugin of pytest."""

    def __init__(self, config: dict[str, Any], serve: Callable[[Suite], None]) -> None:
        self.root: str = config["root"]
        self.roots: list[str] = config["roots"]
        #: paths, below the root, of files that hold or serve tests
        self._test_files = frozenset(f"{self.root}/{path}" for path in config["test_files"])
        self._files: list[str] = config["modules"]
        self._serve = serve
        self._items: dict[str, Any] = {}
        self.problems: list[str] = []
        self._reports: list[Any] = []
        self._error: BaseException | None = None
        self._shipped: Shipped = {}

    def collect(self) -> None:
        """Collect every test and serve; returns only when nothing could be collected."""
        os.chdir(self.root)
        # before pytest, which imports packages that may be the repository's own
        sys.path[:0] = self.roots
        import pytest

        pytest.main([*_ARGUMENTS, f"--rootdir={self.root}"], plugins=[self, _hooks(self)])

    def pytest_collectreport(self, report: Any) -> None:
        """Note what cannot be collected; a hook of pytest."""
        if report.failed:
            last = str(report.longrepr).strip().splitlines()[-1:]
            self.problems.append(f"{report.nodeid}: {''.join(last)}"[:_TEXT_LIMIT])

    def pytest_runtestloop(self, session: Any) -> bool:
        """Serve instead of running the tests; a hook of pytest."""
        self._items = {item.nodeid: item for item in session.items}
        # once here rather than in every process that is forked
        self._shipped = {**dict(self._unused()), **dict(self._used())}
        self._serve(self)
        return True

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note how a phase of a test went; a hook of pytest."""
        self._reports.append(report)

    def note(self, error: BaseException) -> None:
        """Note what a phase of a test raised."""
        self._error = self._error or error

    @property
    def names(self) -> list[str]:
        """The node ids of all tests, in their order."""
        return list(self._items)

    def item(self, name: str) -> Any:
        """One test. Raises UnusableTests when there is none of that name."""
        if name not in self._items:
            reasons = f" ({self.problems[0]})" if self.problems else ""
            raise UnusableTests(f"the repository has no test {name}{reasons}")
        return self._items[name]

    def problem_of(self, item: Any, following: Any) -> BaseException | None:
        """Run one test; what makes it not pass: skipped and expected to fail count, too."""
        self._reports, self._error = [], None
        try:
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        except BaseException as error:
            self.note(error)
        if self._error is not None:
            return self._error
        phases = {report.when for report in self._reports if _is_passed(report)}
        if phases == {"setup", "call", "teardown"} and all(map(_is_passed, self._reports)):
            return None
        return AssertionError("was skipped, failed as it was expected to, or failed in a part")

    def explanation(self, item: Any, error: BaseException) -> str:
        """Where in the tests something was raised, and what."""
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.line for frame in frames if frame.filename in self._test_files]
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if not isinstance(error, AssertionError):
            said = f"{type(error).__name__}: {said}"
        return "; ".join(filter(None, (f"{item.nodeid}: {lines[-1] if lines else ''}", said)))

    def function(self, body: dict[str, Any]) -> tuple[types.FunctionType, str]:
        """The function that a program replaces, and how it is bound in its class.

        Raises UnusableTests when it is none.
        """
        module = sys.modules.get(body["module"])
        found = look_up(module, body["name"]) if module is not None else None
        function = function_of(found)
        if not isinstance(function, types.FunctionType):
            raise UnusableTests(f"{body['module']}.{body['name']} is no plain function")
        return function, binding_of(found)

    def shipped_with_hole(self, body: dict[str, Any]) -> Shipped:
        """Code of every module that programs may import; where the function was is a hole."""
        name = body["module"]
        if name not in self._shipped:
            raise UnusableTests(f"no module {name} was imported by the tests")
        path, is_package, _ = self._shipped[name]
        lines = linecache.getlines(path)
        first, last = body["first_line"], body["last_line"]
        start = lines[first - 1]
        margin = start[: len(start) - len(start.lstrip())]
        lines[first - 1 : last] = [f"{margin}{HOLE}()\n", *["\n"] * (last - first)]
        code = compile("".join(lines), path, "exec", dont_inherit=True)
        # under another name the same file would still have the function
        others = {key: value for key, value in self._shipped.items() if value[0] != path}
        return {**others, name: (path, is_package, marshal.dumps(code))}

    def _used(self) -> Iterator[tuple[str, tuple[str, bool, bytes]]]:
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and self.is_own(path):
                code = compile(_source(path), path, "exec", dont_inherit=True)
                yield name, (path, hasattr(module, "__path__"), marshal.dumps(code))

    def _unused(self) -> Iterator[tuple[str, tuple[str, bool, str]]]:
        size = 0
        for file in self._files:
            path = f"{self.root}/{file}"
            for root in self.roots:
                name = _module_name(path, root)
                if name is not None:
                    source = _source(path)
                    size += len(source)
                    if size < _MOST_UNUSED:
                        yield name, (path, path.endswith("/__init__.py"), source)
                    break

    def is_own(self, path: str) -> bool:
        """Whether a file is part of the repository and serves no test."""
        is_inside = path.startswith(f"{self.root}/") and path.endswith(".py")
        return is_inside and path not in self._test_files

    def is_test(self, path: str) -> bool:
        """Whether a file holds or serves tests."""
        return path in self._test_files

    def surveyed(self, first: int, *, is_traced: bool) -> Iterator[dict[str, Any]]:
        """Run the tests from this one on; what each of them called and how it ended."""
        signal.signal(signal.SIGPROF, _give_up)
        items = list(self._items.values())
        for number, item in enumerate(items[first:], first):
            following = items[number + 1] if number + 1 < len(items) else None
            calls = _Calls(self)
            started = time.monotonic()
            signal.setitimer(signal.ITIMER_PROF, _TEST_SECONDS)
            with calls if is_traced else contextlib.nullcontext():
                problem = self.problem_of(item, following)
            signal.setitimer(signal.ITIMER_PROF, 0)
            yield {
                "id": item.nodeid,
                "problem": None if problem is None else f"{type(problem).__name__}",
                "seconds": time.monotonic() - started,
                "calls": calls.found(),
            }


class _Calls:
    """Which functions of the repository run while this is entered."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        #: None for what is not the repository's
        self._seen: dict[types.CodeType, list[Any] | None] = {}

    def __enter__(self) -> None:
        sys.setprofile(self._note)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def found(self) -> list[list[Any]]:
        """Path, line, name, module, and whether a test called it itself, of each."""
        return [found for found in self._seen.values() if found is not None]

    def _note(self, frame: types.FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        code = frame.f_code
        if code not in self._seen:
            self._seen[code] = self._described(code, frame)
        found = self._seen[code]
        if found is not None and not found[-1]:
            caller = frame.f_back
            found[-1] = caller is not None and self._suite.is_test(caller.f_code.co_filename)

    def _described(self, code: types.CodeType, frame: types.FrameType) -> list[Any] | None:
        name = code.co_qualname
        # the body of a function, class or module has its own brackets
        if "<" in name or not self._suite.is_own(code.co_filename):
            return None
        path = code.co_filename.removeprefix(f"{self._suite.root}/")
        module = str(frame.f_globals.get("__name__"))
        return [path, code.co_firstlineno, name, module, False]


def _hooks(suite: Suite) -> object:
    """Hooks that need pytest's own decorators, which are not there before the walls are."""
    import pytest

    class Hooks:
        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport(self, item: Any, call: Any) -> Iterator[None]:
            del item
            yield
            # unittest's own reports come from inside
            if call.excinfo is not None:
                suite.note(call.excinfo.value)

    return Hooks()


def _is_passed(report: Any) -> bool:
    return bool(report.outcome == "passed" and not hasattr(report, "wasxfail"))


def _give_up(*_: object) -> None:
    raise TestTooLong


def _source(path: str) -> str:
    return "".join(linecache.getlines(path))


def _module_name(path: str, root: str) -> str | None:
    """How a file is imported from that root; None when it lies elsewhere."""
    if not path.startswith(f"{root}/"):
        return None
    name = path.removeprefix(f"{root}/").removesuffix(".py").removesuffix("/__init__")
    dotted = name.replace("/", ".")
    return dotted if re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", dotted) else None
