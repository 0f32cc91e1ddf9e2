"""Writes a model directory as one GGUF file, a tensor at a time, and reads it back to be sure."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from crucible_infra.errors import InvalidInput
from crucible_tasks.model_export import Numbers, Parity
from crucible_workers.exporter.gguf_layout import Layout, layout_of
from crucible_workers.exporter.gguf_vocabulary import read_vocabulary, write_vocabulary
from crucible_workers.exporter.tensors import Array, Tensor, tensors_of
from crucible_workers.weight_files import CONFIG, read_json

_TYPES = {
    Numbers.F32: gguf.GGMLQuantizationType.F32,
    Numbers.BF16: gguf.GGMLQuantizationType.BF16,
    Numbers.F16: gguf.GGMLQuantizationType.F16,
    Numbers.Q8_0: gguf.GGMLQuantizationType.Q8_0,
}

_FILE_TYPES = {
    Numbers.F32: gguf.LlamaFileType.ALL_F32,
    Numbers.BF16: gguf.LlamaFileType.MOSTLY_BF16,
    Numbers.F16: gguf.LlamaFileType.MOSTLY_F16,
    Numbers.Q8_0: gguf.LlamaFileType.MOSTLY_Q8_0,
}

#: the largest difference of a number from its original, as a share of its tensor's largest
_CLOSE = {Numbers.F32: 0.0, Numbers.BF16: 2**-8, Numbers.F16: 2**-10, Numbers.Q8_0: 2**-7}

#: numbers of one block of q8_0
_BLOCK = 32

_EMBEDDING = "model.embed_tokens.weight"


def write_gguf(directory: Path, path: Path, numbers: Numbers, name: str) -> None:
    """Write the model as a file. Raises InvalidInput for what GGUF cannot hold."""
    config = read_json(directory / CONFIG)
    layout = layout_of(config)
    tensors = list(tensors_of(directory))
    rows = next((tensor.shape[0] for tensor in tensors if tensor.name == _EMBEDDING), None)
    if rows is None:
        raise InvalidInput(f"{directory} has no {_EMBEDDING}")
    writer = gguf.GGUFWriter(None, layout.name)
    writer.add_name(name)
    writer.add_file_type(_FILE_TYPES[numbers])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    layout.describe(writer, rows)
    write_vocabulary(writer, read_vocabulary(directory, rows), directory, config)
    for tensor in tensors:
        _announce(writer, layout, tensor, _kind(tensor, numbers))
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in tensors:
        writer.write_tensor_data(_encoded(layout, tensor, _kind(tensor, numbers)))
    writer.close()


def read_back(directory: Path, path: Path, numbers: Numbers) -> Parity:
    """Compare every tensor of the file with the model's own."""
    layout = layout_of(read_json(directory / CONFIG))
    written = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    equal = count = 0
    for tensor in tensors_of(directory):
        count += 1
        found = written.get(layout.tensor_name(tensor.name))
        if found is None:
            continue
        own = layout.arranged(tensor.name, tensor.read())
        numbers_found = gguf.dequantize(found.data, found.tensor_type).reshape(own.shape)
        room = _CLOSE[numbers] * float(np.abs(own).max(initial=0.0))
        equal += bool(np.abs(numbers_found - own).max(initial=0.0) <= room)
    return Parity("tensors read back from the file", equal, count)


def _kind(tensor: Tensor, numbers: Numbers) -> gguf.GGMLQuantizationType:
    if len(tensor.shape) == 1:
        # norms and biases: few, and added to everything
        return gguf.GGMLQuantizationType.F32
    if numbers is Numbers.Q8_0 and tensor.shape[-1] % _BLOCK:
        # whole blocks do not fit its rows
        return gguf.GGMLQuantizationType.F16
    return _TYPES[numbers]


def _announce(
    writer: gguf.GGUFWriter, layout: Layout, tensor: Tensor, kind: gguf.GGMLQuantizationType
) -> None:
    block, size = gguf.GGML_QUANT_SIZES[kind]
    count = int(np.prod(tensor.shape))
    # quantised shapes are told in bytes
    is_plain = kind in (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16)
    shape = tensor.shape if is_plain else gguf.quant_shape_to_byte_shape(tensor.shape, kind)
    numpy_type = {
        gguf.GGMLQuantizationType.F32: np.float32,
        gguf.GGMLQuantizationType.F16: np.float16,
    }
    writer.add_tensor_info(
        layout.tensor_name(tensor.name),
        shape,
        np.dtype(numpy_type.get(kind, np.uint8)),
        count // block * size,
        raw_dtype=None if is_plain else kind,
    )


def _encoded(
    layout: Layout, tensor: Tensor, kind: gguf.GGMLQuantizationType
) -> NDArray[np.generic]:
    numbers: Array = layout.arranged(tensor.name, tensor.read())
    encoded: NDArray[np.generic] = gguf.quantize(np.ascontiguousarray(numbers), kind)
    return encoded
