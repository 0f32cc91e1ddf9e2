"""An NVML with boards of its own, some of which do not tell everything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace


class Untold(Exception):
    """What this NVML raises."""


@dataclass(frozen=True, slots=True)
class Board:
    """One GPU, in NVML's units: percent, bytes, milliwatts, millijoules."""

    uuid: str
    busy: int = 0
    used: int = 0
    total: int = 1
    milliwatts: int | None = None
    millijoules: int | None = None
    #: None for one that cannot be sliced
    is_sliced: bool | None = None


class ScriptedGpus:
    """Answers as `pynvml` does."""

    NVMLError: type[Exception] = Untold

    def __init__(self, *boards: Board) -> None:
        self.boards = boards

    def spend(self, place: int, millijoules: int) -> None:
        """Let a board's counter go on."""
        before = _told(self.boards[place].millijoules)
        self.tell(place, before + millijoules)

    def tell(self, place: int, millijoules: int | None) -> None:
        """Let a board's counter be this from now on."""
        boards = list(self.boards)
        boards[place] = replace(boards[place], millijoules=millijoules)
        self.boards = tuple(boards)

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.boards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Board:  # noqa: N802
        return self.boards[index]

    def nvmlDeviceGetUUID(self, device: Board) -> str:  # noqa: N802
        return device.uuid

    def nvmlDeviceGetUtilizationRates(self, device: Board) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(gpu=device.busy, memory=0)

    def nvmlDeviceGetMemoryInfo(self, device: Board) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(used=device.used, total=device.total)

    def nvmlDeviceGetPowerUsage(self, device: Board) -> int:  # noqa: N802
        return _told(device.milliwatts)

    def nvmlDeviceGetTotalEnergyConsumption(self, device: Board) -> int:  # noqa: N802
        # a handle outlives what was read through it
        now = next(one for one in self.boards if one.uuid == device.uuid)
        return _told(now.millijoules)

    def nvmlDeviceGetMigMode(self, device: Board) -> list[int]:  # noqa: N802
        return [_told(device.is_sliced), 0]


def _told(value: int | None) -> int:
    if value is None:
        raise Untold("not supported")
    return value
