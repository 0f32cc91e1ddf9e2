"""Names that say nothing are banned; test files have names of their own."""

from __future__ import annotations

import ast
import re
from collections import Counter

from source_tree import ROOT, modules, python_files

#: as a word of any name
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "manager", "handler", "handlers", "misc"}

#: as a whole name
EMPTY_NAMES = {"common", "process"}

EMPTY_PREFIXES = ("do_", "my_")


def test_no_name_is_empty_of_meaning() -> None:
    empty = []
    for module in modules():
        names = [(1, module.name.rpartition(".")[2])]
        names += [
            (node.lineno, node.name)
            for node in ast.walk(module.tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        ]
        empty += [f"{module.place}:{line} {name}" for line, name in names if _is_empty(name)]

    assert empty == []


def test_test_files_have_unique_names() -> None:
    names = Counter(
        path.name for path in python_files(ROOT / "tests") if path.name.startswith("test_")
    )

    assert [name for name, count in names.items() if count > 1] == []


def test_a_test_is_found_where_its_room_is() -> None:
    rooms = {"tasks", "workers", "api", "infra"}
    lost = [
        str(path.relative_to(ROOT))
        for path in python_files(ROOT / "tests" / "unit")
        if path.relative_to(ROOT / "tests" / "unit").parts[0] not in rooms
    ]

    assert lost == []


def _is_empty(name: str) -> bool:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")
    return (
        snake in EMPTY_NAMES
        or snake.startswith(EMPTY_PREFIXES)
        or not EMPTY_WORDS.isdisjoint(snake.split("_"))
    )
