"""The language of a file, by its name: what models call it, and how they tag its code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True, slots=True)
class FileLanguage:
    """One language of files."""

    #: as people write it
    name: str
    #: what stands behind an opening fence, in lower case; the first is the usual one
    tags: tuple[str, ...]
    #: whether the whole answer is the file: prose, not code
    is_prose: bool = False


PYTHON = FileLanguage("Python", ("python", "py", "python3", "py3", "ipython"))
JAVASCRIPT = FileLanguage(
    "JavaScript", ("javascript", "js", "mjs", "cjs", "jsx", "node", "nodejs", "es6")
)
PLAIN = FileLanguage("text", ("text", "txt", "plaintext"), is_prose=True)

_REACT = FileLanguage("JavaScript with JSX", ("jsx", "javascript", "js", "tsx", "react"))
_TYPESCRIPT = FileLanguage("TypeScript", ("typescript", "ts", "mts", "cts", "tsx"))
_TYPED_REACT = FileLanguage("TypeScript with JSX", ("tsx", "typescript", "ts", "jsx", "react"))
_MARKDOWN = FileLanguage("Markdown", ("markdown", "md"), is_prose=True)
_C_PLUS_PLUS = FileLanguage("C++", ("cpp", "c++", "cc", "cxx", "hpp", "h"))

_BY_ENDING = {
    **dict.fromkeys((".py", ".pyw", ".pyi"), PYTHON),
    **dict.fromkeys((".js", ".mjs", ".cjs"), JAVASCRIPT),
    ".jsx": _REACT,
    **dict.fromkeys((".ts", ".mts", ".cts"), _TYPESCRIPT),
    ".tsx": _TYPED_REACT,
    ".c": FileLanguage("C", ("c",)),
    ".h": FileLanguage("C", ("c", "h", "cpp")),
    **dict.fromkeys((".cc", ".cpp", ".cxx", ".hpp"), _C_PLUS_PLUS),
    ".cs": FileLanguage("C#", ("csharp", "cs", "c#")),
    ".css": FileLanguage("CSS", ("css",)),
    ".dockerfile": FileLanguage("Dockerfile", ("dockerfile", "docker")),
    ".go": FileLanguage("Go", ("go", "golang")),
    **dict.fromkeys((".htm", ".html"), FileLanguage("HTML", ("html", "htm"))),
    ".java": FileLanguage("Java", ("java",)),
    ".json": FileLanguage("JSON", ("json",)),
    ".kt": FileLanguage("Kotlin", ("kotlin", "kt")),
    ".lua": FileLanguage("Lua", ("lua",)),
    **dict.fromkeys((".md", ".markdown"), _MARKDOWN),
    ".php": FileLanguage("PHP", ("php",)),
    ".pl": FileLanguage("Perl", ("perl", "pl")),
    ".r": FileLanguage("R", ("r",)),
    ".rb": FileLanguage("Ruby", ("ruby", "rb")),
    ".rs": FileLanguage("Rust", ("rust", "rs")),
    **dict.fromkeys((".rst", ".txt"), PLAIN),
    ".scala": FileLanguage("Scala", ("scala",)),
    ".scss": FileLanguage("SCSS", ("scss", "sass")),
    **dict.fromkeys((".bash", ".sh"), FileLanguage("shell", ("bash", "sh", "shell", "zsh"))),
    ".sql": FileLanguage("SQL", ("sql",)),
    ".svelte": FileLanguage("Svelte", ("svelte", "html")),
    ".swift": FileLanguage("Swift", ("swift",)),
    ".toml": FileLanguage("TOML", ("toml",)),
    ".vue": FileLanguage("Vue", ("vue", "html")),
    **dict.fromkeys((".yaml", ".yml"), FileLanguage("YAML", ("yaml", "yml"))),
}

_BY_NAME = {
    "dockerfile": _BY_ENDING[".dockerfile"],
    "makefile": FileLanguage("Makefile", ("makefile", "make")),
}


def language_of(path: str) -> FileLanguage | None:
    """What a file of this name holds; None where its name does not tell."""
    name = PurePath(path)
    return _BY_ENDING.get(name.suffix.lower()) or _BY_NAME.get(name.name.lower())
