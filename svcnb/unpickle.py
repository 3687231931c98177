"""Reading torch and pickle files from elsewhere without running anything in them.

A pickle is a small program: "call this function with these arguments". Here it may call only what rebuilds tensors,
arrays, faiss indexes and plain containers; objects of the training toolkits that older files drag along come back as
`Inert`, and every other name ends the reading with an error before anything was called. The unpickler is the standard
library's Python one: the C one, and torch's `weights_only` too, die of a stack overflow in a key of a million nested
tuples.

Notebook: 06_mixing_export
"""

import io
import math
import mmap
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
import torch

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # first object in files of torch before 1.6
_STORAGES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
}  # fmt: skip
_TYPES = ("dict", "list", "tuple", "str", "int", "float", "bool", "object")  # named in settings as types
_TOOLKITS = ("fairseq", "omegaconf", "typing", "enum", "pathlib")
_FAISS = re.compile(r"faiss(\.swigfaiss\w*)?\.Index\w+")


class CheckpointError(ValueError):
    """A model file cannot be read, is not what it should be, or asks for code to be run; the message says which."""


class Inert:
    """Stands in for an object of a class that is not to be built; holds what the file says about it."""

    args: tuple = ()  # what it was made from
    state: Any = None  # what was then set on it, mostly a dictionary of attributes

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        self.args, self.items = (*args, *kwargs.items()), []
        return self

    def append(self, item: Any) -> None:
        self.items.append(item)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items.append((key, value))


def read_torch(path: str | Path) -> Any:
    """Content of a torch file (.pt, .pth, zip or older stream) or a pickle (.pkl), tensors on the CPU.

    Dictionaries of any kind come back as dict, parameters as tensors, faiss indexes as such, objects of fairseq,
    omegaconf and argparse as `Inert`. Raises CheckpointError.
    """
    path = Path(path)
    return _read(path, lambda: _read_zip(path) if _is_zip(path) else _read_stream_file(path), "torch or pickle")


def read_npy(path: str | Path) -> np.ndarray:
    """The array in a .npy file, of numbers, or of objects that are numbers or arrays. Raises CheckpointError."""
    path = Path(path)
    return _read(path, lambda: _read_npy_file(path), ".npy")


def _read(path: Path, reader: Callable[[], Any], kind: str) -> Any:
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    try:
        return reader()
    except _Refused as refusal:
        raise CheckpointError(f"{path} {refusal}; nothing in it was run.") from None
    except Exception as error:  # whatever a broken or malicious file makes of the readers
        detail = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(":. ")
        raise CheckpointError(f"{path} is cut short or no {kind} file ({detail}).") from error


class _Refused(Exception):
    """The file asks for something that is not allowed; the message continues a sentence that begins with its name."""


def _is_zip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(names) != 1:
            raise _Refused("is a zip archive, but not one that torch.save wrote")
        if sum(record.file_size for record in archive.infolist()) > path.stat().st_size:
            raise _Refused("unpacks to more than its own size, which no file of torch.save does")
        folder = names[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise _Refused("was written on a big-endian machine, which is not supported")
        storages: dict[str, torch.Tensor] = {}

        def storage(dtype: torch.dtype, key: str, location: str, numel: int) -> torch.Tensor:
            if key not in storages:
                storages[key] = _tensor_of_bytes(archive.read(f"{folder}data/{key}"), dtype)
            return storages[key]

        return _Reader(io.BytesIO(archive.read(names[0])), storage).load()


def _read_stream_file(path: Path) -> Any:
    if not path.stat().st_size:
        raise _Refused("is empty")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return _read_stream(mapped, len(mapped))  # a map reads no more than there is, whatever length is asked for


def _read_stream(file: BinaryIO, size: int) -> Any:
    """A plain pickle, or torch's older format: magic, version, machine, the object, its storages' names and bytes."""
    first = _Reader(file).load()
    if not (isinstance(first, int) and first == _LEGACY_MAGIC):
        return first
    _version, machine = _Reader(file).load(), _Reader(file).load()
    if not machine.get("little_endian", True):
        raise _Refused("was written on a big-endian machine, which is not supported")
    storages: dict[str, torch.Tensor] = {}

    def storage(dtype: torch.dtype, key: str, location: str, numel: int, view: tuple | None = None) -> torch.Tensor:
        if key not in storages:
            if not 0 <= numel * dtype.itemsize <= size:
                raise _Refused("promises more numbers than it holds")
            storages[key] = torch.empty(numel, dtype=dtype)
        return storages[key] if view is None else storages[key].narrow(0, view[1], view[2])

    content = _Reader(file, storage).load()
    keys = _Reader(file).load()
    if sorted(keys) != sorted(storages):
        raise _Refused("does not hold the tensors that it lists")
    for key in keys:
        head, dtype = file.read(8), storages[key].dtype
        numel = int.from_bytes(head, "little")
        data = file.read(numel * dtype.itemsize)
        if len(head) < 8 or numel != len(storages[key]) or len(data) != numel * dtype.itemsize:
            raise _Refused("is cut short")
        storages[key].copy_(_tensor_of_bytes(data, dtype))
    return content


def _read_npy_file(path: Path) -> np.ndarray:
    with open(path, "rb") as file:
        first = np.lib.format.read_magic(file) == (1, 0)
        read_header = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(file)
        content = file.read()
    if not dtype.hasobject:
        array = np.frombuffer(content, dtype, math.prod(shape))
        return array.reshape(shape, order="F" if fortran else "C")
    array = _ObjectsReader(io.BytesIO(content)).load()
    if not isinstance(array, np.ndarray) or array.shape != shape:
        raise _Refused("does not hold the array that it announces")
    return array


class _Reader(pickle._Unpickler):
    """Unpickler that calls nothing but the functions of `_ALLOWED` and builds nothing but plain values and `Inert`."""

    dispatch: ClassVar[dict] = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: BinaryIO, storage: Any = None):
        super().__init__(file)
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full in _ALLOWED:
            return _ALLOWED[full]
        if _FAISS.fullmatch(full):
            return _FaissIndex
        if full == "argparse.Namespace" or module.split(".")[0] in _TOOLKITS:
            return type(name, (Inert,), {"__module__": module})
        raise _Refused(f"asks for {full[:200]!r}, which no model needs, so it may be malicious")

    def persistent_load(self, pid: Any) -> torch.Tensor:
        if self._storage is None or not isinstance(pid, tuple) or pid[0] != "storage" or not isinstance(pid[2], str):
            raise _Refused("refers to something outside itself")
        return self._storage(*pid[1:])

    def load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, np.ndarray):
            version, shape, dtype, fortran, data = state
            target.__setstate__((version, shape, dtype.dtype, fortran, data))
        elif isinstance(target, _FaissIndex):
            self._replace(target, _faiss_index(state["this"]))
        elif isinstance(target, _DType):
            target.dtype = target.dtype.newbyteorder(state[1])
        elif isinstance(target, Inert):
            target.state = state
        elif not isinstance(target, dict):  # a state dict's attributes are of no use here
            raise _Refused(f"changes a {type(target).__name__}, which no model file does")

    def _replace(self, old: Any, new: Any) -> None:
        self.stack[-1] = new
        self.memo = {key: new if value is old else value for key, value in self.memo.items()}

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self._set(items[::2], items[1::2])

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key], [value])

    def _set(self, keys: list, values: list) -> None:
        if not isinstance(self.stack[-1], dict | Inert):
            raise _Refused(f"changes a {type(self.stack[-1]).__name__}, which no model file does")
        for key, value in zip(_flat(keys), values, strict=True):
            self.stack[-1][key] = value

    def load_additems(self) -> None:
        items = self.pop_mark()
        set.update(self.stack[-1], _flat(items))

    def load_frozenset(self) -> None:
        items = self.pop_mark()
        self.append(frozenset(_flat(items)))

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.ADDITEMS[0]] = load_additems
    dispatch[pickle.FROZENSET[0]] = load_frozenset


class _ObjectsReader(_Reader):
    """The same for an array of objects as np.save writes it, where the objects are numbers or arrays of numbers."""

    dispatch: ClassVar[dict] = dict(_Reader.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        return _ObjectDType if (module, name) == ("numpy", "dtype") else super().find_class(module, name)

    def load_build(self) -> None:
        target, state = self.stack[-2:]
        if isinstance(target, np.ndarray) and state[2].dtype.hasobject:
            _version, shape, _dtype, fortran, values = self.stack.pop()
            self._replace(target, _objects(values).reshape(shape, order="F" if fortran else "C"))
        else:
            super().load_build()

    dispatch[pickle.BUILD[0]] = load_build


def _objects(values: list) -> np.ndarray:
    for value in values:
        if (
            not isinstance(value, int | float | np.number | np.ndarray)
            or getattr(value, "dtype", np.dtype(int)).hasobject
        ):
            raise _Refused(f"holds an array of a {type(value).__name__}, which is no number")
    array = np.empty(len(values), object)
    for i, value in enumerate(values):  # a slice would look into the values
        array[i] = value
    return array


def _flat(keys: Any) -> list:
    """The keys, if none is a tuple in a tuple: hashing one nested a million times overflows the stack."""
    keys, nested = list(keys), (tuple, frozenset)
    if any(isinstance(part, nested) for key in keys if isinstance(key, nested) for part in key):
        raise _Refused("has nested tuples for keys, which no model file has")
    return keys


def _dict(pairs: Any = ()) -> dict:
    pairs = list(pairs)
    return dict(zip(_flat(key for key, _ in pairs), (value for _, value in pairs), strict=True))


def _tensor_of_bytes(data: bytes, dtype: torch.dtype) -> torch.Tensor:
    return torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)


def _tensor(storage: torch.Tensor, offset: int, size: tuple, stride: tuple, *_) -> torch.Tensor:
    return torch.as_strided(storage, size, stride, offset)  # refuses to reach beyond the storage


class _DType:
    """A numpy number type on its way in: numpy's own accepts states that corrupt memory."""

    def __init__(self, code: str, align: bool = False, copy: bool = False):
        if not re.fullmatch(r"[<>|=]?[biufcSU]\d+", code):
            raise _Refused(f"holds arrays of {code!r}, which are not numbers")
        self.dtype = np.dtype(code)


class _ObjectDType(_DType):
    """A number type, or that of objects."""

    def __init__(self, code: str, align: bool = False, copy: bool = False):
        if re.fullmatch(r"\|?O\d?", code):
            self.dtype = np.dtype(object)
        else:
            super().__init__(code, align, copy)


class _FaissIndex(Inert):
    """A faiss index until its bytes come."""


# A faiss file of cells of vectors: kind, width, vectors, two unused, trained, metric, cells, cells to search; then the
# centroids as a flat index of the same header and the count of their numbers.
_IVF_HEADER = struct.Struct("<4siqqq?iqq4siqqq?iq")
_IVF_LISTS = struct.Struct("<9s4sqq4sq")  # after the centroids: no direct map, kind, cells, bytes a vector, form, sizes


def _faiss_index(data: bytes) -> Any:
    """The index in the bytes, if it is one that the original makes and its sizes add up.

    faiss believes what it reads: other kinds open files that they name, and a wrong count takes all the memory.
    """
    *cells_of, cells, _, flat, flat_dim, centroids, _, _, _, flat_metric, numbers = _IVF_HEADER.unpack_from(data)
    kind, dim, total, _, _, _, metric = cells_of
    plain = (kind, flat, metric, flat_metric) == (b"IwFl", b"IxF2", 1, 1)
    if not plain or dim < 1 or (flat_dim, centroids, numbers) != (dim, cells, cells * dim):
        raise _Refused("holds a faiss index of another kind than cells of plain vectors")
    lists = _IVF_HEADER.size + 4 * numbers
    no_map, held, held_cells, width, form, count = _IVF_LISTS.unpack_from(data, lists)
    sizes = np.frombuffer(data, "<i8", count, lists + _IVF_LISTS.size).tolist()
    filled = dict(enumerate(sizes)) if form == b"full" else dict(zip(sizes[::2], sizes[1::2], strict=True))
    sound = all(0 <= cell < cells and size >= 0 for cell, size in filled.items()) and sum(filled.values()) == total
    sound &= lists + _IVF_LISTS.size + 8 * count + total * (width + 8) == len(data)
    if (no_map, held, held_cells, width) != (bytes(9), b"ilar", cells, 4 * dim) or not sound:
        raise _Refused("holds a faiss index whose sizes do not add up")
    import faiss

    return faiss.deserialize_index(np.frombuffer(data, np.uint8))


def _array(buffer: bytes, dtype: _DType, shape: tuple, order: str = "C") -> np.ndarray:
    return np.frombuffer(bytearray(buffer), dtype.dtype).reshape(shape, order=order)


_NUMPY = {  # the module's name in numpy 1 and 2
    "multiarray._reconstruct": lambda *_: np.empty(0),
    "multiarray.scalar": lambda dtype, data: _array(data, dtype, (1,))[0],
    "numeric._frombuffer": _array,
}
_ALLOWED = {
    **{f"torch.{name}": dtype for name, dtype in _STORAGES.items()},
    **{f"torch.storage.{name}": dtype for name, dtype in _STORAGES.items()},
    **{f"{module}.{name}": type(name, (Inert,), {}) for module in ("builtins", "__builtin__") for name in _TYPES},
    **{f"{module}.{name}": lambda items=(): set(_flat(items)) for module in ("builtins", "__builtin__")
       for name in ("set", "frozenset")},
    "builtins.bytes": lambda: b"",  # how older pickles say it
    "__builtin__.bytes": lambda: b"",
    "collections.OrderedDict": _dict,
    "collections.defaultdict": lambda *_: {},
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch.storage._load_from_bytes": lambda data: _read_stream(io.BytesIO(data), len(data)),
    "torch.Size": torch.Size,
    "torch.Tensor": type("Tensor", (Inert,), {}),
    "torch.device": type("device", (Inert,), {}),
    "_codecs.encode": lambda text, _encoding: text.encode("latin1"),
    "numpy.dtype": _DType,
    "numpy.ndarray": type("ndarray", (Inert,), {}),
    **{f"numpy.{core}.{name}": function for core in ("core", "_core") for name, function in _NUMPY.items()},
}  # fmt: skip
