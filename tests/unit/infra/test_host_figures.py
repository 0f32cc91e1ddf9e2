"""Figures of a host: its disk, and what each of its GPUs tells."""

from __future__ import annotations

from pathlib import Path

from crucible_infra import host_figures
from scripted_gpus import Board, ScriptedGpus


def test_a_gpu_is_told_in_base_units() -> None:
    board = Board("GPU-a", 40, 2**30, 2**31, milliwatts=350_000, millijoules=5_000)
    found = {one.name: one for one in host_figures.figures_of(ScriptedGpus(board))}

    assert {name.removeprefix("crucible_gpu_"): one.value for name, one in found.items()} == {
        "use_ratio": 0.4,
        "memory_used_bytes": 2**30,
        "memory_size_bytes": 2**31,
        "power_watts": 350,
        "energy_joules_total": 5,
    }
    assert {tuple(one.labels.items()) for one in found.values()} == {
        (("gpu", "0"), ("uuid", "GPU-a"))
    }


def test_what_a_board_does_not_tell_is_left_out() -> None:
    silent, telling = Board("GPU-a", 1), Board("GPU-b", 2, milliwatts=1, millijoules=1)
    found = list(host_figures.figures_of(ScriptedGpus(silent, telling)))
    watts = [one.labels["gpu"] for one in found if one.name == "crucible_gpu_power_watts"]

    assert watts == ["1"]
    assert [one.value for one in found if one.name == "crucible_gpu_use_ratio"] == [0.01, 0.02]


def test_a_disk_has_free_bytes_and_a_missing_directory_none(tmp_path: Path) -> None:
    free, size = host_figures.disk_figures(tmp_path)

    assert 0 < free.value < size.value
    assert list(host_figures.disk_figures(tmp_path / "nowhere")) == []
