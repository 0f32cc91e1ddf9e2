"""The NVIDIA GPUs that this process may use, found without touching CUDA.

A process that has asked CUDA cannot be pinned to one device any more, and its forks are broken. The
driver's own list in /proc needs neither CUDA nor NVML; a container's holds what it was given.
"""

from __future__ import annotations

from pathlib import Path

from crucible_infra import settings

#: one folder for each GPU
_DRIVER = Path("/proc/driver/nvidia/gpus")

#: words that hide every device from CUDA
_NONE = ("", "-1", "NoDevFiles")


def visible_gpus(driver: Path = _DRIVER) -> tuple[str, ...]:
    """What CUDA would call them: numbers, or what CUDA_VISIBLE_DEVICES says."""
    chosen = settings.current().cuda_visible_devices
    count = len(list(driver.iterdir())) if driver.is_dir() else 0
    if not count:
        return ()
    if chosen is None:
        return tuple(map(str, range(count)))
    words = [word.strip() for word in chosen.split(",")]
    return () if words[0] in _NONE else tuple(words)
