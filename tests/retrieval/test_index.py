"""Feature retrieval: the original's index, neighbours and blends, without its defects."""

import json
import pickle

import faiss
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from svcnb.checkpoint import CheckpointError, load_index
from svcnb.retrieval import Index, RetrievalError, load, save_index
from svcnb.retrieval.index import _build


@pytest.fixture(scope="module")
def arrays(golden):
    return load_file(golden("mixing/retrieval.safetensors"))


@pytest.fixture(scope="module")
def index(golden):
    return load_index(golden("mixing/feature_and_index.pkl"))


def close(ours, theirs):
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


@pytest.mark.parametrize("number", [0, 1])
def test_the_originals_file_and_lookup(index, arrays, number):
    x = arrays[f"query.{number}.x"]
    for ratio, key in ((0.5, "blend0.5"), (0.8, "blend0.8"), (1, "retrieved")):
        close(index.blend(x, number, ratio), arrays[f"query.{number}.{key}"])
    close(index.blend(torch.from_numpy(x), number, 0.5).numpy(), arrays[f"query.{number}.blend0.5"])
    cells = index.cells[number]
    assert np.array_equal(cells.reconstruct_n(0, cells.ntotal), arrays[f"vectors.{number}"])
    assert [cells.nlist, cells.nprobe] == arrays[f"nlist_nprobe.{number}"].tolist()


@pytest.mark.parametrize("number", [0, 1])
def test_a_unit_that_is_stored_retrieves_itself(index, arrays, number):
    x = arrays[f"exact_hit.{number}.x"]
    assert np.isnan(arrays[f"exact_hit.{number}.weights"]).any()  # what the original makes of it
    close(index.blend(x, number, 1), x)


def test_a_cell_of_fewer_than_eight(arrays, tmp_path):
    vectors, coarse = arrays["small_cell.vectors"], arrays["small_cell.coarse"]
    cell = ((vectors[:, None] - coarse[None]) ** 2).sum(2).argmin(1).astype(np.int32)
    parts = {"0.units": vectors, "0.centroids": coarse, "0.cell": cell}
    save_file(parts, tmp_path / "a.safetensors", {"format": "1", "kind": "index"})
    index, x = load_index(tmp_path / "a.safetensors"), arrays["small_cell.x"]
    assert (index.cells[0].search(x, 8)[1] == arrays["small_cell.ix"]).all()
    close(index.blend(x, 0, 1), arrays["small_cell.retrieved"])


def test_an_empty_cell_changes_nothing(tmp_path):
    parts = {
        "0.units": np.zeros((9, 2), np.float32),
        "0.centroids": np.float32([[0, 0], [9, 9]]),
        "0.cell": np.zeros(9, np.int32),
    }
    save_file(parts, tmp_path / "a.safetensors", {"format": "1", "kind": "index"})
    x = np.float32([[8, 9]])
    assert np.array_equal(load_index(tmp_path / "a.safetensors").blend(x, 0, 1), x)


def test_cells_as_many_as_the_originals(golden):
    for size, expected in json.loads(golden("mixing/retrieval_small_corpora.json").read_text()).items():
        if size.isdigit():
            units = np.random.default_rng(0).standard_normal((int(size), 6)).astype(np.float32)
            assert _build(units, 0).nlist == max(1, int(expected.split()[1]))  # none at all can not be searched


def test_an_index_of_a_work_folder(work, lookup):
    index = Index.of(work)
    assert sorted(index.cells) == [0, 1]
    bob = np.concatenate([lookup[f"corpus.bob.{i}"][0].T for i in range(3)])
    cells = index.cells[0]
    stored = cells.reconstruct_n(0, cells.ntotal)
    assert not np.array_equal(stored, bob)  # in random order
    assert np.array_equal(stored[np.lexsort(stored.T)], bob[np.lexsort(bob.T)])
    assert (cells.nlist, cells.nprobe, cells.metric_type) == (2, 1, faiss.METRIC_L2)
    close(index.blend(bob, 0, 1), bob)


def test_much_singing_is_reduced_to_centres(monkeypatch):
    monkeypatch.setattr("svcnb.retrieval.index.LARGE", 300)
    monkeypatch.setattr("svcnb.retrieval.index.COUNT", 60)
    units = np.random.default_rng(0).standard_normal((400, 4))
    assert Index.fit([(0, units)]).cells[0].ntotal == 60


def test_fewer_units_than_neighbours():
    units = np.float32([[0, 0], [1, 1], [5, 5]])
    assert Index.fit([(0, units)]).blend(np.float32([[5, 5.1]]), 0, 1) == pytest.approx(np.array([[5, 5]]), abs=1e-3)


@pytest.mark.parametrize("file", ["a.safetensors", "feature_and_index.pkl"])
def test_written_and_read_back(index, arrays, tmp_path, file):
    save_index(tmp_path / file, index)
    again = load_index(tmp_path / file)
    for number in (0, 1):
        x = arrays[f"query.{number}.x"]
        assert np.array_equal(again.blend(x, number, 0.5), index.blend(x, number, 0.5))
    save_index(tmp_path / "again.pkl", again)  # what was put together from its parts is a whole faiss index
    theirs = pickle.loads((tmp_path / "again.pkl").read_bytes())
    assert theirs[1].search(arrays["query.1.x"], 8)[1].tolist() == arrays["query.1.ix"].tolist()


def test_what_does_not_fit_is_refused(golden, index, work, tmp_path):
    with pytest.raises(RetrievalError, match=r"speaker 'bob', only for 0, 1\."):
        index.blend(np.zeros((3, 6)), "bob", 0.5)
    with pytest.raises(RetrievalError, match="units of 6 values"):
        index.blend(np.zeros((3, 7)), 0, 0.5)
    with pytest.raises(CheckpointError, match="holds clusters, not an index"):
        load_index(golden("mixing/kmeans_10000.pt"))
    with pytest.raises(RetrievalError, match=r"or \.pkl for"):
        save_index(tmp_path / "a.pt", index)
    for path in (work / "dataset/44k/bob").iterdir():
        path.unlink()
    with pytest.raises(RetrievalError, match="no features of bob"):
        Index.of(work)


@pytest.mark.parametrize(
    "change",
    [
        {"0.cell": np.full(9, 2, np.int32)},
        {"0.cell": np.full(9, -1, np.int32)},
        {"0.cell": np.zeros(8, np.int32)},
        {"0.cell": np.zeros(9, np.int64)},
        {"0.centroids": np.zeros((2, 3), np.float32)},
        {"0.units": np.full((9, 2), np.inf, np.float32)},
        {"1.units": np.zeros((9, 2), np.float32)},
    ],
)
def test_a_file_whose_parts_do_not_fit(tmp_path, change):
    parts = {
        "0.units": np.zeros((9, 2), np.float32),
        "0.centroids": np.zeros((2, 2), np.float32),
        "0.cell": np.zeros(9, np.int32),
    }
    save_file({**parts, **change}, tmp_path / "a.safetensors", {"format": "1", "kind": "index"})
    with pytest.raises(CheckpointError, match="is no whole index"):
        load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("metadata", [None, {"kind": "sovits", "format": "1"}, {"kind": "index", "format": "9"}])
def test_another_file_of_ours(tmp_path, metadata):
    save_file({"a": np.zeros(3)}, tmp_path / "a.safetensors", metadata)
    with pytest.raises(CheckpointError, match=r"neither clusters nor|another version"):
        load(tmp_path / "a.safetensors")
    (tmp_path / "b.safetensors").write_bytes(b"short")
    with pytest.raises(CheckpointError, match="cut short"):
        load(tmp_path / "b.safetensors")
    with pytest.raises(CheckpointError, match="There is no file"):
        load(tmp_path / "c.safetensors")
