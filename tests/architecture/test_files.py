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


def test_nothing_large_is_tracked_but_the_toy_model() -> None:
    large = [str(path.relative_to(ROOT)) for path in project_files() if _mib(path.stat().st_size)]

    assert large == ["workers/crucible_workers/nano/weights/model.safetensors"]
    assert _mib((ROOT / large[0]).stat().st_size) < 2


def _mib(size: int) -> int:
    return size // 2**20
