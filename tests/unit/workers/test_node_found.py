from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crucible_infra import settings
from crucible_infra.errors import SandboxUnavailable
from crucible_workers.sandbox.javascript import node as module
from crucible_workers.sandbox.javascript.node import find_node


@pytest.fixture(autouse=True)
def _fresh(crucible_home: Path) -> Iterator[None]:  # noqa: ARG001 -- settings of one's own
    module._newest_enough.cache_clear()
    yield
    module._newest_enough.cache_clear()
    settings.current.cache_clear()


def fake_node(folder: Path, said: str) -> str:
    path = folder / "node"
    path.write_text(f"#!/bin/sh\necho '{said}'\n")
    path.chmod(0o755)
    return str(path)


def choose(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("CRUCIBLE_NODE", path)
    settings.current.cache_clear()


def test_the_first_node_that_is_new_enough_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, fake_node(tmp_path, '["18.0.0", []]'))

    assert find_node("process").version == "18.0.0"


def test_an_old_node_is_named_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fake_node(tmp_path, '["16.20.2", []]')
    choose(monkeypatch, path)

    with pytest.raises(SandboxUnavailable, match=r"too old: .*node is 16\.20\.2") as caught:
        find_node("process")
    assert "CRUCIBLE_NODE" in (caught.value.hint or "")


@pytest.mark.parametrize("path", ["/nonexistent/node", "/bin/true"])
def test_a_wrong_setting_is_named(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, path)

    with pytest.raises(SandboxUnavailable, match=f"CRUCIBLE_NODE: {path} is no Node"):
        find_node("process")


def test_a_host_without_node_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(module, "find_spec", lambda name: None)  # noqa: ARG005 -- no wheel either

    with pytest.raises(SandboxUnavailable, match="none is on PATH") as caught:
        find_node("process")
    assert "install Node" in (caught.value.hint or "")


def test_a_prison_holds_node_its_libraries_and_our_scripts_alone(
    node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, node)
    found = find_node("namespaces")
    inside = dict(map(reversed, found.binds))

    assert Path(inside[found.executable]).samefile(node)
    assert (Path(inside[found.scripts]) / "driver.js").is_file()
    assert any("libc" in path for path in inside)
    assert all(Path(source).exists() for source in inside.values())
    libraries = [path for path in inside if not path.startswith("/node/")]
    assert all(Path(path).is_file() or "nodejs" in path for path in libraries)
