"""Which JavaScript programs are plain computation, by their text alone.

A plain program names nothing but the language: no Node, no globals by name, no way from text to
code, no way to objects that outlive a realm. It may share a process with others of its kind, each
in a realm of its own; what is not plain gets a process for itself, and loses nothing but time. So
the gate may always say no, and errs on that side: words count inside strings, too.
"""

from __future__ import annotations

import re

_WORDS = (
    # modules and Node
    "require import export process global globalThis Buffer __filename __dirname "
    # from text to code, and to the functions that do it
    "eval Function constructor __proto__ "
    # at what other code does, and at the stack
    "Proxy Reflect prepareStackTrace captureStackTrace stackTraceLimit caller callee "
    "__defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__ "
    # code that runs later, when another program is judged
    "setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate queueMicrotask "
    "FinalizationRegistry WeakRef "
    # shared by all realms of a process
    "WebAssembly SharedArrayBuffer Atomics "
    # what Node adds to the language's own globals, which a bare realm lacks
    "AbortController AbortSignal Blob BroadcastChannel ByteLengthQueuingStrategy "
    "CompressionStream CountQueuingStrategy Crypto CryptoKey CustomEvent DecompressionStream "
    "DOMException Event EventSource EventTarget File FormData Headers MessageChannel MessageEvent "
    "MessagePort Navigator Performance PerformanceEntry PerformanceMark PerformanceMeasure "
    "PerformanceObserver ReadableStream Request Response Storage SubtleCrypto TextDecoder "
    "TextEncoder TransformStream URL URLPattern URLSearchParams WebSocket WritableStream atob btoa "
    "crypto fetch localStorage navigator performance sessionStorage structuredClone"
).split()
#: `constructor(` begins the constructor of a class, unless a dot stands before it
_CONSTRUCTOR = re.compile(r"(?<![.\w$?\]])(?<!\.\s)constructor(?=\s*\()")
_SUSPICIOUS = re.compile(rf"(?<![\w$])(?:{'|'.join(_WORDS)})(?![\w$])|\\u")
#: the one word that leads out of a realm by itself, so it is not even passed over in comments
_WAY_OUT = re.compile(r"(?<![\w$])import(?![\w$])")
#: a name that only a whole Node knows
_FOREIGN_NAME = re.compile(rf"ReferenceError: (?:{'|'.join(_WORDS)}) is not defined")
_REFUSED = re.compile(r"EvalError|prepareStackTrace")

#: one token, or what decides how the next slash is read
_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<comment>//[^\n\r\u2028\u2029]*|/\*.*?\*/)"
    r"|(?P<text>'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|`(?:[^`\\$]|\\.|\$(?!\{))*`)"
    r"|(?P<word>[\w$]+)"
    r"|(?P<end>\+\+|--|[)\]}])"
    r"|(?P<sign>[-+*%=<>!&|^~?:,;.(\[{@#])",
    re.DOTALL,
)
#: a slash behind one of these words begins a regular expression
_BEFORE_OPERANDS = frozenset(
    "return typeof case in delete void throw new else do instanceof".split()
)
#: and behind one of these it may, or these are names
_EITHER = frozenset("of await yield".split())
_REGULAR_EXPRESSION = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")


def is_plain(source: str) -> bool:
    """Whether a program may share a process."""
    if _SUSPICIOUS.search(_CONSTRUCTOR.sub("", source)) is None:
        return True
    if _WAY_OUT.search(source):
        return False
    # comments are prose: a word in them means nothing
    bare = _without_comments(source)
    return bare is not None and _SUSPICIOUS.search(_CONSTRUCTOR.sub("", bare)) is None


def needs_node(detail: str) -> bool:
    """Whether a verdict's detail tells of something that only a whole Node has."""
    return bool(_FOREIGN_NAME.search(detail) or _REFUSED.search(detail))


def _without_comments(source: str) -> str | None:
    """The program without its comments; None where a slash or a template may be either."""
    if "<!--" in source or "-->" in source or source.startswith("#!"):
        return None
    parts: list[str] = []
    position, before = 0, ""
    while position < len(source):
        token = _TOKEN.match(source, position)
        if token is None and source[position] == "/" and before in ("sign", "keyword", ""):
            token = _REGULAR_EXPRESSION.match(source, position)
        if token is None and source[position] == "/" and before == "operand":
            parts.append("/")
            position, before = position + 1, "sign"
            continue
        if token is None:
            return None
        kind = token.lastgroup or "operand"
        parts.append(" " if kind == "comment" else token[0])
        position = token.end()
        if kind not in ("space", "comment"):
            before = _as_context(kind, token[0], is_property=before == "dot")
    return "".join(parts)


def _as_context(kind: str, text: str, *, is_property: bool) -> str:
    """How a slash behind this token is read; "end" leaves it open."""
    if kind == "word" and (text in _EITHER or (is_property and text in _BEFORE_OPERANDS)):
        return "end"
    if kind == "word":
        return "keyword" if text in _BEFORE_OPERANDS else "operand"
    if text == ".":
        return "dot"
    return kind if kind in ("sign", "end") else "operand"
