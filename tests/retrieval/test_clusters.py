"""K-means centres: the original's lookup, and centres of our own that are as good as its."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from svcnb.checkpoint import CheckpointError, load_clusters
from svcnb.retrieval import Clusters, RetrievalError, save_clusters, units_of
from svcnb.retrieval.clusters import first_centres, kmeans, lloyd


def inertia(units, centers):
    return ((units[:, None] - centers[None]) ** 2).sum(2).min(1).sum()


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_the_originals_file_and_lookup(golden, lookup, name):
    clusters = load_clusters(golden("mixing/kmeans_10000.pt"))
    assert np.array_equal(clusters.centers[name], lookup[f"centers.{name}"])
    x = lookup[f"lookup.{name}.x"]
    for ratio, key in ((0.3, "blend0.3"), (1.0, "blend1.0"), (1.0, "center")):
        assert np.abs(clusters.blend(x, name, ratio) - lookup[f"lookup.{name}.{key}"]).max() < 1e-5
    centers = clusters.centers[name]
    assert np.array_equal(clusters.blend(x, name, 1), centers[lookup[f"lookup.{name}.index"]])
    assert torch.equal(clusters.blend(torch.from_numpy(x), name, 0), torch.from_numpy(x))


@pytest.mark.parametrize("name", ["g0", "g1"])
def test_centres_are_as_good_as_the_originals_own_algorithm_finds(golden, name):
    arrays = load_file(golden("mixing/kmeans_gpu.safetensors"))
    count = json.loads(golden("mixing/kmeans_gpu.json").read_text())[name]["n_clusters"]
    best = min(inertia(arrays[f"{name}.X"], kmeans(arrays[f"{name}.X"], count, seed)) for seed in range(3))
    assert best < 1.02 * inertia(arrays[f"{name}.X"], arrays[f"{name}.centroids"])


@pytest.fixture
def sung():
    """3000 units around sixty sounds, some rare."""
    rng = np.random.default_rng(0)
    which = (60 * rng.random(3000) ** 2).astype(int)
    return (rng.normal(size=(60, 12))[which] + 0.3 * rng.normal(size=(3000, 12))).astype(np.float32)


@pytest.mark.parametrize("count", [40, 300, 600])
@pytest.mark.parametrize("way", ["faiss", "torch"])
def test_centres_are_as_good_as_those_of_scikit_learn(sung, count, way):
    from sklearn.cluster import MiniBatchKMeans

    ways = {"faiss": lambda seed: kmeans(sung, count, seed, device="cpu")}
    ways["torch"] = lambda seed: lloyd(sung, first_centres(sung, count, seed, "cpu"), 8, seed, "cpu")
    made = [ways[way](seed) for seed in range(3)]
    check = MiniBatchKMeans(count, batch_size=4096, max_iter=80, n_init=3, random_state=0).fit(sung)
    assert made[0].shape == (count, 12) and made[0].dtype == np.float32
    assert min(inertia(sung, centres) for centres in made) < 1.02 * inertia(sung, check.cluster_centers_)


def test_no_centre_goes_empty_where_units_are_alike():
    units = np.repeat(np.eye(3, dtype=np.float32), 40, axis=0)
    made = lloyd(units, units[:5], 10, 0, "cpu")
    assert made.shape == (5, 3) and np.isfinite(made).all() and inertia(units, made) < 1e-3
    assert np.array_equal(made, lloyd(units, units[:5], 10, 0, "cpu"))


def test_centres_of_a_work_folder(work, lookup):
    clusters = Clusters.of(work, 5)
    assert list(clusters.centers) == ["alice", "bob"]
    for name, units in units_of(work):
        assert np.array_equal(units, np.concatenate([lookup[f"corpus.{name}.{i}"][0].T for i in range(3)]))
        assert inertia(units, clusters.centers[name]) < 1.1 * inertia(units, lookup[f"centers.{name}"])
    again = Clusters.of(work, 5)
    assert np.array_equal(clusters.centers["bob"], again.centers["bob"])


def test_fewer_units_than_centres(work):
    assert Clusters.of(work).centers["bob"].shape == (100, 6)
    same = Clusters.fit([("a", np.ones((50, 4)))], 8).centers["a"]
    assert same.shape == (8, 4) and np.isfinite(same).all()


@pytest.mark.parametrize("file", ["a.safetensors", "kmeans_10000.pt"])
def test_written_and_read_back(work, tmp_path, file):
    clusters = Clusters.of(work, 7)
    save_clusters(tmp_path / file, clusters)
    again = load_clusters(tmp_path / file)
    assert all(np.array_equal(again.centers[name], table) for name, table in clusters.centers.items())


def test_the_original_finds_what_it_needs_in_the_file(work, tmp_path):
    save_clusters(tmp_path / "kmeans_10000.pt", Clusters.of(work, 7))
    stored = torch.load(tmp_path / "kmeans_10000.pt", weights_only=False)["bob"]
    assert stored["n_features_in_"] == 6 and stored["_n_threads"] == 4
    assert stored["cluster_centers_"].shape == (7, 6) and stored["cluster_centers_"].dtype == np.float32


def test_what_does_not_fit_is_refused(golden, work, tmp_path):
    clusters = Clusters.of(work, 5)
    with pytest.raises(RetrievalError, match=r"speaker 0, only for alice, bob\."):
        clusters.blend(np.zeros((3, 6)), 0, 0.5)
    with pytest.raises(RetrievalError, match="units of 6 values, but these are 3×5"):
        clusters.blend(np.zeros((3, 5)), "bob", 0.5)
    with pytest.raises(RetrievalError, match=r"ratio is 1\.5"):
        clusters.blend(np.zeros((3, 6)), "bob", 1.5)
    with pytest.raises(RetrievalError, match=r"should end in \.safetensors, or \.pt"):
        save_clusters(tmp_path / "a.pkl", clusters)
    with pytest.raises(RetrievalError, match="run `svcnb prepare` first"):
        Clusters.of(tmp_path / "none")
    with pytest.raises(CheckpointError, match="holds an index, not clusters"):
        load_clusters(golden("mixing/feature_and_index.pkl"))
    torch.save({"a": {"cluster_centers_": np.full((2, 2), np.nan)}}, tmp_path / "nan.pt")
    with pytest.raises(CheckpointError, match="no table of numbers"):
        load_clusters(tmp_path / "nan.pt")
    torch.save({"model": {}}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="neither k-means clusters nor"):
        load_clusters(tmp_path / "model.pt")


def test_a_damaged_file_of_features_is_named(work):
    (work / "dataset/44k/bob/1.features.safetensors").write_bytes(b"no")
    with pytest.raises(RetrievalError, match=r"1\.features\.safetensors holds no units or is damaged"):
        list(units_of(work))
