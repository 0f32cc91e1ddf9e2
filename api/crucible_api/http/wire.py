"""The wire: our dataclasses as JSON and back; pages of them, and problem documents.

JSON has no NaN: a number that is not known is null, and null is NaN again where a number belongs.
Everything beyond ASCII travels as escapes, because a model's raw text may hold half a surrogate
pair, which UTF-8 cannot say, and must arrive unchanged.

Both ends use this module, so it imports neither the server nor a client.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import inspect

from crucible_infra.errors import CrucibleError

Item = TypeVar("Item")
Value = TypeVar("Value")

#: the media type of a problem document
PROBLEM = "application/problem+json"

_URN = "urn:codecrucible:"


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A part of a list."""

    items: tuple[Item, ...]
    #: what to ask for with `after`; None at the end
    next: str | None


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem document (RFC 9457)."""

    #: `urn:codecrucible:` and the error's name, or `about:blank` where the status says it all
    type: str
    title: str
    status: int
    detail: str
    #: what to do next
    hint: str | None = None


def encode(value: object) -> bytes:
    """A value of ours as JSON in ASCII."""
    plain = msgspec.to_builtins(value)
    try:
        return _dumps(plain)
    except ValueError:
        return _dumps(_finite(plain))


def decode(data: bytes, kind: type[Value]) -> Value:
    """The value of this kind that the JSON says; fields this version does not know are left out.

    Raises ValueError for anything else.
    """
    try:
        plain = json.loads(data)
        return msgspec.convert(_restore_of(cast("Hashable", kind))(plain), kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error


def problem_of(error: CrucibleError, status: int) -> Problem:
    """The document of an error."""
    name = _kebab(type(error).__name__)
    # the one word of ours with a hyphen
    title = name.replace("-", " ").replace("fine tune", "fine-tune").capitalize()
    return Problem(f"{_URN}{name}", title, status, error.message, error.hint)


def error_of(problem: Problem) -> CrucibleError:
    """The error that a document stands for; CrucibleError for one this version does not know."""
    name = problem.type.removeprefix(_URN)
    kinds = {_kebab(kind.__name__): kind for kind in _tree(CrucibleError)}
    return kinds.get(name, CrucibleError)(problem.detail, hint=problem.hint)


def _dumps(plain: object) -> bytes:
    return json.dumps(plain, allow_nan=False, separators=(",", ":")).encode("ascii")


def _finite(plain: object) -> object:
    if isinstance(plain, float):
        return plain if math.isfinite(plain) else None
    if isinstance(plain, dict):
        return {name: _finite(one) for name, one in plain.items()}
    if isinstance(plain, list | tuple):
        return [_finite(one) for one in plain]
    return plain


@cache
def _restore_of(kind: Hashable) -> Callable[[Any], Any]:
    """What puts NaN where a value of this kind has null for a number."""
    return _restorer(inspect.type_info(kind))


def _restorer(kind: inspect.Type) -> Callable[[Any], Any]:
    match kind:
        case inspect.FloatType():
            return lambda found: math.nan if found is None else found
        case inspect.VarTupleType() | inspect.ListType():
            restore = _restorer(kind.item_type)
            return lambda found: [restore(one) for one in found] if _is_list(found) else found
        case inspect.UnionType(types=types):
            # null is a value of its own there
            [*several] = (one for one in types if not isinstance(one, inspect.NoneType))
            restore = _restorer(several[0]) if len(several) == 1 else _same
            return lambda found: None if found is None else restore(found)
        case inspect.DataclassType(fields=fields):
            return _of_fields({one.encode_name: _restorer(one.type) for one in fields})
        case _:
            return _same


def _of_fields(restorers: dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def restore(found: Any) -> Any:
        if not isinstance(found, dict):
            return found
        return {name: restorers.get(name, _same)(one) for name, one in found.items()}

    return restore


def _is_list(found: object) -> bool:
    return isinstance(found, list)


def _same(found: Any) -> Any:
    return found


def _tree(kind: type[CrucibleError]) -> list[type[CrucibleError]]:
    return [kind, *(one for child in kind.__subclasses__() for one in _tree(child))]


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
