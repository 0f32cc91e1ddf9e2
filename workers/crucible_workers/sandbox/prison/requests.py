"""What a driver asks of a candidate, and the answers it knows without reading them.

`marshal` carries the same values as JSON in half the time. Only the trusted side writes it: nothing
that a candidate says is ever read with it.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Sequence
from typing import Any

#: writes no references, so that equal values have equal bytes
MARSHAL_VERSION = 2
#: a longer answer to `try` is named by its digest first
_LONGEST_ANSWER_BYTES = 4096
#: marks a request that the test has not made yet
AHEAD = b"~"
#: goes on with what was asked ahead of an exception
GO = b"go"
#: wants the value whose digest came
TELL = b"tell"
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


def digest_of(body: Any) -> str | None:
    """What names a long answer; None for one that is sent at once.

    Writing a number as text takes twenty times what marshalling and hashing it takes, and most
    answers are only compared. A digest says nothing to who does not know the value.
    """
    raw = marshal.dumps(body, MARSHAL_VERSION)
    return hashlib.blake2b(raw).hexdigest() if len(raw) > _LONGEST_ANSWER_BYTES else None
