"""Prompts to tokens, and sampled tokens to the text that continues the prompt exactly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crucible_infra.errors import RequestRefused
from crucible_tasks.generation import Message, Prompt

#: tokens of the prompt that are decoded again with the sampled ones: some tokenizers drop a text's
#: first space, and indentation is the program
_CONTEXT = 4

#: tokens looked at for a stop word besides its bytes, each of which may be a token
_SLACK = 4


#: what a decoder writes for bytes that are no whole character
_BROKEN = "\ufffd"


class Tokens:
    """A tokenizer as sampling needs it."""

    def __init__(self, tokenizer: Any, ends: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        #: tokens that end a text
        self.ends = ends

    def encode(self, prompt: Prompt) -> list[int]:
        """The prompt's tokens. Raises RequestRefused for a chat with a model that has no chat."""
        if prompt.text is None:
            chat = self.chat(prompt.messages)
            return list(self._tokenizer(chat, add_special_tokens=False)["input_ids"])
        # a challenge that quotes <|endoftext|> holds thirteen characters, not the end of a text
        ids = list(self._tokenizer(prompt.text, split_special_tokens=True)["input_ids"])
        # some tokenizers end every text; this one goes on
        return ids[:-1] if len(ids) > 1 and ids[-1] in self.ends else ids

    def text(self, prompt: list[int], sampled: list[int]) -> str:
        """What the sampled tokens add to the prompt."""
        before = prompt[-_CONTEXT:]
        given, whole = self.text_of(before), self.text_of([*before, *sampled])
        return whole[len(given) :] if whole.startswith(given) else self.text_of(sampled)

    def has_stop(self, sampled: list[int], stop: tuple[str, ...]) -> bool:
        """Whether the newest token may have completed a stop word."""
        if not stop:
            return False
        longest = max(len(word.encode()) for word in stop)
        end = self.text_of(sampled[-longest - _SLACK :])
        return any(word in end for word in stop)

    def text_of(self, ids: list[int]) -> str:
        """The text of tokens, without special ones."""
        return str(
            self._tokenizer.decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def save(self, directory: Path) -> None:
        """Write the tokenizer's files."""
        self._tokenizer.save_pretrained(directory)

    @property
    def beginning(self) -> str:
        """The token that texts begin with, as chat templates write it."""
        return str(self._tokenizer.bos_token or "")

    def chat(self, turns: Sequence[Message]) -> str:
        """The turns as the model's own template has them, up to where it answers."""
        if self._tokenizer.chat_template is None:
            hint = "?style=base continues text; a chat template makes it chat"
            raise RequestRefused("these weights have no chat template", hint=hint)
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        try:
            chat = self._tokenizer.apply_chat_template(
                messages,
                add_generation_prompt=True,
                tokenize=False,
                # thoughts would eat the answer's tokens; templates that know none do not mind
                enable_thinking=False,
            )
        # the template is the model's own program, run in Jinja's sandbox: it may fail in any way
        except Exception as error:
            problem = " ".join(str(error).split())[:200]
            raise RequestRefused(f"the model's chat template failed: {problem}") from error
        return str(chat)


class Growing:
    """A text under way: what each new token adds to it."""

    def __init__(self, tokens: Tokens, prompt: list[int]) -> None:
        self._tokens = tokens
        self._ids = prompt[-_CONTEXT:]
        #: of what is decoded again with the new ones, and of what was told
        self._start, self._told = 0, len(self._ids)

    def add(self, token: int) -> str:
        """The new text; nothing while a character is not whole."""
        self._ids.append(token)
        return self.rest(_BROKEN)

    def rest(self, unfinished: str = "") -> str:
        """What was not told yet, unless it ends in something unfinished."""
        given = self._tokens.text_of(self._ids[self._start : self._told])
        whole = self._tokens.text_of(self._ids[self._start :])
        if unfinished and whole.endswith(unfinished):
            return ""
        self._start, self._told = self._told, len(self._ids)
        return whole[len(given) :]


def cut(text: str, stop: tuple[str, ...]) -> str | None:
    """The text before its first stop word; None when it has none."""
    ends = [end for word in stop if word and (end := text.find(word)) >= 0]
    return text[: min(ends)] if ends else None
