"""A tokenizer.json as GGUF has it: byte-level BPE, or SentencePiece's BPE with bytes as last way.

llama.cpp cuts text into words by rules it knows by name, so a rule without a name is refused: the
same weights with other tokens say nonsense, and nothing would tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import msgspec
from tokenizers import Tokenizer

from crucible_infra.errors import InvalidInput
from crucible_workers.weight_files import read_json

#: GPT-4's rule as Llama 3 and Qwen 2 have it: they differ in how many digits go together
_MODERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_PATTERNS = {
    _MODERN.replace("DIGITS", r"\p{N}"): "qwen2",
    _MODERN.replace("DIGITS", r"\p{N}{1,3}"): "llama-bpe",
    r"\s?\p{L}+": "deepseek-coder",
}

#: a byte of SentencePiece's: <0x0A>
_BYTE_LENGTH = 6

#: of pieces that no merge makes: below every merge
_LOWEST = -1e6


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Every token with its kind, and what goes with them."""

    #: GGUF's word for the kind of tokenizer
    kind: str
    #: GGUF's word for the rule that cuts words; None where there is none
    words: str | None
    tokens: list[str]
    types: list[int]
    #: of SentencePiece only
    scores: list[float] | None
    merges: list[str] | None
    adds_beginning: bool
    adds_space: bool


def read_vocabulary(directory: Path, rows: int) -> Vocabulary:
    """The vocabulary of a model whose embedding has so many rows.

    Raises InvalidInput for a tokenizer that GGUF cannot hold.
    """
    content = read_json(directory / "tokenizer.json")
    model = content["model"]
    if model.get("type") != "BPE":
        raise InvalidInput(f"a tokenizer of the kind {model.get('type')} is not exported as GGUF")
    is_bytes = not model.get("byte_fallback")
    tokens, types = _tokens(content, rows, is_bytes=is_bytes)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    return Vocabulary(
        kind="gpt2" if is_bytes else "llama",
        words=_words(content) if is_bytes else None,
        tokens=tokens,
        types=types,
        scores=None if is_bytes else _scores(tokens, model["merges"]),
        merges=merges if is_bytes else None,
        adds_beginning=_adds_beginning(content),
        adds_space=not is_bytes and _adds_space(content),
    )


def write_vocabulary(
    writer: gguf.GGUFWriter, found: Vocabulary, directory: Path, config: dict[str, Any]
) -> None:
    """Write the vocabulary, the special tokens and the chat template."""
    writer.add_tokenizer_model(found.kind)
    writer.add_tokenizer_pre(found.words or "default")
    writer.add_token_list(found.tokens)
    writer.add_token_types(found.types)
    if found.scores is not None:
        writer.add_token_scores(found.scores)
        writer.add_add_space_prefix(found.adds_space)
    if found.merges is not None:
        writer.add_token_merges(found.merges)
    writer.add_add_bos_token(found.adds_beginning)
    writer.add_add_eos_token(False)
    for name, add in (("bos", writer.add_bos_token_id), ("eos", writer.add_eos_token_id)):
        number = _special(directory, config, found.tokens, name)
        if number is not None:
            add(number)
    template = directory / "chat_template.jinja"
    if template.is_file():
        writer.add_chat_template(template.read_text("utf-8"))


def _tokens(content: dict[str, Any], rows: int, *, is_bytes: bool) -> tuple[list[str], list[int]]:
    known = {number: text for text, number in content["model"]["vocab"].items()}
    added = {token["id"]: token for token in content.get("added_tokens", ())}
    highest = max([*known, *added])
    if highest >= rows:
        raise InvalidInput(f"the tokenizer has token {highest}, the model {rows} rows")
    tokens, types = [], []
    for number in range(rows):
        if number in added:
            text = added[number]["content"]
            is_control = added[number]["special"]
            kind = gguf.TokenType.CONTROL if is_control else gguf.TokenType.USER_DEFINED
            kind = gguf.TokenType.UNKNOWN if text == content["model"].get("unk_token") else kind
        elif number in known:
            text = known[number]
            is_byte = not is_bytes and len(text) == _BYTE_LENGTH and text.startswith("<0x")
            kind = gguf.TokenType.BYTE if is_byte else gguf.TokenType.NORMAL
        else:
            # embeddings are often larger than the vocabulary
            text, kind = f"[PAD{number}]", gguf.TokenType.UNUSED
        tokens.append(text)
        types.append(int(kind))
    return tokens, types


def _scores(tokens: list[str], merges: list[Any]) -> list[float]:
    """SentencePiece merges the best score first, which is the order merges are listed in."""
    ranks: dict[str, float] = {}
    for rank, merge in enumerate(merges):
        pair = merge.split(" ") if isinstance(merge, str) else merge
        ranks.setdefault("".join(pair), -float(rank))
    return [ranks.get(token, _LOWEST) for token in tokens]


def _words(content: dict[str, Any]) -> str:
    steps = _steps(content.get("pre_tokenizer"))
    has_digits = any(step["type"] == "Digits" for step in steps)
    for step in steps:
        pattern = (step.get("pattern") or {}).get("Regex")
        if step["type"] == "Split" and pattern in _PATTERNS:
            return _PATTERNS[pattern]
    levels = [step for step in steps if step["type"] == "ByteLevel"]
    others = {step["type"] for step in steps} - {"ByteLevel", "Digits"}
    if levels and levels[0].get("use_regex", True) and not others:
        return "starcoder" if has_digits else "gpt-2"
    hint = "export safetensors and use llama.cpp's convert_hf_to_gguf.py"
    raise InvalidInput("the tokenizer cuts words in a way that is not exported as GGUF", hint=hint)


def _steps(step: dict[str, Any] | None) -> list[dict[str, Any]]:
    if step is None:
        return []
    if step["type"] == "Sequence":
        return [each for inner in step["pretokenizers"] for each in _steps(inner)]
    return [step]


def _adds_beginning(content: dict[str, Any]) -> bool:
    """Whether texts begin with a special token, seen by trying."""
    tokenizer = Tokenizer.from_str(msgspec.json.encode(content).decode())
    return len(tokenizer.encode("a").ids) > len(tokenizer.encode("a", add_special_tokens=False).ids)


def _adds_space(content: dict[str, Any]) -> bool:
    steps = (content.get("normalizer") or {}).get("normalizers", [content.get("normalizer") or {}])
    if any(step.get("type") == "Prepend" for step in steps):
        return True
    words = content.get("pre_tokenizer") or {}
    return words.get("prepend_scheme") in ("first", "always")


def _special(directory: Path, config: dict[str, Any], tokens: list[str], name: str) -> int | None:
    path = directory / "tokenizer_config.json"
    said = read_json(path).get(f"{name}_token") if path.is_file() else None
    text = said.get("content") if isinstance(said, dict) else said
    if text in tokens:
        return tokens.index(text)
    number = config.get(f"{name}_token_id")
    number = number[0] if isinstance(number, list) and number else number
    return number if isinstance(number, int) and number < len(tokens) else None
