"""The README's map, made of the modules' first docstring lines; `make map` writes it."""

from __future__ import annotations

import sys

from source_tree import PACKAGES, ROOT, Module, modules

README = ROOT / "README.md"
START = "<!-- map: written by `make map` -->"
END = "<!-- end of map -->"

#: where the sentences begin; a longer path is followed by two spaces
COLUMN = 34


def drawn() -> str:
    """The block between the markers."""
    by_package: dict[str, list[Module]] = {package.name: [] for package in PACKAGES}
    for module in modules():
        by_package[module.name.partition(".")[0]].append(module)
    rooms = ["\n".join(_room(members)) for members in by_package.values()]
    return "\n".join([START, "", "```text", "\n\n".join(rooms), "```", "", END])


def in_readme() -> str | None:
    """The block as the README has it; None without markers."""
    text = README.read_text()
    start, end = text.find(START), text.find(END)
    return text[start : end + len(END)] if 0 <= start < end else None


def write() -> None:
    """Put the block where the markers are, or at the end."""
    text, old = README.read_text(), in_readme()
    new = text.replace(old, drawn()) if old else f"{text.rstrip()}\n\n## Map\n\n{drawn()}\n"
    README.write_text(new)


def _room(members: list[Module]) -> list[str]:
    # a package's own line first, then its modules, then the packages inside it
    return [_line(member) for member in sorted(members, key=_order)]


def _order(module: Module) -> tuple[tuple[int, str], ...]:
    parts = module.path.relative_to(ROOT).parts
    names = parts[:-1] if parts[-1] == "__init__.py" else parts
    return tuple((0 if name.endswith(".py") else 1, name) for name in names)


def _line(module: Module) -> str:
    parts = module.path.relative_to(ROOT).parts
    is_package = parts[-1] == "__init__.py"
    if is_package:
        depth, name = len(parts) - 3, f"{'/'.join(parts[:2]) if len(parts) == 3 else parts[-2]}/"
    else:
        depth, name = len(parts) - 2, parts[-1]
    label = "  " * depth + name
    return f"{label:<{COLUMN - 2}}  {module.first_line}"


if __name__ == "__main__":
    write()
    sys.exit(0)
