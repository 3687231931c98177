"""Less of the source singer: units drawn towards what the target singer's own recordings hold.

Units say what is sung, but some of who sings leaks through. `Clusters` replace a unit by the nearest of the target's
k-means centres, `Index` by a mean of the eight nearest units of the recordings; both are blended in by a ratio.

Notebook: 06_mixing_export
"""

from svcnb.retrieval.clusters import Clusters
from svcnb.retrieval.corpus import RetrievalError, units_of
from svcnb.retrieval.files import load, load_clusters, load_index, save_clusters, save_index
from svcnb.retrieval.index import Index

__all__ = [
    "Clusters", "Index", "RetrievalError", "load", "load_clusters", "load_index", "save_clusters", "save_index",
    "units_of",
]  # fmt: skip
