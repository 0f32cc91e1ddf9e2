"""Functions and files stay short enough to read; tests too."""

from __future__ import annotations

import ast

from source_tree import PACKAGES, ROOT, functions, python_files

FUNCTION_LINES = 50
FILE_LINES = 400

FILES = [
    path
    for folder in (*PACKAGES, ROOT / "workers" / "nano", ROOT / "tests")
    for path in python_files(folder)
]


def test_no_function_is_longer_than_a_screen() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name} has {lines} lines"
        for path in FILES
        for function in functions(ast.parse(path.read_bytes()))
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    ]

    assert too_long == []


def test_no_file_is_longer_than_a_concept() -> None:
    too_long = [
        f"{path.relative_to(ROOT)} has {lines} lines"
        for path in FILES
        if (lines := len(path.read_bytes().splitlines())) > FILE_LINES
    ]

    assert too_long == []
