"""Style: whether a model continues code or chats, decided in one place.

The first that says something decides:
1. the spec: `?style=base` or `?style=chat`;
2. the name: a part `base` (or a tag that ends in `code`, as in codellama:7b-code) without any of
   `instruct`, `chat`, `it` means base; one of those means chat;
3. the server: an Ollama model whose template adds nothing to the prompt and that names no
   renderer is base, any other is chat;
4. chat: what nearly every model behind an OpenAI-compatible server is.
"""

from __future__ import annotations

import re

BASE = "base"
CHAT = "chat"

_PARTS = re.compile(r"[-_:/.\s]+")
_CHAT_PARTS = {"instruct", "chat", "it"}

#: `{{- if .Suffix }} fill-in-the-middle {{- else }}` is about the prompt, not about a chat
_SUFFIX_BRANCH = re.compile(r"\{\{-?\s*if\s+\.Suffix\s*-?\}\}.*?\{\{-?\s*else\s*-?\}\}", re.DOTALL)
_ACTION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_RENDERER = re.compile(r"^RENDERER\s+\S", re.MULTILINE)


def of_spec_or_name(style: str | None, name: str) -> str | None:
    """What the spec or the name says; None when neither does."""
    if style is not None:
        return style
    parts = set(_PARTS.split(name.lower()))
    if parts & _CHAT_PARTS:
        return CHAT
    tag = name.lower().rpartition(":")[2] if ":" in name else ""
    if "base" in parts or tag == "code" or tag.endswith("-code"):
        return BASE
    return None


def of_ollama(template: str, modelfile: str) -> str:
    """What an Ollama model's template says."""
    is_rendered = _RENDERER.search(modelfile) is not None
    if is_rendered or ".Messages" in template:
        return CHAT
    without_suffix = _SUFFIX_BRANCH.sub("", template)
    return CHAT if _ACTION.sub("", without_suffix).strip() else BASE
