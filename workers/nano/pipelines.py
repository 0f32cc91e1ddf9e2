"""Functions that choose numbers, change them and sum them up, in every combination.

"Return the sum of the squares of the even numbers in nums." One combination of six is held out of
training: whether nano has learned to combine is measured on those.
"""

from __future__ import annotations

import builtins
import hashlib
import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from function import Check, Function, with_capital

#: one combination of this many is held out
_HELD_OUT = 6

_LISTS = "nums numbers values xs lst arr items data a seq".split()
_NUMBERS = "n num number m limit".split()
_LIST_WORDS = ("the list", "the given list", "a list", "the input list")
_VERBS = ("Return", "Return", "Return", "Compute", "Calculate", "Find", "Get", "Give", "Determine")
_PLAIN_NAMES = ("solve", "solution", "f", "task", "compute")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which numbers are taken; {k} is a small number."""

    name: str
    code: str
    keeps: Callable[[int, int], bool]
    #: before the noun, and behind it
    adjectives: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of each."""

    name: str
    code: str
    makes: Callable[[int], int]
    #: around the noun phrase {}
    phrases: tuple[str, ...]
    #: what "do it to each number" is called
    verbs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """What is made of all of them."""

    name: str
    makes: Callable[[list[int]], Any]
    phrases: tuple[str, ...]
    #: of a list expression; empty where only a loop can
    expression: str = ""
    #: what a loop starts with, does and returns; empty where it would be clumsy
    loop: tuple[str, str, str] | tuple[()] = ()
    #: "the largest even number in nums"
    superlatives: tuple[str, ...] = ()
    #: imperatives around {}
    imperatives: tuple[str, ...] = ()


CHOICES = (
    Choice("", "", lambda _x, _k: True),
    Choice("even", "{x} % 2 == 0", lambda x, _: x % 2 == 0, ("even",), ("that are even",)),
    Choice("odd", "{x} % 2 == 1", lambda x, _: x % 2 == 1, ("odd",), ("that are odd",)),
    Choice(
        *("positive", "{x} > 0", lambda x, _: x > 0, ("positive",)),
        ("that are positive", "above zero", "greater than zero"),
    ),
    Choice(
        *("negative", "{x} < 0", lambda x, _: x < 0, ("negative",)),
        ("that are negative", "below zero", "less than zero"),
    ),
    Choice(
        *("nonzero", "{x} != 0", lambda x, _: x != 0, ("nonzero",)),
        ("that are not zero", "different from zero"),
    ),
    Choice(
        *("greater", "{x} > {k}", lambda x, k: x > k, ()),
        ("greater than {k}", "larger than {k}", "above {k}", "that are bigger than {k}"),
    ),
    Choice(
        *("less", "{x} < {k}", lambda x, k: x < k, ()),
        ("less than {k}", "smaller than {k}", "below {k}", "that are less than {k}"),
    ),
    Choice(
        *("divisible", "{x} % {k} == 0", lambda x, k: x % k == 0, ()),
        ("divisible by {k}", "that are divisible by {k}", "that are multiples of {k}"),
    ),
    Choice(
        *("not_divisible", "{x} % {k} != 0", lambda x, k: x % k != 0, ()),
        ("not divisible by {k}", "that are not multiples of {k}"),
    ),
)
CHANGES = (
    Change("", "{x}", lambda x: x, ("{}",)),
    Change(
        *("squares", "{x} * {x}", lambda x: x * x),
        ("the squares of {}", "the squared values of {}", "the square of each of {}"),
        ("square",),
    ),
    Change("cubes", "{x} ** 3", lambda x: x**3, ("the cubes of {}",), ("cube",)),
    Change(
        *("doubled", "{x} * 2", lambda x: 2 * x),
        ("the doubles of {}", "twice each of {}", "the doubled values of {}"),
        ("double",),
    ),
    Change("abs", "abs({x})", abs, ("the absolute values of {}", "the magnitudes of {}")),
    Change("negated", "-{x}", lambda x: -x, ("the negated values of {}",), ("negate",)),
    Change("incremented", "{x} + 1", lambda x: x + 1, ("{} plus one each", "{} increased by one")),
    Change("decremented", "{x} - 1", lambda x: x - 1, ("{} minus one each", "{} decreased by one")),
    Change("halved", "{x} // 2", lambda x: x // 2, ("the integer halves of {}",), ("halve",)),
)
SUMMARIES = (
    Summary(
        *("sum", sum, ("the sum of {}", "the total of {}"), "sum({})"),
        ("total = 0", "total += {}", "total"),
        imperatives=("Add up {}", "Sum {}", "Add {} together"),
    ),
    Summary(
        *("product", math.prod, ("the product of {}",), ""),
        ("result = 1", "result *= {}", "result"),
        imperatives=("Multiply {}", "Multiply {} together", "Multiply {} and return the result"),
    ),
    Summary(
        *("max", max, ("the maximum of {}", "the largest of {}"), "max({})"),
        superlatives=("largest", "biggest", "greatest", "maximum", "highest"),
    ),
    Summary(
        *("min", min, ("the minimum of {}", "the smallest of {}"), "min({})"),
        superlatives=("smallest", "lowest", "minimum"),
    ),
    Summary(
        *("count", len, ("the number of {}", "the count of {}", "how many {} there are")),
        *("len({})", ("count = 0", "count += 1", "count")),
        imperatives=("Count {}",),
    ),
    Summary(
        *("list", list, ("a list of {}", "{} as a list", "{}", "only {}", "a list with {}")),
        *("{}", ("result = []", "result.append({})", "result")),
        imperatives=("Keep only {}", "List {}"),
    ),
    Summary(
        *("sorted", sorted, ("a sorted list of {}", "{} sorted in ascending order"), "sorted({})"),
        imperatives=("Sort {}", "Sort {} in ascending order", "Sort {} and return the result"),
    ),
    Summary(
        *("sorted_desc", lambda found: sorted(found, reverse=True)),
        ("{} sorted in descending order", "a list of {} from largest to smallest"),
        "sorted({}, reverse=True)",
        imperatives=("Sort {} in descending order", "Sort {} from largest to smallest"),
    ),
    Summary(
        *("reversed", lambda found: found[::-1]),
        *(("a reversed list of {}", "{} in reverse order"), "{}[::-1]"),
    ),
    Summary(
        "first", lambda found: found[0], ("the first of {}",), "{}[0]", superlatives=("first",)
    ),
    Summary("last", lambda found: found[-1], ("the last of {}",), "{}[-1]", superlatives=("last",)),
)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One combination."""

    #: of the numbers from 1 to n, instead of a list's
    is_range: bool
    choice: Choice
    change: Change
    summary: Summary

    @property
    def is_held_out(self) -> bool:
        """Whether training never sees it."""
        names = (str(self.is_range), self.choice.name, self.change.name, self.summary.name)
        digest = hashlib.sha256("|".join(names).encode()).hexdigest()
        return int(digest, 16) % _HELD_OUT == 0

    @property
    def makes_sense(self) -> bool:
        """Whether anybody would ask for it."""
        if self.summary.name == "count":
            # counting does not look at what became of the numbers
            return not self.change.name
        if self.is_range and self.choice.name in ("positive", "negative", "nonzero"):
            return False
        if self.is_range and self.change.name == "abs":
            return False
        is_everything = not self.choice.name and not self.change.name
        return not (is_everything and self.summary.name in ("list", "first", "last"))

    def written(self, chance: random.Random) -> Function:
        """The function in some wording, with some body."""
        k = chance.randint(2, 9)
        parameter = chance.choice(_NUMBERS if self.is_range else _LISTS)
        variables = ["i"] if self.is_range else ["x", "n", "v", "i"]
        x = chance.choice([name for name in variables if name != parameter])
        return Function(
            name=self._name(chance),
            parameters=(parameter,),
            docstring=self._docstring(chance, parameter, k),
            body=self._body(chance, parameter, x, k),
            checks=self._checks(k),
        )

    def _name(self, chance: random.Random) -> str:
        if chance.random() < 0.15:
            return chance.choice(_PLAIN_NAMES)
        name = "_".join(filter(None, (self.summary.name, self.choice.name, self.change.name)))
        # a function called sum would call itself
        return f"{name}_of_numbers" if hasattr(builtins, name) else name

    def _docstring(self, chance: random.Random, parameter: str, k: int) -> str:
        words = _Words(self, chance, parameter, k)
        return f"{with_capital(words.sentence())}."

    def _body(self, chance: random.Random, parameter: str, x: str, k: int) -> str:
        source = f"range(1, {parameter} + 1)" if self.is_range else parameter
        condition = self.choice.code.format(x=x, k=k)
        value = self.change.code.format(x=x)
        loop = self.summary.loop
        if loop and (not self.summary.expression or chance.random() < 0.5):
            start, step, result = loop
            inner = [f"if {condition}:", f"    {step}"] if condition else [step]
            lines = [start, f"for {x} in {source}:", *(f"    {line}" for line in inner)]
            lines = [line.replace("{}", value) for line in lines] + [f"return {result}"]
            return "".join(f"    {line}\n" for line in lines)
        made = f"{value} for {x} in {source}" + (f" if {condition}" if condition else "")
        listed = f"[{made}]"
        if value == x and not condition:
            takes_any = self.summary.name in ("max", "min", "sorted", "sorted_desc", "sum")
            listed = source if takes_any or not self.is_range else f"list({source})"
        elif self.summary.name == "sum":
            listed = made
        return f"    return {self.summary.expression.replace('{}', listed)}\n"

    def _checks(self, k: int) -> tuple[Check, ...]:
        lists: Sequence[list[int]] = ([3, -4, 0, 7, 12, -9, 5, 8, 6], [10, 1, -2, 9, 18, 35, -8, 4])
        arguments: list[Any] = [20, 18] if self.is_range else [*lists]
        return tuple(Check((each,), self.result(each, k)) for each in arguments)

    def result(self, argument: int | list[int], k: int) -> Any:
        """What it is to return, found without its text."""
        numbers = range(1, argument + 1) if isinstance(argument, int) else argument
        kept = [self.change.makes(x) for x in numbers if self.choice.keeps(x, k)]
        return self.summary.makes(kept)


class _Words:
    """The docstring of one pipeline."""

    def __init__(self, pipeline: Pipeline, chance: random.Random, parameter: str, k: int) -> None:
        self._pipeline = pipeline
        self._chance = chance
        self._parameter = parameter
        self._k = k

    def sentence(self) -> str:
        """Without its full stop."""
        summary, change, choose = self._pipeline.summary, self._pipeline.change, self._chance.choice
        if summary.superlatives and not change.name and self._chance.random() < 0.7:
            return f"{choose(_VERBS)} {self._numbers('the ' + choose(summary.superlatives), 'one')}"
        if summary.name == "list" and change.verbs and self._chance.random() < 0.4:
            return f"{choose(change.verbs)} {self._numbers(choose(('each', 'every')), 'one')}"
        if summary.name == "count":
            phrase = choose(summary.phrases).format(self._numbers("", "many"))
        else:
            determiner = choose(("the", "the", "the", "all", "all the"))
            phrase = choose(change.phrases).format(self._numbers(determiner, "many"))
            if summary.imperatives and self._chance.random() < 0.25:
                return choose(summary.imperatives).format(phrase)
            phrase = choose(summary.phrases).format(phrase)
        return f"{choose(_VERBS)} {phrase}"

    def _numbers(self, determiner: str, count: str) -> str:
        """The numbers meant: "the even numbers in nums", "every number from 1 to n above 5"."""
        choice, chance = self._pipeline.choice, self._chance
        noun = chance.choice(("number", "number", "number", "value", "element", "integer"))
        noun += "" if count == "one" else "s"
        adjective, clause = "", ""
        if choice.adjectives and (not choice.clauses or chance.random() < 0.7):
            adjective = chance.choice(choice.adjectives)
        elif choice.clauses:
            clause = chance.choice(choice.clauses).format(k=self._k)
            if count == "one":
                clause = clause.replace("that are multiples", "that is a multiple")
                clause = clause.replace("that are", "that is").replace("multiples", "a multiple")
        behind = [self._source(), clause]
        if clause and chance.random() < 0.25:
            behind.reverse()
        return " ".join(filter(None, (determiner, adjective, noun, *behind)))

    def _source(self) -> str:
        chance = self._chance
        if self._pipeline.is_range:
            return f"from 1 to {self._parameter}"
        share = chance.random()
        if share < 0.15:
            return ""
        where = chance.choice(("in", "in", "of"))
        if share < 0.3:
            return f"{where} {chance.choice(_LIST_WORDS)}"
        return (
            f"{where} the list {self._parameter}" if share < 0.4 else f"{where} {self._parameter}"
        )


def pipelines() -> list[Pipeline]:
    """Every combination that makes sense."""
    combinations = itertools.product((False, True), CHOICES, CHANGES, SUMMARIES)
    every = [Pipeline(*combination) for combination in combinations]
    return [pipeline for pipeline in every if pipeline.makes_sense]
