"""Text to token ids, as one tokenizer really does it: no text ever becomes a control token."""

from __future__ import annotations

from typing import Any

from crucible_tasks.fim import FimTokens, find_tokens

#: no tokenizer merges it with a letter
_MARK = "☺"


class Tokens:
    """A tokenizer, as training needs it."""

    def __init__(self, tokenizer: Any, rows: int) -> None:
        self._tokenizer = tokenizer
        self.end: int | None = tokenizer.eos_token_id
        self.fim: FimTokens | None = find_tokens(tokenizer.get_vocab(), rows)
        plain = list(tokenizer("a")["input_ids"])
        has_beginning = tokenizer.bos_token_id is not None and plain[:1] == [tokenizer.bos_token_id]
        #: what the tokenizer puts before every text
        self.beginning: list[int] = [tokenizer.bos_token_id] if has_beginning else []
        self._mark = self.encode(_MARK)
        self._adds_space = self.encode("a") != self._after_mark("a")

    @property
    def padding(self) -> int:
        """A token that no loss looks at."""
        for token in (self._tokenizer.pad_token_id, self.end):
            if token is not None:
                return int(token)
        return 0

    def encode(self, text: str) -> list[int]:
        """The ids of a text that begins a document."""
        return self.encode_all([text])[0]

    def encode_inside(self, text: str) -> list[int]:
        """The ids of a text that goes on in a document: SentencePiece adds a space to others."""
        return self._after_mark(text) if self._adds_space else self.encode(text)

    def encode_all(self, texts: list[str]) -> list[list[int]]:
        """The ids of many texts at once."""
        # a file that quotes <|endoftext|> holds thirteen characters, not the end of a text
        found = self._tokenizer(texts, add_special_tokens=False, split_special_tokens=True)
        return [list(ids) for ids in found["input_ids"]]

    def ask(self, instruction: str) -> list[int]:
        """What stands before the answer to an instruction."""
        if self._tokenizer.chat_template is not None:
            message = [{"role": "user", "content": instruction}]
            ids = self._tokenizer.apply_chat_template(
                message, add_generation_prompt=True, tokenize=True, return_dict=False
            )
            return list(ids)
        return [*self.beginning, *self.encode(instruction.rstrip("\n") + "\n")]

    def _after_mark(self, text: str) -> list[int]:
        ids = self.encode(_MARK + text)
        return ids[len(self._mark) :] if ids[: len(self._mark)] == self._mark else self.encode(text)
