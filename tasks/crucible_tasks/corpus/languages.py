"""The languages a corpus is made of, told by a file's name or its first line.

Source code only. Configuration, data and prose are left out: a model that completes code learns
little from a lock file, and data is where other people's work and personal facts lie.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

PYTHON = "python"

_SUFFIXES = {
    PYTHON: ".py .pyi .pyw .pyx .pxd",
    "javascript": ".js .jsx .mjs .cjs",
    "typescript": ".ts .tsx .mts .cts",
    "vue": ".vue",
    "svelte": ".svelte",
    "c": ".c .h",
    "cpp": ".cc .cpp .cxx .hh .hpp .hxx .ipp .inl",
    "cuda": ".cu .cuh",
    "csharp": ".cs",
    "clojure": ".clj .cljs .cljc",
    "d": ".d",
    "dart": ".dart",
    "elixir": ".ex .exs",
    "elm": ".elm",
    "erlang": ".erl .hrl",
    "fortran": ".f .f90 .f95 .for",
    "fsharp": ".fs .fsi .fsx",
    "go": ".go",
    "groovy": ".groovy .gradle",
    "haskell": ".hs .lhs",
    "java": ".java",
    "julia": ".jl",
    "kotlin": ".kt .kts",
    "lua": ".lua",
    "nim": ".nim",
    "objective-c": ".m .mm",
    "ocaml": ".ml .mli",
    "perl": ".pl .pm",
    "php": ".php",
    "powershell": ".ps1 .psm1",
    "protobuf": ".proto",
    "r": ".r .R",
    "racket": ".rkt",
    "ruby": ".rb .rake",
    "rust": ".rs",
    "scala": ".scala .sc",
    "shell": ".sh .bash .zsh .fish",
    "solidity": ".sol",
    "sql": ".sql",
    "swift": ".swift",
    "terraform": ".tf",
    "verilog": ".v .sv .svh",
    "vhdl": ".vhd .vhdl",
    "zig": ".zig",
}

_BY_SUFFIX = {suffix: name for name, held in _SUFFIXES.items() for suffix in held.split()}

#: the interpreter in a first line like `#!/usr/bin/env python3`
_INTERPRETER = re.compile(r"#!\s*\S*?(?:env\s+(?:-\S+\s+)*)?([a-z]+)[\d.]*(?:\s|$)")

_BY_INTERPRETER = {
    "python": PYTHON,
    "pypy": PYTHON,
    "node": "javascript",
    "deno": "typescript",
    "bash": "shell",
    "sh": "shell",
    "zsh": "shell",
    "dash": "shell",
    "ruby": "ruby",
    "perl": "perl",
    "lua": "lua",
    "php": "php",
}


def by_name(path: str) -> str | None:
    """The language that the name of a file tells."""
    return _BY_SUFFIX.get(PurePosixPath(path).suffix)


def may_be_script(path: str) -> bool:
    """Whether only the first line can tell: a name without a dot, like `manage`."""
    return "." not in PurePosixPath(path).name


def by_first_line(text: str) -> str | None:
    """The language of the interpreter that the first line names."""
    line = text.partition("\n")[0]
    found = _INTERPRETER.match(line.replace("/usr/bin/", "").replace("/bin/", ""))
    return _BY_INTERPRETER.get(found[1]) if found else None
