"""Read a string out of a pickle without running the pickle machine.

Loading a pickle can call anything its author wants. LiveCodeBench packs one JSON string that way,
and a string needs no call: the opcodes are walked, and any that is not about a string is refused.
"""

from __future__ import annotations

import pickletools
from io import BytesIO

from crucible_infra.errors import FormatError

_STRINGS = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"}
#: version, framing, references to the string, and the end
_HARMLESS = {"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"}


def pickled_text(content: bytes) -> str:
    """Return the only string of a pickle; raises FormatError when there is anything else in it."""
    texts: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(BytesIO(content)):
            if opcode.name in _STRINGS:
                texts.append(str(argument))
            elif opcode.name not in _HARMLESS:
                raise FormatError(f"a pickle may only hold text, and this one has {opcode.name}")
    # genops reports damage as any of these, depending on the opcode it meets
    except (ValueError, EOFError, IndexError, OverflowError, MemoryError) as error:
        raise FormatError(f"the pickle is damaged: {error}") from error
    if len(texts) != 1:
        raise FormatError(f"a pickle must hold one text, and this one has {len(texts)}")
    return texts[0]
