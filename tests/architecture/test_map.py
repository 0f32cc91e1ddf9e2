"""The README's map lists every module by the first line of its docstring."""

from __future__ import annotations

import readme_map
from source_tree import modules

#: longer ones break the map's lines
FIRST_LINE = 95


def test_the_readme_shows_every_module() -> None:
    assert readme_map.in_readme() == readme_map.drawn(), "run `make map`"


def test_every_module_says_in_one_line_what_it_is() -> None:
    wrong = [
        f"{module.place}: {module.first_line!r}"
        for module in modules()
        if not 0 < len(module.first_line) <= FIRST_LINE or module.first_line[-1] not in ".?!:;"
    ]

    assert wrong == []
