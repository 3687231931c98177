"""Files from elsewhere: what torch and pickle write is read back equal, what asks for code to be run runs nothing."""

import argparse
import collections
import functools
import io
import operator
import os
import pickle
import struct
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from svcnb.checkpoint import CheckpointError, Inert, read_torch
from svcnb.unpickle import read_npy

TENSORS = {
    "float": torch.randn(3, 4),
    "half": torch.randn(5).half(),
    "bfloat": torch.randn(2).bfloat16(),
    "integers": [torch.arange(4), torch.arange(4, dtype=torch.int32), torch.tensor([True, False])],
    "number": torch.tensor(3.5),
    "empty": torch.empty(0, 7),
    "turned": torch.randn(3, 4).T,
    "part": torch.arange(10)[2:8:2],
    "nested": collections.OrderedDict(a=(1, 2.5, None, True, "é", b"x"), b={"c": {3}}),
}


def equal(a, b) -> bool:
    if isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and a.stride() == b.stride() and torch.equal(a, b)
    if isinstance(b, dict):  # ordered or not
        return type(a) is dict and list(a) == list(b) and all(equal(a[key], b[key]) for key in b)
    if isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and a == b


def write_zip(content, path):
    torch.save(content, path)


def write_stream(content, path):
    torch.save(content, path, _use_new_zipfile_serialization=False)


def write_pickle(content, path):
    path.write_bytes(pickle.dumps(content))


WRITERS = [write_zip, write_stream, write_pickle]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.pt"


# what is read


@pytest.mark.parametrize("write", WRITERS)
def test_tensors_and_containers_come_back(write, path):
    write(TENSORS, path)
    assert equal(read_torch(path), TENSORS)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_every_protocol(protocol, path):
    path.write_bytes(pickle.dumps(TENSORS, protocol))
    assert equal(read_torch(path), TENSORS)


@pytest.mark.parametrize("write", WRITERS[:2])
def test_tensors_that_share_memory_still_do(write, path):
    whole = torch.zeros(10)
    write({"whole": whole, "part": whole[2:4], "parameter": torch.nn.Parameter(whole)}, path)
    read = read_torch(path)
    read["part"] += 1
    assert read["whole"].sum() == 2 and type(read["parameter"]) is torch.Tensor


@pytest.mark.parametrize("name", ["sovits/checkpoint/G_tiny.pth", "diffusion/checkpoint/model_7.pt"])
def test_original_checkpoints_read_as_torch_reads_them(golden, name):
    assert equal(read_torch(golden(name)), dict(torch.load(golden(name), weights_only=True)))


@pytest.mark.parametrize("write", WRITERS)
def test_arrays(write, path):
    arrays = {
        "c": np.arange(6.0, dtype=np.float32).reshape(2, 3), "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "big endian": np.arange(3, dtype=">i2"), "words": np.array(["a", "bc"]), "scalar": np.float64(2.5),
        "none": np.empty((0, 4)),
    }  # fmt: skip
    write(arrays, path)
    read = read_torch(path)
    for key, array in arrays.items():
        assert type(read[key]) is type(array) and read[key].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(read[key], array)


def test_original_clusters(golden):
    clusters = read_torch(golden("mixing/kmeans_10000.pt"))
    truth = load_file(golden("mixing/kmeans_lookup.safetensors"))
    assert list(clusters) == ["alice", "bob"]
    for name, entry in clusters.items():
        assert entry["n_features_in_"] == 6
        np.testing.assert_array_equal(entry["cluster_centers_"], truth[f"centers.{name}"])


def test_original_index(golden):
    indexes = read_torch(golden("mixing/feature_and_index.pkl"))
    truth = load_file(golden("mixing/retrieval.safetensors"))
    assert list(indexes) == [0, 1]
    for speaker, index in indexes.items():
        np.testing.assert_array_equal(index.reconstruct_n(0, index.ntotal), truth[f"vectors.{speaker}"])
        assert [index.nlist, index.nprobe] == truth[f"nlist_nprobe.{speaker}"].tolist()
        np.testing.assert_array_equal(index.search(truth[f"query.{speaker}.x"], 8)[1], truth[f"query.{speaker}.ix"])


def test_objects_of_training_toolkits_are_stood_in_for(path, monkeypatch):
    """As in a fairseq file: settings as a namespace, a dictionary object in the task's state."""
    module = types.ModuleType("fairseq.data.dictionary")
    fairseq = {name: types.ModuleType(name) for name in ("fairseq", "fairseq.data")} | {module.__name__: module}

    class Dictionary(list):
        def __setstate__(self, state):
            raise AssertionError("the object itself was built")

    Dictionary.__module__, Dictionary.__qualname__ = module.__name__, "Dictionary"
    module.Dictionary = Dictionary
    dictionary = Dictionary([1, 2])
    dictionary.symbols = ["a"]
    for name, fake in fairseq.items():
        monkeypatch.setitem(sys.modules, name, fake)
    factory = collections.defaultdict(dict, a={"b": 1})
    torch.save({"args": argparse.Namespace(rate=3), "task": dictionary, "d": factory, "model": TENSORS}, path)
    for name in fairseq:
        monkeypatch.delitem(sys.modules, name)
    read = read_torch(path)
    assert equal(read["model"], TENSORS) and equal(read["d"], dict(factory))
    assert read["args"].state == {"rate": 3} and isinstance(read["args"], Inert)
    task = read["task"]
    assert (type(task).__name__, task.items, task.state) == ("Dictionary", [1, 2], {"symbols": ["a"]})


def test_stand_ins_do_nothing(path, tmp_path):
    canary, state = tmp_path / "canary", {"__class__": 1, "args": 0}
    write_pickle(Calls(Path.touch, Path(canary), state=state), path)
    read = read_torch(path)
    assert not canary.exists()
    assert isinstance(read, Inert) and isinstance(read.args[0], Inert) and read.state == state


# what is refused


class Calls:
    """Pickles as a call of a function with arguments."""

    def __init__(self, function, *args, state=None):
        self.call = (function, args, state)

    def __reduce__(self):
        return self.call


def innocent(path):
    """A file that torch.load would run, whatever it holds."""
    buffer = io.BytesIO()
    torch.save(Calls(os.system, f"touch {path}"), buffer)
    return buffer.getvalue()


def text(*lines: str) -> bytes:
    return "\n".join(lines).encode() + b"\n"


CALLS = {
    "os.system": lambda canary: Calls(os.system, f"touch {canary}"),
    "eval": lambda canary: Calls(eval, f"open({str(canary)!r}, 'w')"),
    "exec": lambda canary: Calls(exec, f"open({str(canary)!r}, 'w')"),
    "open": lambda canary: Calls(open, str(canary), "w"),
    "__import__": lambda canary: Calls(__import__, "antigravity"),
    "getattr": lambda canary: Calls(getattr, Calls(__import__, "os"), "system"),
    "functools.partial": lambda canary: Calls(functools.partial, os.system, f"touch {canary}"),
    "methodcaller": lambda canary: Calls(operator.methodcaller("touch"), Path(canary)),
    "pickle.loads": lambda canary: Calls(pickle.loads, pickle.dumps(Calls(os.system, f"touch {canary}"))),
    "torch.load": lambda canary: Calls(torch.load, io.BytesIO(innocent(canary))),
    "torch.storage._load_from_bytes": lambda canary: Calls(torch.storage._load_from_bytes, innocent(canary)),
    "torch.hub.load": lambda canary: Calls(torch.hub.load, "a/b", "c"),
    "torch.jit.load": lambda canary: Calls(torch.jit.load, str(canary)),
    "numpy.load": lambda canary: Calls(np.load, str(canary), None, True),
    "module": lambda canary: torch.nn.Linear(1, 1),
    "array of objects": lambda canary: np.array([Calls(os.system, f"touch {canary}")], dtype=object),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("write", WRITERS)
def test_calls_are_refused(write, call, path, tmp_path):
    canary = tmp_path / "canary"
    write({"a": torch.zeros(2), "b": CALLS[call](canary)}, path)
    with pytest.raises(CheckpointError) as error:
        read_torch(path)
    assert not canary.exists()
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_the_name_that_was_asked_for_is_told(path):
    write_pickle(Calls(os.system, "true"), path)
    with pytest.raises(CheckpointError, match=r"asks for '(posix|nt).system', which no model needs.*; nothing"):
        read_torch(path)


TRICKS = {  # hand-written pickles
    "call of a stand-in": text("cfairseq", "x.__class__", "(tR(tR."),
    "build on a class": text("ccollections", "OrderedDict", "}S'update'", "I1", "sb."),
    "build on a function": text("ctorch._utils", "_rebuild_tensor_v2", "(N}S'__defaults__'", "(I1", "tstb."),
    "build on a type of tensors": text("ctorch", "FloatStorage", "}b."),
    "item of a function": text("ctorch._utils", "_rebuild_tensor_v2", "S'a'", "S'b'", "s."),
    "object by INST": text("(S'true'", "ios", "system", "."),
    "object by OBJ": text("(cos", "system", "S'true'", "o."),
    "name with dots": b"\x80\x04\x8c\x08builtins\x8c\x0ddict.__class__\x93.",
    "extension registry": b"\x80\x02\x82\x01.",
    "persistent id": text("S'storage'", "Q."),
    "storage in a plain pickle": text("(S'storage'", "ctorch", "FloatStorage", "S'0'", "S'cpu'", "I1", "tQ."),
    "dtype of objects": text("cnumpy", "dtype", "(S'O8'", "tR."),
    "dtype with a crafted state": text("cnumpy", "dtype", "(S'f4'", "tR(I3", "S'x'", "NNNI-1", "I-1", "I0", "tb."),
    "array beyond its data": text("cnumpy.core.multiarray", "_reconstruct", "(tR(I1", "(I9", "t")
    + text("cnumpy", "dtype", "(S'f4'", "tRI00", "S'1234'", "tb."),
    "tensor out of nothing": text("ctorch._utils", "_rebuild_tensor_v2", "(NI0", "(I9", "t(I1", "ttR."),
    "pop of nothing": b"0.",
    "no end": b"\x80\x04}",
    "unknown command": b"\xfe.",
    "string longer than the file": b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"a.",
    "bytearray longer than the file": b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"a.",
    "key of many nested tuples": b"\x80\x02}K\x01" + b"\x85" * 20_000 + b"K\x02s.",
    "keys of nested tuples": b"\x80\x02}(K\x01\x85\x85K\x02u.",
    "set of nested tuples": b"\x80\x04\x8f(K\x01\x85\x85\x90.",
    "frozen set of nested tuples": b"\x80\x04(K\x01\x85\x85\x91.",
    "pairs of nested tuples": text("ccollections", "OrderedDict", "((((I1", "tt(tttR."),
    "set of pairs on a dict": b"\x80\x04}(](K\x01\x85\x85K\x02e\x90.",
    "text": b"hello, world\n",
    "web page": b"<!DOCTYPE html><html></html>\n",
    "noise": bytes(range(256)) * 9,
    "empty": b"",
    "zip of something": None,
}  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
def test_tricks_are_refused(trick, path):
    if TRICKS[trick] is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("hello.txt", "hello")
    else:
        path.write_bytes(TRICKS[trick])
    with pytest.raises(CheckpointError) as error:
        read_torch(path)
    assert "\n" not in str(error.value)


def test_nesting_and_loops_are_harmless(path):
    loop = []
    loop.append(loop)
    write_pickle(loop, path)
    assert read_torch(path)[0][0] is not None
    path.write_bytes(b"\x80\x02" + b"]" * 30_000 + b"a" * 29_999 + b".")
    assert isinstance(read_torch(path), list)


def test_bytes_in_bytes_end(path):
    content = b"\x80\x02K\x01."
    for _ in range(400):
        content = pickle.dumps(Calls(torch.storage._load_from_bytes, content))
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        read_torch(path)


@pytest.mark.parametrize("write", WRITERS)
def test_files_cut_short_anywhere(write, path):
    write(TENSORS, path)
    whole = path.read_bytes()
    for length in (*(int(share * len(whole)) for share in (0.02, 0.2, 0.5, 0.9)), *range(len(whole) - 4, len(whole))):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            read_torch(path)


def test_a_stream_cut_short_in_the_length_of_an_empty_tensor(path):
    write_stream({"empty": torch.empty(0, 7)}, path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError):
        read_torch(path)


def rezip(path, change, **settings):
    """Write a zip again with its records changed."""
    with zipfile.ZipFile(path) as archive:
        records = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", **settings) as archive:
        for name, data in change(records).items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: {k: v for k, v in r.items() if "/data/" not in k}, "cut short"),
        (lambda r: {k: v[:-8] if k.endswith("/data/0") else v for k, v in r.items()}, "cut short"),
        (lambda r: r | {"file/byteorder": b"big"}, "big-endian"),
        (lambda r: r | {"other/data.pkl": b"\x80\x02K\x01."}, "not one that torch.save wrote"),
    ],
)
def test_zips_that_do_not_add_up(change, message, path):
    torch.save({"a": torch.arange(8)}, path)
    rezip(path, change)
    with pytest.raises(CheckpointError, match=message):
        read_torch(path)


def test_zip_that_unpacks_to_more_than_it_is(path):
    torch.save({"a": torch.zeros(1_000_000)}, path)
    rezip(path, dict, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(CheckpointError, match="unpacks to more than its own size"):
        read_torch(path)


def test_older_files_that_promise_more_than_they_hold(path):
    write_stream({"a": torch.zeros(77)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"K\x4dN", b"J\xff\xff\xff\x7fN"))
    assert path.read_bytes() != whole
    with pytest.raises(CheckpointError, match="promises more"):
        read_torch(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"ilar", b"ilod"),  # lists in a file that it names
        (bytes(9) + b"ilar", b"\1" + bytes(8) + b"ilar"),
        (b"IxF2" + struct.pack("<iq", 6, 5), b"IxF2" + struct.pack("<iq", 6, 6)),
        (b"IwFl", b"IwPQ"),
        (struct.pack("<qq", 5, 1), struct.pack("<qq", 2**40, 1)),  # cells
        (struct.pack("<i", 6), struct.pack("<i", 0)),  # width
        (b"full" + struct.pack("<q", 5), b"full" + struct.pack("<q", 2**60)),
    ],
)
def test_an_index_that_does_not_add_up_never_reaches_faiss(golden, old, new, path, monkeypatch):
    import faiss

    monkeypatch.setattr(faiss, "deserialize_index", lambda *_: pytest.fail("it reached faiss"))
    whole = golden("mixing/feature_and_index.pkl").read_bytes()
    path.write_bytes(whole[:68] + whole[68:].replace(old, new, 1))
    assert path.read_bytes() != whole
    with pytest.raises(CheckpointError):
        read_torch(path)


def test_storages_are_named_by_words(path):
    """Hashing a name of many nested tuples would overflow the stack."""
    torch.save({"a": torch.zeros(1)}, path)
    name = b"X\x01\x00\x00\x000"
    rezip(path, lambda r: r | {"file/data.pkl": r["file/data.pkl"].replace(name, name + b"\x85\x85", 1)})
    with pytest.raises(CheckpointError, match="refers to something outside itself"):
        read_torch(path)


def test_missing_files_and_folders(tmp_path):
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(CheckpointError, match="There is no file"):
            read_torch(path)


# .npy


def test_npy_files_of_numbers_and_of_objects_are_read(tmp_path):
    path, mel = tmp_path / "a.npy", np.ones((3, 4), np.float32)
    pair = np.empty(2, dtype=object)
    pair[0], pair[1] = mel, 1.5
    for array in (mel, mel.T, np.arange(3), np.array([[1.5, 2.0], [0.0, 1.0]], dtype=object), np.zeros((0, 2))):
        np.save(path, array)
        np.testing.assert_array_equal(read_npy(path), array)
    np.save(path, pair)
    first, second = read_npy(path)
    assert second == 1.5 and first.dtype == np.float32
    np.testing.assert_array_equal(first, mel)


@pytest.mark.parametrize(
    "values",
    [["text"], [None], [[1]], [np.array([[]], dtype=object)], [{}]],
    ids=["text", "None", "list", "objects", "dict"],
)
def test_npy_files_of_other_objects_are_refused(tmp_path, values):
    array = np.empty(1, dtype=object)
    array[0] = values[0]
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(CheckpointError, match="which is no number"):
        read_npy(tmp_path / "a.npy")


def test_npy_files_that_call_something_or_are_cut_short_are_refused(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.array([Calls(os.system, f"touch {tmp_path}/canary")], dtype=object))
    with pytest.raises(CheckpointError, match="nothing in it was run"):
        read_npy(path)
    assert not (tmp_path / "canary").exists()
    np.save(path, np.ones(1000))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"cut short or no \.npy file"):
        read_npy(path)
    path.write_bytes(path.read_bytes().replace(b"(1000,)", b"(9**9,)"))
    with pytest.raises(CheckpointError, match=r"no \.npy file"):
        read_npy(path)
