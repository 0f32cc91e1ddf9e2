"""Luck: whether judging a program again could find something else, by its text alone.

A program that draws random numbers or reads a clock may pass once and fail once. Its samples are
independent draws, also where their texts are equal, and pass@k counts draws: one lucky verdict,
copied to every equal text and to every later run, would make a flaky program look certain and its
run repeatable. So what luck may touch is judged anew for each sample, and never remembered.

Nothing can decide this for every program, so the gate lets by what it knows, as others here do:
Python that imports only modules which compute, and names nothing that leads around its imports;
JavaScript that is plain computation without clock and chance. It may always say no, which costs
time only. Strings and comments say nothing, but for f-strings. Hashes of strings are the same in
every prison; what is left is the order of sets of objects that hash by their address.
"""

from __future__ import annotations

import re

from crucible_tasks.challenge import Challenge, Language, OracleTests, RepositoryTests, ScriptTests
from crucible_workers.sandbox.javascript import gate

#: characters; more is data, which would take longer to read than to judge
_LONGEST = 1 << 16

#: modules whose answers depend on their arguments alone. Not numpy: its sums differ by processor
_COMPUTING = frozenset(
    "__future__ abc array base64 binascii bisect builtins cmath collections copy dataclasses "
    "decimal difflib enum fractions functools hashlib heapq itertools json math numbers operator "
    "re statistics string struct sys textwrap typing unicodedata zlib".split()
)

#: text to code, names to objects, addresses, files, and modules that somebody else imported
_WAYS_AROUND = frozenset(
    "__builtins__ __globals__ __import__ __loader__ __spec__ __subclasses__ breakpoint eval exec "
    "globals hash id locals modules open vars".split()
)

#: a string with its prefix, or a comment; one without an end is no reason to look again
_ASIDE = re.compile(
    r"(?:\b(?P<prefix>[A-Za-z]{1,2}))?"
    r'(?:"""(?:\\.|[^\\])*?(?:"""|\\?\Z)|'
    r"'''(?:\\.|[^\\])*?(?:'''|\\?\Z)|"
    r'"(?:\\.|[^"\\\n])*"?|'
    r"'(?:\\.|[^'\\\n])*'?)"
    r"|#[^\n]*",
    re.DOTALL,
)

_WORD = re.compile(r"[^\W\d]\w*")

#: a statement may begin a line or follow another one; a name in parentheses is not a module's
_IMPORT = re.compile(
    r"(?:^|[;:])[ \t]*(?:import[ \t]+(?P<many>[^\n;]+)|from[ \t]+(?P<one>\S+))", re.MULTILINE
)

#: in JavaScript's own globals, and in what tests may ask of Node
_CHANCE = re.compile(r"(?<![\w$])(?:Date|random|performance|hrtime|crypto|Intl)(?![\w$])")


def depends_on_luck(program: str, language: Language) -> bool:
    """Whether another judging of this program may find something else."""
    if len(program) > _LONGEST:
        return True
    if language is Language.JAVASCRIPT:
        return not gate.is_plain(program) or _CHANCE.search(program) is not None
    return _python_depends_on_luck(program)


def has_lucky_tests(challenge: Challenge) -> bool:
    """Whether these tests may ask something else the next time (HumanEval/38 draws its words)."""
    if isinstance(challenge.tests, RepositoryTests):
        # a whole repository, whose text is not here
        return True
    texts = [challenge.prompt] if challenge.prompt_is_code else []
    if isinstance(challenge.tests, ScriptTests):
        texts.append(challenge.tests.source)
    if isinstance(challenge.tests, OracleTests):
        # its inputs are data, and may be megabytes of it
        texts.append(challenge.tests.reference)
    if challenge.language is Language.JAVASCRIPT:
        return any(_CHANCE.search(text) for text in texts)
    return any(_python_depends_on_luck(text) for text in texts)


def _python_depends_on_luck(text: str) -> bool:
    bare = _ASIDE.sub(_without_aside, text).replace("\\\n", " ")
    if not _WAYS_AROUND.isdisjoint(_WORD.findall(bare)):
        return True
    return any(not _imported(found) <= _COMPUTING for found in _IMPORT.finditer(bare))


def _without_aside(found: re.Match[str]) -> str:
    # an f-string is code, too
    return found[0] if "f" in (found["prefix"] or "").lower() else " "


def _imported(found: re.Match[str]) -> set[str]:
    names = found["many"].split(",") if found["many"] else [found["one"]]
    return {name.split()[0].partition(".")[0] for name in names if name.strip()}
