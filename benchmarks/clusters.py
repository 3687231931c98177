"""How fast k-means centres are made, and how good they are, beside scikit-learn's KMeans as the original calls it.

    python -m benchmarks.clusters --centres 1000

The units are made up: sixty sounds in turn, drifting, in 24 dimensions that are bent into 256.
"""

import argparse
import time

import faiss
import numpy as np
from sklearn.cluster import KMeans

from svcnb.retrieval.clusters import kmeans


def units(count: int, width: int = 256) -> np.ndarray:
    rng = np.random.default_rng(0)
    sounds = rng.normal(size=(60, 24))[np.repeat(rng.integers(0, 60, count // 6 + 1), 6)[:count]]
    drift = np.stack([np.convolve(row, np.ones(5) / 5, "same") for row in sounds.T], 1)
    inner = drift + 0.35 * rng.normal(size=drift.shape)
    return (np.tanh(0.3 * inner @ rng.normal(size=(24, width))) + 0.15 * rng.normal(size=(count, width))).astype("f4")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--centres", type=int, default=1000)
    parser.add_argument("--units", type=int, help="18 for each centre, if not given: an hour for 10,000")
    args = parser.parse_args()
    x = units(args.units or 18 * args.centres)
    ways = {
        "scikit-learn": lambda: KMeans(args.centres, n_init=1, random_state=0).fit(x).cluster_centers_,
        "svcnb": lambda: kmeans(x, args.centres),
    }
    print(f"{len(x)} units, {args.centres} centres\n{'':14}{'CPU s':>10}{'inertia':>12}")
    for name, make in ways.items():
        start = time.process_time()
        centres = np.ascontiguousarray(make(), np.float32)
        seconds = time.process_time() - start
        print(f"{name:14}{seconds:10.2f}{faiss.knn(x, centres, 1)[0].sum():12.0f}", flush=True)


if __name__ == "__main__":
    main()
