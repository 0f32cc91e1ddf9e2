"""What a driver asks of a candidate, as it crosses the channel.

`marshal` carries the same values as JSON in half the time. Only the trusted side writes it: nothing
that a candidate says is ever read with it.
"""

from __future__ import annotations

import marshal
from collections.abc import Sequence
from typing import Any

#: writes no references, so that equal values have equal bytes
MARSHAL_VERSION = 2
#: marks a request that the test has not made yet
AHEAD = b"~"
#: goes on with what was asked ahead of an exception
GO = b"go"
#: the tests have seen enough of this program
OVER = b"over"
#: a child's first word on an order, before the program runs: it may get another one after this
PLAIN = b'["plain"]'
#: … this program ends with its child
OWN = b'["own"]'
#: … it has run others, so this program must have another child
DECLINED = b'["declined"]'
#: after `OVER`, with the CPU seconds and whether the next program would miss what this one used
WHOLE = "whole"


def order_of(style: str, source: str, **details: Any) -> bytes:
    """What a child is told about its program: `split`, `shared` or `script`."""
    order = {"style": style, "source": source, "names": [], "classes": [], **details}
    return marshal.dumps(order, MARSHAL_VERSION)


def request_of(
    verb: str, number: int, details: Sequence[str], positional: list[Any], pairs: list[Any]
) -> bytes:
    """One request: what to do with which object, details of it, encoded arguments."""
    raw = marshal.dumps([positional, pairs], MARSHAL_VERSION)
    return marshal.dumps((verb, number, tuple(details), raw), MARSHAL_VERSION)
