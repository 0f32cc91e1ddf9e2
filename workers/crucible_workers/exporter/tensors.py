"""The tensors of a model directory, one by one, as numpy arrays: no more than one is in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible_infra.errors import FormatError
from crucible_workers.weight_files import read_header, weight_files

Array = NDArray[np.float32]

#: bfloat16 is the upper half of a single-precision number, and unknown to numpy
_TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}

#: the header's length, before the header
_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a file; `read` loads it."""

    name: str
    path: Path
    kind: str
    shape: tuple[int, ...]
    begin: int

    def read(self) -> Array:
        """Its numbers in single precision."""
        flat = np.memmap(self.path, _TYPES[self.kind], "r", self.begin, self.shape or (1,))
        numbers: NDArray[Any] = np.asarray(flat).reshape(self.shape)
        if self.kind == "BF16":
            return (numbers.astype(np.uint32) << 16).view(np.float32)
        return numbers.astype(np.float32)


def tensors_of(directory: Path) -> Iterator[Tensor]:
    """Every tensor of a directory's safetensors, in the order of their names in each file.

    Raises FormatError for damaged files and for numbers that are not floating point.
    """
    for path in weight_files(directory):
        header = read_header(path)
        with path.open("rb") as file:
            start = _LENGTH + int.from_bytes(file.read(_LENGTH), "little")
        for name in sorted(header):
            entry = header[name]
            if entry["dtype"] not in _TYPES:
                raise FormatError.at(path, None, f"{name} has numbers of the type {entry['dtype']}")
            begin = start + entry["data_offsets"][0]
            yield Tensor(name, path, entry["dtype"], tuple(entry["shape"]), begin)
