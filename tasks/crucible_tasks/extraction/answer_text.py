"""The answer inside a raw reply: no reasoning, terminal colours, odd line ends or end tokens."""

from __future__ import annotations

import re

#: 25 times the longest answer a 32k-token limit allows; what follows is a runaway loop
MAX_CHARACTERS = 1_000_000

#: how models mark reasoning, opening and closing
_REASONING = (
    *((f"<{name}>", f"</{name}>") for name in ("think", "thinking", "thought", "reasoning")),
    *((f"<{name}>", f"</{name}>") for name in ("reflection", "scratchpad", "seed:think")),
    ("[think]", "[/think]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
)
#: gpt-oss names its channels; the answer is what follows the last of these
_FINAL_CHANNEL = "<|channel|>final<|message|>"

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_END_TOKEN = re.compile(
    r"<\|(?:endoftext|endofmask|im_end|eot_id|end|return|file_separator)\|>"
    # DeepSeek writes fullwidth bars
    "|<\uff5cend\u2581of\u2581sentence\uff5c>"
    r"|<file_sep>|</s>(?=\s*\Z)"
)
#: a tag in quotes is code about tags, not a tag
_QUOTES = "\"'`"

#: characters to either side of an end token in which the quotes of its line are looked for
_LINE = 300


def answer(reply: str) -> str:
    """The reply without everything that is not its answer, at most MAX_CHARACTERS of it.

    Reasoning that was never closed is dropped to the end, and reasoning whose opening tag the
    chat template wrote (so that only the closing one is in the reply) from the start.
    """
    # what is dropped may be longer than what is kept
    text = plain_lines(_ANSI.sub("", reply[: 4 * MAX_CHARACTERS]))
    _, _, text = text.rpartition(_FINAL_CHANNEL)
    for opening, closing in _REASONING:
        text = _without_reasoning(text, opening, closing)
    return until_end_token(text)[:MAX_CHARACTERS]


def plain_lines(text: str) -> str:
    """The text with line feeds only, and no byte order mark."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def until_end_token(text: str) -> str:
    """The text up to the first token that servers should have kept for themselves.

    Inside a string on one line it is code about such tokens: nobody closes a quote after the end.
    """
    for match in _END_TOKEN.finditer(text):
        if not _is_in_string(text, match):
            return text[: match.start()]
    return text


def _without_reasoning(text: str, opening: str, closing: str) -> str:
    tags = re.compile(f"{re.escape(opening)}|{re.escape(closing)}", re.IGNORECASE)
    depth, end, kept = 0, 0, []
    for match in tags.finditer(text):
        if match.group().lower() == opening:
            if depth or _starts_line(text, match.start()):
                kept += [text[end : match.start()]] if not depth else []
                depth += 1
        elif depth:
            depth -= 1
            end = match.end()
        elif not _is_quoted(text, match):
            # its opening tag was part of the prompt
            kept, end = [], match.end()
    if not depth:
        kept.append(text[end:])
    return "".join(kept)


def _starts_line(text: str, position: int) -> bool:
    # bounded, so that a line of blanks and tags stays linear
    before = text[max(0, position - 20) : position].rstrip(" \t")
    return not before or before.endswith(("\n", ">", "]"))


def _is_in_string(text: str, match: re.Match[str]) -> bool:
    # bounded, so that a line of nothing but such tokens stays linear
    before = text[max(0, match.start() - _LINE) : match.start()].rpartition("\n")[2]
    after = text[match.end() : match.end() + _LINE].partition("\n")[0]
    return any(before.count(quote) % 2 and quote in after for quote in _QUOTES)


def _is_quoted(text: str, match: re.Match[str]) -> bool:
    around = text[max(0, match.start() - 1) : match.start()] + text[match.end() : match.end() + 1]
    return any(quote in around for quote in _QUOTES)
