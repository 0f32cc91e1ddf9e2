"""A task's arguments as people read them in Flower and logs: short, and without secrets.

Celery would write the first 1024 characters of a message's repr into its header, which is mostly
the beginning of some completion, and sends it again with every event of the task.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible_infra.log import redact
from crucible_tasks.tickets import attempt_of

#: characters of one text; a run's id, a challenge's and most model specs fit
LONGEST_TEXT = 80

#: numbers of a list that are shown; a batch of a live model has 8
MOST_NUMBERS = 8

#: what a text is cut with
_CUT = "…"


def arguments(message: Mapping[str, Any]) -> str:
    """Every field of a message: texts shortened, lists of other than numbers only counted."""
    told = {name: value for name, value in message.items() if value is not None}
    if isinstance(ticket := told.get("attempt"), int):
        # people want the number, and a ticket is nobody's but the worker's
        told["attempt"] = attempt_of(ticket)
    return ", ".join(f"{name}={_value(value)}" for name, value in told.items())


def _value(value: object) -> str:
    if isinstance(value, str):
        # a model spec may hold a URL, and a URL a password; looking is too dear for every text
        text = redact(value) if "://" in value else value
        short = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + _CUT
        # one line, whatever it holds
        return short if short.isprintable() else repr(short)
    if isinstance(value, Mapping):
        return f"{{{', '.join(str(name) for name in value)}}}"
    if isinstance(value, list | tuple):
        return _sequence(value)
    return str(value)


def _sequence(values: list[Any] | tuple[Any, ...]) -> str:
    if not all(isinstance(value, int) for value in values):
        return f"[{len(values)}]"
    first = ", ".join(str(value) for value in values[:MOST_NUMBERS])
    return f"[{first}]" if len(values) <= MOST_NUMBERS else f"[{first}, {_CUT} {len(values)}]"
