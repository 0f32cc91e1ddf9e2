"""Every format that can be read, and the one a row has."""

from __future__ import annotations

from collections.abc import Collection

from crucible_tasks.challenges.evalplus import HUMANEVAL_PLUS, MBPP_PLUS
from crucible_tasks.challenges.format import Format
from crucible_tasks.challenges.humaneval import HUMANEVAL
from crucible_tasks.challenges.humaneval_x import HUMANEVAL_PACK, HUMANEVAL_X
from crucible_tasks.challenges.livecodebench import LIVECODEBENCH
from crucible_tasks.challenges.mbpp import MBPP, ORIGIN_MBPP_PLUS, SANITIZED_MBPP
from crucible_tasks.challenges.multipl_e import MULTIPL_E
from crucible_tasks.challenges.own import OWN

#: a format stands before those whose required fields are a subset of its own
FORMATS = (
    OWN,
    HUMANEVAL_PLUS,
    MBPP_PLUS,
    HUMANEVAL_PACK,
    HUMANEVAL_X,
    HUMANEVAL,
    ORIGIN_MBPP_PLUS,
    SANITIZED_MBPP,
    MBPP,
    MULTIPL_E,
    LIVECODEBENCH,
)

#: how many fields a row may lack and still be called a damaged row of some format
_MISSING_AT_MOST = 2


def detect(fields: Collection[str]) -> Format | None:
    """Return the first format whose required fields are all there."""
    return next((item for item in FORMATS if item.required.issubset(fields)), None)


def explain(fields: Collection[str]) -> str:
    """Say what is wrong with a row that has no known format."""
    missing = {item.name: item.required.difference(fields) for item in FORMATS}
    fewest = min(map(len, missing.values()))
    if fewest > _MISSING_AT_MOST:
        return f"no known format has the fields {quoted(fields) or '(none)'}"
    nearest = [
        f"{quoted(lacking)} to be a {name} row"
        for name, lacking in missing.items()
        if len(lacking) == fewest
    ]
    return f"lacks {' or '.join(nearest)}"


def known_fields() -> str:
    """List every format with the fields its rows must have, on one line."""
    return "; ".join(f"{item.name}: {', '.join(sorted(item.required))}" for item in FORMATS)


def quoted(names: Collection[str]) -> str:
    """Write field names the way error messages show them."""
    return ", ".join(f"`{name}`" for name in sorted(names))
