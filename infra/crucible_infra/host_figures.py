"""What a host has left, as figures for Prometheus: space on its disk, and its NVIDIA GPUs.

GPUs are read through NVML, the driver's own library, which needs no CUDA context: a worker that
forks or pins a device later is not disturbed. Where there is no driver, no GPU or no nvidia-ml-py
there are no figures.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from crucible_infra import log
from crucible_infra.metrics import Figure

_PERCENT = 100.0
_MILLI = 1000.0


class Nvml(Protocol):
    """What is used of NVML; `pynvml` is one."""

    #: whatever goes wrong in it
    NVMLError: type[Exception]

    def nvmlDeviceGetCount(self) -> int: ...  # noqa: D102, N802 -- NVIDIA's names
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceGetUUID(self, device: Any) -> str: ...  # noqa: D102, N802
    def nvmlDeviceGetUtilizationRates(self, device: Any) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceGetMemoryInfo(self, device: Any) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceGetPowerUsage(self, device: Any) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetTotalEnergyConsumption(self, device: Any) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetMigMode(self, device: Any) -> Any: ...  # noqa: D102, N802


def disk_figures(directory: Path) -> Iterator[Figure]:
    """Free and whole bytes of the disk under a directory; nothing before it exists."""
    try:
        usage = shutil.disk_usage(directory)
    except OSError as error:
        log.debug("disk_not_measured", directory=str(directory), problem=str(error))
        return
    yield Figure("crucible_disk_free_bytes", "Free bytes where results are kept.", usage.free)
    yield Figure("crucible_disk_size_bytes", "Size of that disk.", usage.total)


def gpu_figures() -> Iterator[Figure]:
    """Use, memory, power and energy of every GPU of this host."""
    found = nvml()
    if found is not None:
        yield from figures_of(found)


def figures_of(nvml: Nvml) -> Iterator[Figure]:
    """The same from any NVML; what a device does not tell is left out."""
    for index in range(nvml.nvmlDeviceGetCount()):
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        labels = {"gpu": str(index), "uuid": nvml.nvmlDeviceGetUUID(device)}
        for read in (_use, _memory, _power, _energy):
            try:
                yield from read(nvml, device, labels)
            except nvml.NVMLError as error:
                # boards without a power sensor, MIG slices without a use
                log.debug("gpu_not_measured", gpu=index, problem=str(error))


def _use(nvml: Nvml, device: Any, labels: dict[str, str]) -> Iterator[Figure]:
    share = nvml.nvmlDeviceGetUtilizationRates(device).gpu / _PERCENT
    yield Figure("crucible_gpu_use_ratio", "Share of time with a kernel running.", share, labels)


def _memory(nvml: Nvml, device: Any, labels: dict[str, str]) -> Iterator[Figure]:
    memory = nvml.nvmlDeviceGetMemoryInfo(device)
    yield Figure("crucible_gpu_memory_used_bytes", "Memory in use.", memory.used, labels)
    yield Figure("crucible_gpu_memory_size_bytes", "Memory there is.", memory.total, labels)


def _power(nvml: Nvml, device: Any, labels: dict[str, str]) -> Iterator[Figure]:
    watts = nvml.nvmlDeviceGetPowerUsage(device) / _MILLI
    yield Figure("crucible_gpu_power_watts", "Power drawn now.", watts, labels)


def _energy(nvml: Nvml, device: Any, labels: dict[str, str]) -> Iterator[Figure]:
    joules = nvml.nvmlDeviceGetTotalEnergyConsumption(device) / _MILLI
    yield Figure(
        "crucible_gpu_energy_joules_total", "Energy since the driver was loaded.", joules, labels
    )


@cache
def nvml() -> Nvml | None:
    """The driver's library, or None for the life of this process."""
    try:
        import pynvml  # noqa: PLC0415 -- optional
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        log.debug("no_gpu", problem=str(error))
        return None
    found: Nvml = pynvml
    return found
