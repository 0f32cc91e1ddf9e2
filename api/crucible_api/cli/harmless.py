"""Text of a model, made harmless for a terminal: it may hold anything."""

from __future__ import annotations

#: what stands for a character that can only be meant to deceive
_REPLACEMENT = "\ufffd"

#: controls get their pictures, so that an escape sequence is seen and does nothing
_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n\r"}

#: the second set of controls, and what reverses or hides the order of text (CVE-2021-42574)
_DECEITFUL = (
    *range(0x80, 0xA0),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    *(0x200E, 0x200F, 0x2028, 0x2029),
)

# a carriage return could write over what was shown
_TABLE = {**_PICTURES, 0x7F: "\u2421", ord("\r"): None, **dict.fromkeys(_DECEITFUL, _REPLACEMENT)}

#: of JSON, which escapes the first set of controls itself
_ESCAPES = {code: f"\\u{code:04x}" for code in (0x7F, *_DECEITFUL)}


def harmless(text: str) -> str:
    """The text without anything that a terminal would obey."""
    return text.translate(_TABLE)


def harmless_json(document: str) -> str:
    """The same JSON document, with escapes for what a terminal would obey."""
    return document.translate(_ESCAPES)
