"""Operators and weights of a ``.tflite`` file, read with NumPy alone.

After the schema of TensorFlow Lite (tensorflow/lite/schema/schema.fbs) and the layout of
FlatBuffers: a table begins with the way back to its list of fields, and every field is an offset.
Read are the operators that MediaPipe's two hand networks are made of.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Of the schema's BuiltinOperator, of its ActivationFunctionType and of its TensorType.
_OPERATORS = {
    0: "add",
    2: "concatenation",
    3: "conv",
    4: "depthwise",
    6: "dequantize",
    9: "linear",
    14: "logistic",
    17: "max_pool",
    22: "reshape",
    23: "resize",
    34: "pad",
    40: "mean",
    54: "prelu",
}
_ACTIVATIONS = {0: "", 1: "relu", 3: "relu6"}
_DTYPES = {0: np.float32, 1: np.float16, 2: np.int32}
# Field of the fused activation in the options of an operator.
_ACTIVATION_FIELD = {"conv": 3, "depthwise": 4, "add": 0, "linear": 0}
_SAME_PADDING = 0


class Operator(NamedTuple):
    """One step of a graph.

    Attributes:
        kind: a value of ``_OPERATORS``. inputs, outputs: numbers of tensors; -1: none.
        stride, same: of convolutions; ``same``: padded so that only the stride makes it smaller.
        activation: "", "relu" or "relu6".
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    stride: int
    same: bool
    activation: str


@dataclass(frozen=True)
class Graph:
    """A network as stored.

    Attributes:
        operators: in the order of their execution.
        outputs: numbers of the tensors that come out.
        constants: weights by the number of the tensor that an operator reads; dtype as stored.
    """

    operators: tuple[Operator, ...]
    outputs: tuple[int, ...]
    constants: dict[int, NDArray[Any]]


def read_graph(content: bytes) -> Graph:
    """The first graph of a ``.tflite`` file.

    Constants that are only stored in another type, behind a ``dequantize``, are listed under the
    tensor that they become, and that operator is left out.

    Raises:
        ValueError: another kind of file, a damaged one, or an operator that is not read here.
    """
    if content[4:8] != b"TFL3":
        raise ValueError("the file is no TensorFlow Lite network: its mark 'TFL3' is missing")
    try:
        return _graph(_Table(content, struct.unpack_from("<I", content)[0]))
    except (struct.error, IndexError, KeyError) as error:
        raise ValueError(f"the TensorFlow Lite network is damaged or too new ({error})") from error


def _graph(root: _Table) -> Graph:
    codes = [max(code.number(0, "b"), code.number(3, "i")) for code in root.tables(1)]
    subgraph = root.tables(2)[0]
    constants = _constants(subgraph.tables(0), [buffer.bytes(0) for buffer in root.tables(4)])
    operators = []
    for table in subgraph.tables(3):
        code = codes[table.number(0, "I")]
        if code not in _OPERATORS:
            raise ValueError(f"operator {code} of TensorFlow Lite is not read here")
        operator = _operator(table, _OPERATORS[code])
        if operator.kind == "dequantize" and operator.inputs[0] in constants:
            constants[operator.outputs[0]] = constants.pop(operator.inputs[0])
        else:
            operators.append(operator)
    return Graph(tuple(operators), subgraph.numbers(2), constants)


def _constants(tensors: list[_Table], buffers: list[bytes]) -> dict[int, NDArray[Any]]:
    found = {}
    for number, tensor in enumerate(tensors):
        if content := buffers[tensor.number(2, "I")]:
            dtype = _DTYPES[tensor.number(1, "b")]
            found[number] = np.frombuffer(content, dtype).reshape(tensor.numbers(0))
    return found


def _operator(table: _Table, kind: str) -> Operator:
    options = table.table(4)
    stride, same, activation = 1, True, ""
    if options is not None and kind in _ACTIVATION_FIELD:
        activation = _ACTIVATIONS[options.number(_ACTIVATION_FIELD[kind], "b")]
    if options is not None and kind in ("conv", "depthwise"):
        stride = options.number(2, "i", 1)
        same = options.number(0, "b") == _SAME_PADDING
    return Operator(kind, table.numbers(1), table.numbers(2), stride, same, activation)


class _Table:
    """A table of a flat buffer; fields by their number in the schema."""

    def __init__(self, content: bytes, position: int) -> None:
        self._content, self._position = content, position
        self._fields = position - self._read("i", position)
        self._size = self._read("H", self._fields)

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """A scalar; kind: as in ``struct``."""
        place = self._place(field)
        return self._read(kind, place) if place else default

    def table(self, field: int) -> _Table | None:
        place = self._place(field)
        return _Table(self._content, self._follow(place)) if place else None

    def tables(self, field: int) -> list[_Table]:
        place = self._place(field)
        if not place:
            return []
        start = self._follow(place)
        entries = range(start + 4, start + 4 + 4 * self._read("I", start), 4)
        return [_Table(self._content, self._follow(entry)) for entry in entries]

    def bytes(self, field: int, width: int = 1) -> bytes:
        """A vector of elements that are ``width`` bytes wide."""
        place = self._place(field)
        if not place:
            return b""
        start = self._follow(place)
        end = start + 4 + width * self._read("I", start)
        if end > len(self._content):
            raise IndexError(f"a vector ends at byte {end} of {len(self._content)}")
        return self._content[start + 4 : end]

    def numbers(self, field: int) -> tuple[int, ...]:
        """A vector of int32."""
        return tuple(np.frombuffer(self.bytes(field, 4), np.int32).tolist())

    def _read(self, kind: str, position: int) -> int:
        return int(struct.unpack_from("<" + kind, self._content, position)[0])

    def _place(self, field: int) -> int:
        """Where a field is stored, 0 where it is not."""
        entry = 4 + 2 * field
        offset = self._read("H", self._fields + entry) if entry < self._size else 0
        return self._position + offset if offset else 0

    def _follow(self, position: int) -> int:
        return position + self._read("I", position)
