"""Joules: what the GPUs that this process may use have taken, by their own counters.

A counter is a whole board's, whoever works on it, and runs from the load of the driver. Boards
older than Volta have none. A slice of a board (MIG) shares its board's with the other slices, so
nobody can tell what it took. A number in CUDA_VISIBLE_DEVICES is taken as the driver counts; on a
host with several kinds of boards CUDA counts so only with CUDA_DEVICE_ORDER=PCI_BUS_ID.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from crucible_infra import host_figures, log
from crucible_infra.gpus import visible_gpus
from crucible_infra.host_figures import Nvml

_MILLI = 1000.0

#: joules so far; None where a board does not tell
Meter = Callable[[], float | None]


def energy_meter() -> Meter | None:
    """The meter of the GPUs this process may use; None without any, or without NVML."""
    chosen = visible_gpus()
    nvml = host_figures.nvml() if chosen else None
    return None if nvml is None else meter_of(nvml, chosen)


def meter_of(nvml: Nvml, chosen: Sequence[str]) -> Meter | None:
    """The same from any NVML, for GPUs as CUDA names them; None where one has no counter."""
    try:
        boards = [_board(nvml, word) for word in chosen]
    except nvml.NVMLError as error:
        log.debug("energy_not_measured", problem=str(error))
        return None
    if not boards or None in boards:
        return None
    meter = partial(_joules, nvml, boards)
    return None if meter() is None else meter


def _joules(nvml: Nvml, boards: Sequence[Any]) -> float | None:
    try:
        return sum(map(nvml.nvmlDeviceGetTotalEnergyConsumption, boards)) / _MILLI
    except nvml.NVMLError as error:
        # too old a board, or one that is lost
        log.debug("energy_not_measured", problem=str(error))
        return None


def _board(nvml: Nvml, word: str) -> Any | None:
    """The whole board that a number or the begin of an id means; None for a slice."""
    for index in range(nvml.nvmlDeviceGetCount()):
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        is_meant = word.startswith("GPU-") and nvml.nvmlDeviceGetUUID(device).startswith(word)
        if word == str(index) or is_meant:
            return None if _is_sliced(nvml, device) else device
    return None


def _is_sliced(nvml: Nvml, device: Any) -> bool:
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(device)
    except nvml.NVMLError:
        # a board that cannot be sliced
        return False
    return bool(current)
