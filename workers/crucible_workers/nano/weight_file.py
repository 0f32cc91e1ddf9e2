"""A safetensors file, read with numpy: a JSON header with the place of each tensor, then bytes."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible_infra.errors import FormatError

Array = NDArray[np.float64]

_TYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "BF16": np.uint16}

#: the header's length, little-endian, before the header
_LENGTH = struct.Struct("<Q")


def read_tensors(path: Path) -> dict[str, Array]:
    """Every tensor of the file in double precision; `llama` says why. Raises FormatError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FormatError.at(path, None, f"cannot be read: {error.strerror}") from error
    try:
        (length,) = _LENGTH.unpack_from(content)
        header = json.loads(content[_LENGTH.size : _LENGTH.size + length])
        data = memoryview(content)[_LENGTH.size + length :]
        return {
            name: _tensor(entry, data) for name, entry in header.items() if name != "__metadata__"
        }
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError.at(path, None, f"not a safetensors file: {error}") from error


def _tensor(entry: dict[str, Any], data: memoryview) -> Array:
    start, end = entry["data_offsets"]
    numbers = np.frombuffer(data[start:end], _TYPES[entry["dtype"]]).reshape(entry["shape"])
    if entry["dtype"] == "BF16":
        # the upper half of a single-precision number
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.astype(np.float64)
