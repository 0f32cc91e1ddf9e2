"""Which GPUs a process may use: what the driver lists, as far as CUDA_VISIBLE_DEVICES shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible_infra import settings
from crucible_infra.gpus import visible_gpus


@pytest.fixture
def driver(tmp_path: Path, crucible_home: Path) -> Path:
    assert crucible_home
    directory = tmp_path / "gpus"
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (directory / name).mkdir(parents=True)
    return directory


@pytest.mark.parametrize(
    ("chosen", "found"),
    [(None, ("0", "1")), ("1", ("1",)), ("GPU-a, GPU-b", ("GPU-a", "GPU-b")), ("", ()), ("-1", ())],
)
def test_what_is_hidden_from_cuda_is_not_there(
    driver: Path,
    monkeypatch: pytest.MonkeyPatch,
    chosen: str | None,
    found: tuple[str, ...],
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    settings.current.cache_clear()

    assert visible_gpus(driver) == found


def test_without_a_driver_there_are_none(tmp_path: Path) -> None:
    assert visible_gpus(tmp_path / "nothing") == ()
