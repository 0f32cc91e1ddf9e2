"""Nano's tokenizer: the same tokens as the tokenizers library finds, whatever the text."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible_infra.errors import FormatError
from crucible_workers.nano import weights_directory
from crucible_workers.nano.tokenizer import read_tokenizer

FILE = weights_directory() / "tokenizer.json"
OURS = read_tokenizer(FILE)
END = "<|endoftext|>"

#: characters that decide where a word ends, and those that are long in UTF-8
MIXED = "ab'tsre'll 019_\n\t\r\x1c .():=\"+é߀ſ²½一٣𝒳🦉\u00a0\u2003\u200b\u0301"


def _code(chance: random.Random) -> str:
    words = ["def ", "return", "    ", "\n", "x", "sum", "(", ")", '"""', "numbers", " in ", "'s"]
    return "".join(chance.choice(words) for _ in range(chance.randint(0, 40)))


def _mixed(chance: random.Random) -> str:
    return "".join(chance.choice(MIXED) for _ in range(chance.randint(0, 40)))


def _anything(chance: random.Random) -> str:
    # what is assigned since an older Unicode is a letter to one library and nothing to the other
    codes = (chance.choice((chance.randint(0, 0x7F), chance.randint(0, 0x2FF))) for _ in range(30))
    return "".join(map(chr, codes))


def _special(chance: random.Random) -> str:
    return END.join(_code(chance) for _ in range(chance.randint(1, 3))) + chance.choice(("", END))


@pytest.mark.parametrize("kind", [_code, _mixed, _anything, _special])
def test_every_text_has_the_tokens_that_the_tokenizers_library_finds(
    kind: Callable[[random.Random], str],
) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.Tokenizer.from_file(str(FILE))
    chance = random.Random(kind.__name__)
    for text in (kind(chance) for _ in range(300)):
        tokens = OURS.encode(text)
        assert tokens == theirs.encode(text).ids, text
        assert OURS.decode(tokens) == theirs.decode(tokens), text


def test_a_text_begins_with_the_token_that_ends_texts_and_comes_back_without_it() -> None:
    text = 'def f(x):\n    """Überall 🦉."""\n'
    tokens = OURS.encode(text)
    assert tokens[0] == OURS.special[END] == 0
    assert OURS.decode(tokens) == text


def test_half_a_character_is_replaced() -> None:
    (owl,) = (OURS.encode("🦉")[1:],)
    assert OURS.decode(owl[:-1]) == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"model": {"type": "WordPiece"}}, "not a byte-level BPE"),
        ({"pre_tokenizer": {"type": "Metaspace"}}, "not a byte-level BPE"),
        ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{}]}}, "not a byte-level"),
        ({"model": {"type": "BPE", "vocab": {}}}, "not a tokenizer: KeyError"),
        ({"pre_tokenizer": None}, "not a tokenizer: TypeError"),
    ],
)
def test_another_tokenizer_is_refused(
    change: dict[str, object], problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(FILE.read_bytes()), **change}))
    with pytest.raises(FormatError, match=problem):
        read_tokenizer(path)
    with pytest.raises(FormatError, match="cannot be read"):
        read_tokenizer(tmp_path / "none.json")
