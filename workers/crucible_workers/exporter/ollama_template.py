"""A chat template in Ollama's language, found by trying what the model's own one writes.

Ollama guesses the template of weights it knows and gives others none, which makes a good model
talk nonsense. Its language is Go's; the model's is a program in Jinja. What one turn looks like is
seen by rendering it, with marks where system text and question go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crucible_infra.errors import CrucibleError
from crucible_tasks.generation import Message

_SYSTEM, _USER = "\ue000system\ue000", "\ue000user\ue000"

#: continues text, as base models do
PLAIN = "{{ .Prompt }}"

#: what a template must not hold by itself: Go would read it
_GO = ("{{", "}}")

Render = Callable[[Sequence[Message]], str]


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """In Ollama's language, and whether it holds all that the model's own one does."""

    text: str
    note: str | None = None


def chat_template(render: Render, beginning: str) -> ChatTemplate | None:
    """What one turn looks like; None when that cannot be told.

    `beginning` is the token that every text begins with: the server adds it by itself.
    """
    asked = _rendered(render, [Message("user", _USER)], beginning)
    if asked is None or asked.count(_USER) != 1:
        return None
    before, _, after = asked.partition(_USER)
    told = _rendered(render, [Message("system", _SYSTEM), Message("user", _USER)], beginning)
    if told is None or told.count(_SYSTEM) != 1 or not told.endswith(_USER + after):
        note = "its chat template takes no system text"
        return ChatTemplate(f"{before}{PLAIN}{after}{{{{ .Response }}}}", note)
    first, _, rest = told.partition(_SYSTEM)
    middle = rest.partition(_USER)[0]
    opened = (
        f"{{{{ if .System }}}}{first}{{{{ .System }}}}{middle}{{{{ else }}}}{before}{{{{ end }}}}"
    )
    return ChatTemplate(f"{opened}{PLAIN}{after}{{{{ .Response }}}}")


def _rendered(render: Render, messages: Sequence[Message], beginning: str) -> str | None:
    try:
        text = render(messages).removeprefix(beginning)
    except CrucibleError:
        # many refuse a system text
        return None
    return None if any(mark in text for mark in _GO) else text
