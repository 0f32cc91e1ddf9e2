"""The words of pytest that tests of a function use, for a sandbox that holds no packages.

The text is the beginning of a test script, so it runs where the tests do and imports nothing of
ours.
"""

from __future__ import annotations

#: `raises`, `approx`, `mark.parametrize`, `skip`, `fail`; any other mark changes nothing
WORDS = """
import re as _re


class _Raises:
    def __init__(self, kinds, match):
        self.kinds, self.match, self.value = kinds, match, None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None:
            raise AssertionError(f"did not raise {self.kinds}")
        if not isinstance(error, self.kinds):
            return False
        self.value, self.type = error, kind
        if self.match is not None and not _re.search(self.match, str(error)):
            raise AssertionError(f"{str(error)!r} does not match {self.match!r}")
        return True


class _Near:
    def __init__(self, wanted, rel=1e-6, abs=1e-12):
        self.wanted, self.rel, self.abs = wanted, rel, abs

    def __eq__(self, got):
        return self._is_near(got, self.wanted)

    def _is_near(self, got, wanted):
        if isinstance(wanted, dict):
            same = isinstance(got, dict) and got.keys() == wanted.keys()
            return same and all(self._is_near(got[key], wanted[key]) for key in wanted)
        if isinstance(wanted, (list, tuple)):
            same = len(got) == len(wanted)
            return same and all(map(self._is_near, got, wanted))
        return got == wanted or abs(got - wanted) <= max(self.rel * abs(wanted), self.abs)

    def __repr__(self):
        return f"approx({self.wanted!r})"


class _Mark:
    def parametrize(self, names, values, **_):
        if isinstance(names, str):
            names = [name.strip() for name in names.split(",")]

        def decorate(test):
            cases = getattr(test, "cases", [{}])
            given = [value if len(names) > 1 else (value,) for value in values]
            test.cases = [
                {**case, **dict(zip(names, each))} for case in cases for each in given
            ]
            return test

        return decorate

    def __getattr__(self, name):
        return lambda *given, **_: given[0] if given and callable(given[0]) else lambda test: test


class pytest:
    mark = _Mark()
    approx = _Near

    @staticmethod
    def raises(kinds, match=None):
        return _Raises(kinds, match)

    @staticmethod
    def fail(reason=""):
        raise AssertionError(reason)


"""

#: behind the tests: runs one function as often as it has cases
RUN = """
def _run(test):
    for case in getattr(test, "cases", [{}]):
        found = test(**case)
        if hasattr(found, "__await__"):
            import asyncio

            asyncio.run(found)


"""
