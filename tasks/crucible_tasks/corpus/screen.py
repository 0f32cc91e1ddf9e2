"""Finds what a text has in common with the challenges of benchmarks, by three rules.

WORDS: 13 consecutive words, at least half of them different words with letters. In the 1,779 files
of Python's own library, 8 such words of HumanEval, HumanEval+ or MBPP are met in 42 files, 10 in
20, and 13 in none but for the letters of the alphabet in a row, which do not count here; each of
those is an idiom (`def __init__ self a b self a a self b`), none a leak. So 13 is the shortest run
that says something. It is also the length GPT-3's authors used.

SYNTAX: the same function but for its names, layout and decoration (see `functions`). Of that
library's 58,720 functions 6 have the shape of one of those challenges, from 6 nodes on. Smaller
shapes (`return a + b`) are everybody's, so for them the function's name must be the same too.

NEAR_COPY: half of all runs of 6 nodes in common, whatever the names. The library's functions share
two fifths at most. An edited solution is found, one that computes otherwise is not.

Rules two and three know Python, and JavaScript by its tokens (`javascript_functions`): of 20,534
functions in 2,998 files of published packages none has the shape of a challenge of HumanEval-X, or
is near one. In other languages, and where a file cannot be read, the first rule is all there is,
and it does not see through new names.

A private benchmark's functions come from the tree itself, where a run of 13 words in common may be
the house style. So there rule one wants half of a challenge's runs, rule three 7 of 10. The files
with its tests, which hold the expected answers, must not be trained on at all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from crucible_tasks.challenge import Challenge, RepositoryTests, ScriptTests
from crucible_tasks.challenges.dataset import Dataset
from crucible_tasks.corpus import javascript_functions
from crucible_tasks.corpus.functions import Function, functions_of, parsed
from crucible_tasks.corpus.javascript_functions import JAVASCRIPT
from crucible_tasks.corpus.languages import PYTHON
from crucible_tasks.corpus.report import Rule, Screened
from crucible_tasks.corpus.words import Words, words_of

#: words; the reason is above
RUN = 13

#: different words with two letters or more that make a run more than an enumeration
_LEAST_DIFFERENT = RUN // 2

#: nodes; smaller shapes are everybody's
_LEAST_NODES = 6

#: nodes and their words that make one shingle of a shape
_SHINGLE = 6

#: shingles; fewer say too little about likeness
_LEAST_SHINGLES = 20

#: of the shingles of two functions together, how many they share
_LIKENESS = 0.5
_PRIVATE_LIKENESS = 0.7

#: of a private challenge's runs, how many a text must hold
_PRIVATE_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Match:
    """Lines of a text that overlap a challenge."""

    #: from 1, both ends included
    first_line: int
    last_line: int
    dataset: str
    task_id: str
    rule: Rule

    def is_inside(self, other: Match) -> bool:
        """Whether the other one says the same of these lines."""
        return (
            self.task_id == other.task_id
            and other.first_line <= self.first_line
            and self.last_line <= other.last_line
        )


@dataclass(frozen=True, slots=True)
class _Target:
    """One challenge that is looked for."""

    dataset: str
    task_id: str
    is_private: bool
    #: of its functions, the name as a definition spells it
    entry_point: str

    def matched(self, first_line: int, last_line: int, rule: Rule) -> Match:
        return Match(first_line, last_line, self.dataset, self.task_id, rule)


class Screen:
    """Challenges in a form that texts are quickly compared with."""

    def __init__(self, datasets: Iterable[Dataset], private: Dataset | None = None) -> None:
        #: what is looked for, for the report
        self.screened: list[Screened] = []
        #: files with tests of the private benchmark, by their paths in the tree
        self.private_tests = _test_files(private) if private is not None else frozenset()
        self._runs: dict[tuple[str, ...], _Target] = {}
        self._private_runs: defaultdict[tuple[str, ...], list[_Target]] = defaultdict(list)
        self._private_counts: dict[_Target, int] = {}
        self._shapes: dict[str, _Target] = {}
        self._small: dict[tuple[str, str], _Target] = {}
        self._shingles: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        self._shingled: list[tuple[_Target, int]] = []
        for dataset in datasets:
            self._add(dataset, is_private=False)
        if private is not None:
            self._add(private, is_private=True)

    def matches(self, text: str, language: str) -> list[Match]:
        """Everything in a text that overlaps a challenge, by line; a place once per challenge."""
        functions = _functions_of(text, language)
        found = [match for function in functions for match in self._by_shape(function)]
        words = words_of(text)
        for match in (*self._by_words(words), *self._by_share(words)):
            if not any(match.is_inside(other) for other in found):
                found.append(match)
        return sorted(found, key=lambda match: (match.first_line, match.task_id))

    def _add(self, dataset: Dataset, *, is_private: bool) -> None:
        count = len(dataset.challenges)
        self.screened.append(Screened(dataset.name, dataset.digest, count, is_private))
        for challenge in dataset.challenges:
            name = (challenge.entry_point or "").rpartition(".")[2]
            target = _Target(dataset.name, challenge.task_id, is_private, name)
            if is_private:
                self._add_private_runs(challenge, target)
            else:
                self._add_runs(challenge, target)
            for function in _functions(challenge):
                self._add_shape(function, target)

    def _add_runs(self, challenge: Challenge, target: _Target) -> None:
        for text in _texts(challenge):
            for run in _telling(words_of(text)):
                self._runs.setdefault(run, target)

    def _add_private_runs(self, challenge: Challenge, target: _Target) -> None:
        runs = set(_telling(words_of(_solution(challenge))))
        for run in runs:
            self._private_runs[run].append(target)
        self._private_counts[target] = len(runs)

    def _add_shape(self, function: Function, target: _Target) -> None:
        shape = function.shape
        if shape is None:
            return
        if shape.nodes < _LEAST_NODES:
            self._small.setdefault((_last(function.name), shape.text), target)
            return
        self._shapes.setdefault(shape.text, target)
        shingles = _shingles(shape.tokens)
        if len(shingles) >= _LEAST_SHINGLES:
            for shingle in shingles:
                self._shingles[shingle].append(len(self._shingled))
            self._shingled.append((target, len(shingles)))

    def _by_words(self, words: Words) -> Iterator[Match]:
        hits: defaultdict[_Target, list[int]] = defaultdict(list)
        for index, run in enumerate(words.runs(RUN)):
            if run in self._runs:
                hits[self._runs[run]].append(index)
        for target, indexes in hits.items():
            yield from _in_lines(words, target, indexes)

    def _by_share(self, words: Words) -> Iterator[Match]:
        if not self._private_runs:
            return
        hits: defaultdict[_Target, list[int]] = defaultdict(list)
        held: defaultdict[_Target, set[tuple[str, ...]]] = defaultdict(set)
        for index, run in enumerate(words.runs(RUN)):
            for target in self._private_runs.get(run, ()):
                hits[target].append(index)
                held[target].add(run)
        for target, indexes in hits.items():
            if len(held[target]) >= _PRIVATE_SHARE * self._private_counts[target]:
                yield from _in_lines(words, target, indexes)

    def _by_shape(self, function: Function) -> Iterator[Match]:
        shape = function.shape
        if shape is None:
            return
        same = self._shapes.get(shape.text) or self._small.get((_last(function.name), shape.text))
        if same is not None:
            yield same.matched(function.first_line, function.last_line, Rule.SYNTAX)
            return
        like = self._likest(shape.tokens)
        if like is not None:
            yield like.matched(function.first_line, function.last_line, Rule.NEAR_COPY)

    def _likest(self, tokens: tuple[str, ...]) -> _Target | None:
        """The first challenge with a function that shares most of these tokens' shingles."""
        shingles = _shingles(tokens)
        if len(shingles) < _LEAST_SHINGLES:
            return None
        shared = Counter(
            number for shingle in shingles for number in self._shingles.get(shingle, ())
        )
        for number, count in sorted(shared.items()):
            target, size = self._shingled[number]
            likeness = _PRIVATE_LIKENESS if target.is_private else _LIKENESS
            if count >= likeness * (len(shingles) + size - count):
                return target
        return None


def _texts(challenge: Challenge) -> Iterator[str]:
    """What of a public challenge a model must not have read: its problem, solution and tests."""
    yield challenge.prompt
    if challenge.reference is not None:
        yield challenge.reference
    if isinstance(challenge.tests, ScriptTests):
        yield challenge.tests.source


def _solution(challenge: Challenge) -> str:
    """A private challenge's own function; all of its program where that one is not to be found."""
    program = challenge.reference or challenge.prompt
    lines = program.split("\n")
    parts = ["\n".join(lines[f.first_line - 1 : f.last_line]) for f in _functions(challenge)]
    return "\n".join(parts) or program


def _functions(challenge: Challenge) -> list[Function]:
    """The functions of a solution: the one under test and what it brings along."""
    found = _functions_of(challenge.reference or "", challenge.language)
    name = challenge.entry_point or ""
    tested = [f for f in found if f.name == name or _last(f.name) == _last(name)]
    return tested or found


def _functions_of(text: str, language: str) -> list[Function]:
    """Those of a text that can be read."""
    if language == JAVASCRIPT:
        tokens = javascript_functions.parsed(text)
        return javascript_functions.functions_of(tokens) if tokens is not None else []
    tree = parsed(text) if language == PYTHON else None
    return functions_of(tree) if tree is not None else []


def _telling(words: Words) -> Iterator[tuple[str, ...]]:
    """The runs that say something: no enumerations, no tables of numbers."""
    for run in words.runs(RUN):
        different = {word for word in run if len(word) > 1 and not word[0].isdigit()}
        if len(run) == RUN and len(different) >= _LEAST_DIFFERENT:
            yield run


def _shingles(tokens: tuple[str, ...]) -> set[tuple[str, ...]]:
    return {tokens[i : i + _SHINGLE] for i in range(len(tokens) - _SHINGLE + 1)}


def _in_lines(words: Words, target: _Target, indexes: list[int]) -> Iterator[Match]:
    """Runs that overlap or touch are one place."""
    places = [indexes[0]]
    for index, following in pairwise(indexes):
        if following > index + RUN:
            places += [index + RUN - 1, following]
    lines = words.lines_of([*places, indexes[-1] + RUN - 1])
    for first, last in zip(lines[::2], lines[1::2], strict=True):
        yield target.matched(first, last, Rule.WORDS)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _test_files(private: Dataset) -> frozenset[str]:
    return frozenset(
        node_id.partition("::")[0]
        for challenge in private.challenges
        if isinstance(challenge.tests, RepositoryTests)
        for node_id in challenge.tests.tests
    )
