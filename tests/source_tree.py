"""The project's own files, for the tests that keep its rules."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: in the order of DESIGN: the work, the hands, the doors, the ground
PACKAGES = (
    ROOT / "tasks" / "crucible_tasks",
    ROOT / "workers" / "crucible_workers",
    ROOT / "api" / "crucible_api",
    ROOT / "infra" / "crucible_infra",
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file of a shipped package."""

    path: Path
    #: as it is imported
    name: str
    tree: ast.Module

    @property
    def place(self) -> str:
        """For messages."""
        return str(self.path.relative_to(ROOT))

    @property
    def first_line(self) -> str:
        """The first line of its docstring."""
        return (ast.get_docstring(self.tree) or "").partition("\n")[0]


@cache
def modules() -> tuple[Module, ...]:
    """Every module that is shipped, parsed once for all tests of a process."""
    found = []
    for package in PACKAGES:
        for path in python_files(package):
            parts = path.relative_to(package.parent).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(path, name, ast.parse(path.read_bytes(), str(path))))
    return tuple(found)


def python_files(folder: Path) -> list[Path]:
    """The Python files below a folder, caches left out."""
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


@cache
def imports(module: Module) -> frozenset[str]:
    """Every module it names in an import, also inside functions; `from a import b` names a.b."""
    names: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def is_inside(name: str, package: str) -> bool:
    """Whether a dotted name is the package or something in it."""
    return name == package or name.startswith(f"{package}.")


def project_files() -> list[Path]:
    """What git tracks or would track; every file below the root outside a checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return [path for path in ROOT.rglob("*") if path.is_file() and not _is_hidden(path)]
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)
