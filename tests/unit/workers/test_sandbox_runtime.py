"""What a prison is built from: a Python and numpy, and nothing that somebody installed."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

from crucible_workers.sandbox.runtime import PACKAGE_DIRECTORY, PACKAGES, find_runtime


def test_every_source_exists_and_no_target_is_bound_twice() -> None:
    runtime = find_runtime()

    assert all(Path(source).exists() for source, _ in runtime.binds)
    targets = [target for _, target in runtime.binds]
    assert len(set(targets)) == len(targets)


def test_of_the_packages_only_the_named_ones_are_bound() -> None:
    runtime = find_runtime()
    tops = {
        Path(target).name for _, target in runtime.binds if target.startswith(PACKAGE_DIRECTORY)
    }

    assert "numpy" in tops
    assert not {top for top in tops if not top.startswith(PACKAGES)}
    assert [name.partition(" ")[0] for name in runtime.packages] == list(PACKAGES)


def test_no_directory_of_packages_is_bound_whole() -> None:
    purelib = os.path.realpath(sysconfig.get_path("purelib"))
    shown = [
        source
        for source, _ in find_runtime().binds
        if purelib == source or purelib.startswith(f"{source}/")
    ]

    # below the standard library it is masked
    assert all(f"{source}/site-packages" in find_runtime().masks for source in shown)


def test_the_library_s_own_packages_are_masked() -> None:
    library = os.path.realpath(sysconfig.get_path("stdlib"))
    folder = f"{library}/site-packages"

    assert folder in find_runtime().masks or not Path(folder).is_dir()


def test_programs_import_from_the_library_and_the_bound_packages_only() -> None:
    runtime = find_runtime()

    assert runtime.path[-1] == PACKAGE_DIRECTORY
    assert not any("site-packages" in path for path in runtime.path)
