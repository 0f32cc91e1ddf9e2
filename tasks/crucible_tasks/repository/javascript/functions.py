"""Functions at the top level of JavaScript modules, found by their tokens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from crucible_infra.errors import FormatError
from crucible_tasks.repository.functions import Unfit
from crucible_tasks.repository.javascript.heads import head_of, imports_of
from crucible_tasks.repository.javascript.layout import modules
from crucible_tasks.repository.javascript.shapes import Shape, method_at, shape_at
from crucible_tasks.repository.javascript.tokens import Tokens, read
from crucible_tasks.repository.snapshot import Snapshot

INNER = "it lies in a function, a class or an object, not at the top level of a module"
TWICE = "its name is bound more than once in its module"
TRIVIAL = "its body does nothing"
CROWDED = "something else follows it in its statement"

_DECLARING = ("const", "let", "var")


@dataclass(frozen=True, slots=True)
class Function:
    """A function that a statement of a module declares or assigns."""

    #: of its file, in the repository
    path: str
    #: as an answer calls it
    name: str
    #: what it is assigned to, as `exports.f` or `module.exports`; its name where it is declared
    target: str
    #: of its statement, from 1
    first_line: int
    last_line: int
    #: the file's imports, the comment above it and the signature
    prompt: str
    #: what follows the prompt in the file
    body: str
    #: what ends it: a brace, and what follows that
    tail: str
    #: where the function itself begins and ends in the text of its file
    start: int
    end: int
    #: whether it may be called before its place is reached
    is_hoisted: bool
    uses_this: bool
    #: how many it has before the first that is optional
    parameters: int

    @property
    def qualified_name(self) -> str:
        """The name that tells it from others of its file."""
        short = self.target.removeprefix("module.").removeprefix("exports.")
        return self.name if short in ("exports", "") else short

    @property
    def body_text(self) -> str:
        """The body without its end."""
        return self.body.removesuffix(self.tail)

    @property
    def reference(self) -> str:
        """The original, as a whole program."""
        return self.prompt + self.body

    @property
    def empty(self) -> str:
        """A program that does nothing in its place."""
        return self.prompt + self.tail


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement that binds one function, by places of tokens."""

    first: int
    name: str
    target: str
    shape: Shape
    is_hoisted: bool


def find_functions(snapshot: Snapshot) -> tuple[list[Function], list[Unfit]]:
    """Every function of the modules that are no tests, in the order of the files."""
    functions: list[Function] = []
    unfit: list[Unfit] = []
    for path in modules(snapshot):
        try:
            found = list(functions_of(path, text_of(snapshot.files[path])))
        except (UnicodeDecodeError, FormatError, RecursionError):
            # perhaps another language that is compiled to this one
            continue
        functions += [each for each in found if isinstance(each, Function)]
        unfit += [each for each in found if isinstance(each, Unfit)]
    return functions, unfit


def text_of(content: bytes) -> str:
    """A file as Node reads it. Raises UnicodeDecodeError."""
    return content.decode("utf-8-sig")


def functions_of(path: str, text: str) -> Iterator[Function | Unfit]:
    """Those of one file. Raises FormatError."""
    tokens = read(text)
    statements = list(_statements(path, tokens))
    bound = Counter(each.target for each in statements)
    bound.update(_assigned(tokens))
    names = Counter(each.name for each in statements)
    for each in statements:
        if bound[each.target] > 1 or names[each.name] > 1:
            yield Unfit(path, each.name, TWICE)
        elif not each.shape.does_something:
            yield Unfit(path, each.name, TRIVIAL)
        elif not (each.shape.is_alone or each.is_hoisted):
            yield Unfit(path, each.name, CROWDED)
        else:
            yield _function(path, tokens, each)
    yield from (Unfit(path, name, INNER) for name in _inner_names(tokens))


def _statements(path: str, tokens: Tokens) -> Iterator[_Statement]:
    for place in tokens.outermost():
        if tokens.is_start(place):
            found = _statement(path, tokens, place)
            if found is not None:
                yield found


def _statement(path: str, tokens: Tokens, first: int) -> _Statement | None:
    place = first
    is_default = False
    if tokens.word(place) == "export":
        is_default = tokens.word(place + 1) == "default"
        place += 2 if is_default else 1
    if tokens.word(place) in _DECLARING and tokens.word(place + 2) == "=":
        name = target = tokens.word(place + 1)
        shape = shape_at(tokens, place + 3)
    elif (end := _path_end(tokens, place)) is not None and tokens.word(end) == "=":
        target = "".join(tokens.word(each) for each in range(place, end))
        shape = shape_at(tokens, end + 1)
        name = target.rpartition(".")[2]
        if name == "exports":
            name = (shape.name if shape else "") or _stem_name(path)
    else:
        shape = shape_at(tokens, place)
        if shape is None or (shape.is_arrow and not is_default):
            return None
        name = shape.name or _stem_name(path)
        if not shape.name and not is_default:
            return None
        hoisted = bool(shape.name)
        return _Statement(first, name, name if hoisted else "default", shape, hoisted)
    if shape is None or not re.fullmatch(r"[A-Za-z_$][\w$]*", name):
        return None
    return _Statement(first, name, target, shape, is_hoisted=False)


def _path_end(tokens: Tokens, place: int) -> int | None:
    """Behind `a.b.c`; None where something else stands."""
    if not tokens.is_name(place):
        return None
    place += 1
    while tokens.word(place) == "." and place + 1 < len(tokens.all):
        if tokens.all[place + 1].kind != "word":
            return None
        place += 2
    return place


def _stem_name(path: str) -> str:
    """What a file's only function may be called."""
    stem = PurePosixPath(path).name.split(".")[0]
    if stem == "index":
        stem = PurePosixPath(path).parent.name or "main"
    head, *rest = [part for part in re.split(r"[^A-Za-z0-9]+", stem) if part] or ["main"]
    name = head + "".join(part[:1].upper() + part[1:] for part in rest)
    return name if not name[0].isdigit() else f"_{name}"


def _assigned(tokens: Tokens) -> Iterator[str]:
    """Names that are given another value by a statement of their own."""
    for place in tokens.outermost():
        is_bound = tokens.is_start(place) and tokens.is_name(place)
        is_bound = is_bound and tokens.word(place + 1) == "="
        if is_bound and shape_at(tokens, place + 2) is None:
            yield tokens.word(place)


def _function(path: str, tokens: Tokens, found: _Statement) -> Function:
    shape, text = found.shape, tokens.text
    begin = tokens.all[found.first].start
    head = head_of(tokens, begin, shape)
    imports = imports_of(tokens, begin)
    inside = tokens.all[shape.first : shape.last + 1]
    end = inside[-1].end
    return Function(
        path=path,
        name=found.name,
        target=found.target,
        first_line=text.count("\n", 0, begin) + 1,
        last_line=text.count("\n", 0, end) + 1,
        prompt=f"// {path}\n{imports}\n{head.prompt}",
        body=head.body,
        tail=head.tail,
        start=inside[0].start,
        end=end,
        is_hoisted=found.is_hoisted,
        uses_this=any(token.text == "this" for token in inside),
        parameters=shape.parameters,
    )


def _inner_names(tokens: Tokens) -> Iterator[str]:
    """Functions in functions, and methods."""
    outermost = set(tokens.outermost())
    for place, token in enumerate(tokens.all):
        if place in outermost or token.kind != "word":
            continue
        before = tokens.word(place - 1)
        if before == "function":
            if tokens.word(place + 1) == "(":
                yield token.text
        elif before not in (".", "?.", "new") and method_at(tokens, place) is not None:
            yield token.text
