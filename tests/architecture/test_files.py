"""No file names a machine, a package registry or whoever wrote it."""

from __future__ import annotations

import pytest

from source_tree import ROOT, project_files

#: joined here, so that this file does not name them either
FORBIDDEN = {
    "a package registry": [
        "pypi" + ".org",
        "pythonhosted" + ".org",
        "npmjs" + ".org",
        "anaconda" + ".org",
    ],
    "a path of one machine": ["/work" + "/", "/root" + "/", "/Users" + "/"],
}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_no_file_names(kind: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {text}"
        for path in project_files()
        for content in [path.read_bytes()]
        for text in FORBIDDEN[kind]
        if text.encode() in content
    ]

    assert found == []


def test_nothing_large_is_tracked() -> None:
    large = [str(path.relative_to(ROOT)) for path in project_files() if _mib(path.stat().st_size)]

    assert large == []


def _mib(size: int) -> int:
    return size // 2**20
