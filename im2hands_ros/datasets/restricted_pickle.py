"""Read arrays out of a pickle without running anything that it names.

MANO's files are Python 2 pickles of numpy arrays, chumpy arrays and scipy sparse matrices. Here
every class and function that such a file names becomes an inert stand-in, which keeps what it is
given and does nothing; `as_array` reads the numbers out of it. Any other name is refused.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_NAMES = {
    *(f"{module}._reconstructor" for module in ("copy_reg", "copyreg")),
    *(f"{module}.{name}" for module in ("__builtin__", "builtins") for name in ("object", "set")),
    *("_codecs.encode", "numpy.ndarray", "numpy.dtype"),
    *(f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core")),
    *(f"numpy.{core}.multiarray.scalar" for core in ("core", "_core")),
    *(f"numpy.{core}.numeric._frombuffer" for core in ("core", "_core")),
}
_PACKAGES = ("chumpy", "scipy.sparse")
_DAMAGE = (pickle.UnpicklingError, EOFError, TypeError, AttributeError, IndexError, KeyError)


class StandIn:
    """In place of an object (or a function's result) that a pickle names: inert.

    Attributes:
        origin: full name of the class or function. given: its arguments. state: what the pickle
        restores the object with, None if nothing.
    """

    __slots__ = ("given", "state")
    origin = ""
    given: tuple[Any, ...]
    state: Any

    def __new__(cls, *given: Any, **_: Any) -> StandIn:
        """An instance that has kept its arguments."""
        made = super().__new__(cls)
        made.given, made.state = given, None
        return made

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    """Gives stand-ins for the names that MANO files use, and refuses all others."""

    def find_class(self, module: str, name: str) -> type[StandIn]:
        origin = f"{module}.{name}"
        if origin not in _NAMES and not origin.startswith(tuple(f"{p}." for p in _PACKAGES)):
            raise ValueError(
                f"the pickle names {origin}, which no hand model needs: nothing of it was run; "
                "get the file again from its publisher"
            )
        return type(name, (StandIn,), {"__slots__": (), "origin": origin})


def read_pickle(path: Path | str) -> dict[str, Any]:
    """The dictionary in a pickle; what is not a plain value in it is a `StandIn`.

    Raises:
        FileNotFoundError: no such file. ValueError: it names something other than arrays, or is
        damaged, or holds no dictionary.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: give the path of your own copy")
    with path.open("rb") as file:
        try:
            content = _Unpickler(file, encoding="latin1").load()
        except _DAMAGE as error:
            raise ValueError(f"{path} is not a readable pickle ({error}): get it again") from error
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}: a hand model is a dictionary")
    return content


def as_array(value: Any) -> Array:
    """The numbers that a value of `read_pickle` stands for, as a numpy array.

    Raises ValueError for what is not an array of numbers.
    """
    if isinstance(value, StandIn):
        return _READERS.get(_reader_name(value), _refuse)(value)
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"expected numbers, found {type(value).__name__}")
    return array


def _class_of(value: StandIn) -> str:
    """Full name of the object's class; Python 2 pickles rebuild objects by `_reconstructor`."""
    if value.origin.endswith("._reconstructor") and value.given:
        return str(getattr(value.given[0], "origin", value.given[0]))
    return value.origin


def _reader_name(value: StandIn) -> str:
    name = _class_of(value)
    package = next((p for p in _PACKAGES if name.startswith(f"{p}.")), None)
    return package or name.rpartition(".")[2]


def _refuse(value: StandIn) -> Array:
    raise ValueError(f"{_class_of(value)} is not an array of numbers")


def _dtype(value: Any) -> np.dtype[Any]:
    """A plain number type, from the stand-in of a numpy dtype."""
    if not isinstance(value, StandIn) or value.origin != "numpy.dtype":
        raise ValueError(f"expected a numpy dtype, found {type(value).__name__}")
    name, order = str(value.given[0]), (value.state or (3, "="))[1]
    if name[:1] not in ("b", "i", "u", "f") or order not in ("<", ">", "=", "|"):
        raise ValueError(f"arrays of type {name!r} are not numbers")
    return np.dtype(name if order == "|" else order + name)


def _bytes(value: Any) -> bytes:
    """Raw bytes; Python 2 wrote them as latin-1 text, Python 3's old protocols as `encode`."""
    if isinstance(value, StandIn) and value.origin == "_codecs.encode":
        value = value.given[0]
    return value.encode("latin1") if isinstance(value, str) else bytes(value)


def _from_bytes(content: Any, dtype: Any, shape: Any, order: str) -> Array:
    flat = np.frombuffer(_bytes(content), _dtype(dtype))
    return flat.reshape(tuple(int(side) for side in shape), order="F" if order == "F" else "C")


def _numpy_array(value: StandIn) -> Array:
    shape, dtype, fortran, content = value.state[-4:]
    return _from_bytes(content, dtype, shape, "F" if fortran else "C")


def _numpy_scalar(value: StandIn) -> Array:
    return _from_bytes(value.given[1], value.given[0], (), "C")


def _numpy_buffer(value: StandIn) -> Array:
    content, dtype, shape, order = value.given
    return _from_bytes(content, dtype, shape, order)


def _chumpy(value: StandIn) -> Array:
    """A chumpy array is its numbers `x`, or a selection or rearrangement of another one, `a`."""
    state = value.state
    if isinstance(state, dict) and "x" in state:
        return as_array(state["x"])
    if not isinstance(state, dict) or "a" not in state:
        return _refuse(value)
    inner = as_array(state["a"])
    if "idxs" in state:
        chosen = inner.ravel()[as_array(state["idxs"])]
        return chosen.reshape(state["preferred_shape"]) if "preferred_shape" in state else chosen
    if "newshape" in state:
        return inner.reshape(state["newshape"])
    return _refuse(value)


def _sparse(value: StandIn) -> Array:
    """A csc or csr matrix, filled in with zeros."""
    state, name = value.state, _class_of(value)
    by_column = name.endswith(("csc_matrix", "csc_array"))
    if not by_column and not name.endswith(("csr_matrix", "csr_array")):
        return _refuse(value)
    shape = tuple(int(side) for side in state.get("_shape", state.get("shape")))
    data, indices, ends = (as_array(state[key]) for key in ("data", "indices", "indptr"))
    lines = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    dense = np.zeros(shape, data.dtype)
    np.add.at(dense, (indices, lines) if by_column else (lines, indices), data)
    return dense


_READERS: dict[str, Callable[[StandIn], Array]] = {
    "_reconstruct": _numpy_array,
    "scalar": _numpy_scalar,
    "_frombuffer": _numpy_buffer,
    "chumpy": _chumpy,
    "scipy.sparse": _sparse,
}
