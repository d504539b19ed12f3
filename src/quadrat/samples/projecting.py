"""Lays vectors out on a plane, in a process of its own: ``python -m quadrat.samples.projecting METHOD N IN OUT``.

The input holds vectors of N numbers in single precision, the output x and y of each. Only this process loads the
libraries that do it.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

MISSING_LIBRARY = 3
"""Exit code when the method needs a library that is not installed."""
_SEED = 0
# What both slow methods do to vectors of many numbers first, as is usual.
_REDUCED = 50


def project(method: str, vectors: Any) -> Any:
    """X and y of each vector."""
    if method == "umap" and importlib.util.find_spec("umap") is None:
        sys.exit(MISSING_LIBRARY)
    if len(vectors) < 4 or vectors.shape[1] < 2:
        return _plain(vectors)
    if method == "pca":
        return PCA(n_components=2, random_state=_SEED).fit_transform(vectors)
    if vectors.shape[1] > _REDUCED < len(vectors):
        vectors = PCA(n_components=_REDUCED, random_state=_SEED).fit_transform(vectors)
    if method == "tsne":
        perplexity = min(30.0, (len(vectors) - 1) / 3)
        return TSNE(n_components=2, perplexity=perplexity, init="pca", random_state=_SEED).fit_transform(vectors)
    umap = importlib.import_module("umap")
    neighbours = min(15, len(vectors) - 1)
    init = "spectral" if len(vectors) > 10 else "random"
    return umap.UMAP(n_components=2, n_neighbors=neighbours, init=init, random_state=_SEED, n_jobs=1).fit_transform(
        vectors
    )


def _plain(vectors: Any) -> Any:
    """Too few vectors for any method, or vectors of one number: they are shown as they are."""
    flat = np.zeros((len(vectors), 2), np.float32)
    flat[:, : min(2, vectors.shape[1])] = vectors[:, :2]
    return flat


def main() -> None:
    """Read, project, write."""
    method, dimensions, source, target = sys.argv[1:]
    vectors = np.fromfile(source, np.float32).reshape(-1, int(dimensions))
    Path(target).write_bytes(np.ascontiguousarray(project(method, vectors), np.float32).tobytes())


if __name__ == "__main__":
    main()
