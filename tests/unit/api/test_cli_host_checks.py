"""What the doctor says of `cc`."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible_api.cli.compiler_calls import shim
from crucible_api.cli.host_checks import local_checks
from crucible_infra import settings


def put(folder: Path, content: str) -> str:
    folder.mkdir()
    (folder / "cc").write_text(content)
    (folder / "cc").chmod(0o755)
    return str(folder)


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    return {
        "shim": put(tmp_path / "shim", shim()),
        "gcc": put(tmp_path / "gcc", "#!/bin/sh\necho x86_64-linux-gnu\n"),
        "tool": put(tmp_path / "tool", "#!/bin/sh\necho hello; exit 1\n"),
    }


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ((), "none on the PATH"),
        (("gcc",), "gcc/cc, a compiler for x86_64-linux-gnu"),
        (("shim", "gcc"), "shim/cc, our shim, and behind it "),
        (("shim",), "our shim, and no compiler behind it"),
        (("tool", "gcc"), "tool/cc, which does not answer as a compiler"),
    ],
)
def test_the_doctor_tells_what_cc_is(
    path: tuple[str, ...],
    told: str,
    places: dict[str, str],
    crucible_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del crucible_home
    monkeypatch.setenv("PATH", ":".join(places[name] for name in path) or "/nowhere")
    settings.current.cache_clear()
    (check,) = [check for check in local_checks() if check.name == "cc"]
    assert check.is_ok
    assert told in check.detail
