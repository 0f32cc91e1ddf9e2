"""The small functions of `functions.txt`, in ever new wordings.

    reverse reversed_text : text          names the function may have : kinds of its arguments
    ? Reverse $a [backwards|].            a docstring; one of each [alternatives] is taken
    ~ $a is a palindrome                  the same for a question: "Return True if …"
    # vowels                              the same for counting them in $a
    = return $a[::-1]                     a body; lines that begin with two blanks continue it
    ! 'ab' -> 'ba'                        a call and its result, for checking every body

In docstrings $a, $b and $c become an argument's name, its kind ("the string") or both.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from function import Check, Function, with_capital

_FILE = Path(__file__).with_name("functions.txt")

#: what people call such an argument
_NAMES = {
    "text": "s text string word st t sentence line".split(),
    "number": "n num x number m k value".split(),
    "list": "nums numbers values xs lst arr items data a seq".split(),
    "lists": "lists lst matrix rows nested groups".split(),
    "words": "words strings names tokens lst".split(),
    "mapping": "d mapping table counts data".split(),
    "char": "c ch letter char".split(),
    "item": "x value item target".split(),
}
#: what the first or only argument of a kind is called without its name
_KINDS = {
    "text": ("the string", "the given string", "the text", "a string", "the input string"),
    "number": ("the number", "the given number", "a number", "the integer", "an integer"),
    "list": ("the list", "the given list", "a list", "the list of numbers", "the input list"),
    "lists": ("the list of lists", "a list of lists", "the given lists", "the nested list"),
    "words": ("the list", "the list of strings", "the given list", "a list of words"),
    "mapping": ("the dictionary", "the given dictionary", "a dictionary"),
    "char": ("the character", "the given character", "the letter"),
    "item": ("the value", "the given value", "the item"),
}
#: what stands before a name: "the string s"
_TITLES = {
    "text": "the string",
    "number": "the number",
    "list": "the list",
    "lists": "the list",
    "words": "the list",
    "mapping": "the dictionary",
    "char": "the character",
    "item": "the value",
}
_QUESTIONS = (
    *("Return True if", "Return True if", "Return whether", "Check if", "Check whether"),
    *("Determine whether", "Tell whether", "Return True when", "Test if"),
)
_OTHERWISE = ("", "", "", ", False otherwise", ", otherwise False", " and False if not")
_COUNTS = (
    *("Count the {} in $a", "Return the number of {} in $a", "Return how many {} $a has"),
    *("Return how many {} there are in $a", "Return how many {} are in $a", "Count {} in $a"),
    *("Return the count of {} in $a", "Return how many {} $a contains"),
    "Count the number of {} in $a",
)
_RETURNS = ("Compute", "Calculate", "Find", "Get", "Give", "Give back", "Returns", "Determine")
_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
#: names that give nothing away
_PLAIN_NAMES = ("solve", "solution", "f", "task", "compute")


@dataclass(slots=True)
class SmallFunction:
    """One paragraph of the file."""

    names: list[str]
    kinds: list[str]
    sentences: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def written(self, chance: random.Random) -> Function:
        """The function in some wording, with some body."""
        body = chance.choice(self.bodies)
        parameters = self._parameters(chance, body)
        letters = dict(zip("abc", parameters, strict=False))
        name = chance.choice(_PLAIN_NAMES) if chance.random() < 0.06 else chance.choice(self.names)
        lines = Template(body).substitute(letters).split("\n")
        return Function(
            name=name,
            parameters=tuple(parameters),
            docstring=self._docstring(chance, parameters),
            body="".join(f"    {line}\n" for line in lines),
            checks=tuple(self.checks),
        )

    def _parameters(self, chance: random.Random, body: str) -> list[str]:
        """Different names, none of which the body uses for something else."""
        taken = set(re.findall(r"(?<!\$)\b[a-z]\w*", body))
        chosen: list[str] = []
        for kind in self.kinds:
            free = [name for name in _NAMES[kind] if name not in taken and name not in chosen]
            chosen.append(chance.choice(free))
        if len(set(self.kinds)) < len(self.kinds) and chance.random() < 0.4:
            pairs = [names for names in (["a", "b", "c"], ["x", "y", "z"]) if not taken & {*names}]
            if pairs:
                chosen = chance.choice(pairs)[: len(chosen)]
        return chosen

    def _docstring(self, chance: random.Random, parameters: list[str]) -> str:
        template = _decided(self._sentence(chance), chance)
        words = {
            letter: _called(kind, name, letter == "a", chance)
            for letter, kind, name in zip("abc", self.kinds, parameters, strict=False)
        }
        text = Template(template).substitute(words)
        if text.startswith("Return ") and chance.random() < 0.2:
            text = f"{chance.choice(_RETURNS)} {text.removeprefix('Return ')}"
        return f"{with_capital(text).rstrip('.')}."

    def _sentence(self, chance: random.Random) -> str:
        choices = [(self.sentences, "?"), (self.questions, "~"), (self.counted, "#")]
        every = [(line, sign) for lines, sign in choices for line in lines]
        line, sign = chance.choice(every)
        if sign == "~":
            question = chance.choice(_QUESTIONS)
            ending = chance.choice(_OTHERWISE) if question.startswith("Return") else ""
            return f"{question} {line}{ending}"
        if sign == "#":
            return chance.choice(_COUNTS).format(line)
        return line


def small_functions() -> list[SmallFunction]:
    """All of them, in the order of the file."""
    text = _FILE.read_text(encoding="utf-8")
    return [_read(paragraph) for paragraph in text.strip().split("\n\n")[1:]]


def _read(paragraph: str) -> SmallFunction:
    head, *lines = paragraph.split("\n")
    names, _, kinds = head.partition(" : ")
    found = SmallFunction(names.split(), kinds.split())
    for sign, line in _signed(lines):
        match sign:
            case "?":
                found.sentences.append(line)
            case "~":
                found.questions.append(line)
            case "#":
                found.counted.append(line)
            case "=":
                found.bodies.append(line)
            case _:
                call, _, result = line.rpartition(" -> ")
                arguments = ast.literal_eval(f"({call},)")
                found.checks.append(Check(arguments, ast.literal_eval(result)))
    return found


def _signed(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Each sign with its whole text."""
    whole: list[str] = []
    for line in [*lines, "end"]:
        if line.startswith("  "):
            whole[-1] += f"\n{line[2:]}"
            continue
        yield from ((text[0], text[2:]) for text in whole)
        whole = [line]


def _decided(text: str, chance: random.Random) -> str:
    """One of each group of alternatives; blanks that are left over go."""
    found = _ALTERNATIVES.sub(lambda group: chance.choice(group[1].split("|")), text)
    return re.sub(r" +([,.])", r"\1", re.sub(r"  +", " ", found)).strip()


def _called(kind: str, name: str, is_first: bool, chance: random.Random) -> str:  # noqa: FBT001
    """How a docstring speaks of an argument."""
    share = chance.random()
    if share < (0.45 if is_first else 0.75):
        return name
    if share < (0.6 if is_first else 0.95):
        return f"{_TITLES[kind]} {name}"
    return chance.choice(_KINDS[kind])
