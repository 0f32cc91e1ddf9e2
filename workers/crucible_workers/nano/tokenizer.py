"""Byte-level BPE as Qwen2 has it, read from a `tokenizer.json`: text to tokens and back."""

from __future__ import annotations

import itertools
import json
import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from crucible_infra.errors import FormatError

#: words whose tokens are remembered; code repeats itself
_REMEMBERED = 10_000

#: what \s is to the tokenizers' own engine; Python's counts the separators of ASCII too
_BLANK = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

#: Qwen2's rule for cutting a text into words, before bytes are merged within each
_RULE = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
#: the same for Python, which has no classes of characters by Unicode's categories
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n{letters}{numbers}]?[{letters}]+|[{numbers}]"
    r"| ?[^{blank}{letters}{numbers}]+[\r\n]*"
    r"|[{blank}]*[\r\n]+|[{blank}]+(?![^{blank}])|[{blank}]+"
)


class Tokenizer:
    """Encodes and decodes."""

    def __init__(self, ids: dict[str, int], merges: Sequence[tuple[str, str]]) -> None:
        self._ids = ids
        self._texts = {number: text for text, number in ids.items()}
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._tokens_of = lru_cache(_REMEMBERED)(self._merged)
        #: whole tokens that a text may spell out, like the one that ends it
        self.special: dict[str, int] = {}
        #: what every encoded text begins with
        self.start: tuple[int, ...] = ()

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, those that every text begins with first."""
        tokens = list(self.start)
        for part in self._parts(text):
            if part in self.special:
                tokens.append(self.special[part])
                continue
            pattern = _ascii_words() if part.isascii() else _all_words()
            for word in pattern.findall(part):
                tokens += self._tokens_of(word)
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without special ones; broken UTF-8 is replaced."""
        hidden = set(self.special.values())
        spelt = "".join(self._texts[token] for token in tokens if token not in hidden)
        values = _values()
        return bytes(values[sign] for sign in spelt).decode(errors="replace")

    def _parts(self, text: str) -> list[str]:
        if not self.special:
            return [text]
        names = "|".join(map(re.escape, sorted(self.special, key=len, reverse=True)))
        return re.split(f"({names})", text)

    def _merged(self, word: str) -> tuple[int, ...]:
        """Merge the pair that was learned first, all over the word, until there is none."""
        signs = _signs()
        pieces = [signs[byte] for byte in word.encode(errors="replace")]
        while len(pieces) > 1:
            pairs = set(itertools.pairwise(pieces))
            best = min(pairs, key=lambda pair: self._ranks.get(pair, sys.maxsize))
            if best not in self._ranks:
                break
            pieces = list(_joined(pieces, best))
        return tuple(self._ids[piece] for piece in pieces)


def read_tokenizer(path: Path) -> Tokenizer:
    """Read a byte-level BPE; raises FormatError for any other tokenizer."""
    try:
        content = json.loads(path.read_bytes())
        model = content["model"]
        if model["type"] != "BPE" or not _cuts_by_our_rule(content["pre_tokenizer"]):
            raise FormatError.at(path, None, "not a byte-level BPE as Qwen2 has it")
        found = Tokenizer(model["vocab"], [_pair(merge) for merge in model["merges"]])
        found.special = {token["content"]: token["id"] for token in content["added_tokens"]}
        found.start = _start(content["post_processor"])
    except OSError as error:
        raise FormatError.at(path, None, f"cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError.at(path, None, f"not a tokenizer: {error!r}") from error
    return found


def _cuts_by_our_rule(words: dict[str, Any]) -> bool:
    if words["type"] != "Sequence" or len(words["pretokenizers"]) != 2:
        return False
    split, spelling = words["pretokenizers"]
    is_split = split["type"] == "Split" and split["behavior"] == "Isolated" and not split["invert"]
    is_spelt = spelling["type"] == "ByteLevel" and not spelling["add_prefix_space"]
    return is_split and is_spelt and split["pattern"].get("Regex") == _RULE


def _pair(merge: str | list[str]) -> tuple[str, str]:
    # older files have the pair in one text
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return first, second


def _start(processor: dict[str, Any] | None) -> tuple[int, ...]:
    if processor is None or processor["type"] != "TemplateProcessing":
        return ()
    known = processor["special_tokens"]
    names = [part["SpecialToken"]["id"] for part in processor["single"] if "SpecialToken" in part]
    return tuple(number for name in names for number in known[name]["ids"])


def _joined(pieces: list[str], pair: tuple[str, str]) -> Iterator[str]:
    place = 0
    while place < len(pieces):
        if tuple(pieces[place : place + 2]) == pair:
            yield "".join(pair)
            place += 2
        else:
            yield pieces[place]
            place += 1


@cache
def _signs() -> dict[int, str]:
    """A printable character for every byte, as GPT-2 writes them."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {
        byte: chr(0x100 + place) for place, byte in enumerate(others)
    }


@cache
def _values() -> dict[str, int]:
    return {sign: byte for byte, sign in _signs().items()}


@cache
def _ascii_words() -> re.Pattern[str]:
    return re.compile(_WORDS.format(letters="A-Za-z", numbers="0-9", blank=_BLANK))


@cache
def _all_words() -> re.Pattern[str]:
    """The same for every script; looking at all of Unicode takes a third of a second."""
    kinds = [unicodedata.category(chr(code))[0] for code in range(sys.maxunicode + 1)]
    letters, numbers = _ranges(kinds, "L"), _ranges(kinds, "N")
    return re.compile(_WORDS.format(letters=letters, numbers=numbers, blank=_BLANK))


def _ranges(kinds: list[str], kind: str) -> str:
    """The characters of a kind, as the inside of a character class."""
    found: list[str] = []
    start = None
    for code, each in enumerate([*kinds, ""]):
        if each == kind and start is None:
            start = code
        elif each != kind and start is not None:
            found.append(f"\\U{start:08x}-\\U{code - 1:08x}")
            start = None
    return "".join(found)
