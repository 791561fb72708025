"""Many dimensions on a page: PCA, LDA, multidimensional scaling, t-SNE and UMAP, and how much each of them keeps.

Every map is 2-D and unit-less. `quality` tells how far its neighbourhoods can be believed, `aligned` turns maps of
several layers towards each other so that they can be compared by eye.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import pdist, squareform
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.manifold import MDS, TSNE, trustworthiness
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from methods.core.errors import UserError
from methods.core.statistics import matching
from methods.projection import umap

METHODS = {
    "pca": "PCA",
    "lda": "LDA (held-out recordings)",
    "mds": "classical MDS",
    "smacof": "metric MDS (slower)",
    "tsne": "t-SNE (slower)",
    "umap": "UMAP (slower)",
}
NEIGHBOURS = 10  # whom trustworthiness and label agreement ask
FEWEST = 2 * NEIGHBOURS + 2  # points; trustworthiness needs fewer than half of them as neighbours
FIRST_PCA = 50  # dimensions that t-SNE and UMAP begin from
SHRINKAGE = 0.1  # of LDA's covariance towards a multiple of the identity: dimensions often outnumber items
SHUFFLES = 20  # of the labels; their mean is chance
QUALITY = ("trustworthiness", "neighbours in 2-D", "neighbours in full", "silhouette in 2-D", "silhouette in full")


@dataclass(frozen=True, eq=False)
class Embedded:
    """One map."""

    points: np.ndarray  # (n, 2)
    explained: np.ndarray  # (2,) share of variance on each axis (PCA, classical MDS), else NaN
    stress: float  # normalised stress (MDS), else NaN
    accuracy: float  # of the LDA on held-out items whose label it has learnt, else NaN
    shuffled: float  # the same with the training labels shuffled


def standardised(vectors: np.ndarray) -> np.ndarray:
    """Every dimension with mean 0 and variance 1; constant ones stay 0."""
    vectors = np.asarray(vectors, dtype=np.float64)
    spread = vectors.std(0)
    moving = spread > 1e-9 * (1 + np.abs(vectors.mean(0)))
    return np.where(moving, (vectors - vectors.mean(0)) / np.where(moving, spread, 1.0), 0.0)


def embed(
    vectors: np.ndarray,
    method: str,
    *,
    labels: np.ndarray | None = None,
    train: np.ndarray | None = None,
    metric: str = "euclidean",
    perplexity: float = 30.0,
    neighbours: int = 15,
    seed: int = 0,
) -> Embedded:
    """A 2-D map of (n, dim). For LDA, `train` masks the items it learns from; the others alone are on the map.

    `metric` ("euclidean", "cosine") is for the two kinds of MDS and UMAP. Raises UserError for too few points, or
    points that are all in one place.
    """
    if method not in METHODS:
        raise UserError(f"There is no projection “{method}”; choose one of {', '.join(METHODS)}.")
    if len(vectors) < FEWEST:
        raise UserError(
            f"There are {len(vectors)} points and at least {FEWEST} are needed; choose smaller units, or give more "
            "recordings."
        )
    if not np.ptp(vectors, axis=0).max() > 0:
        raise UserError("All points lie in one place here, so there is nothing to map; choose another layer or clip.")
    if method == "pca":
        return _of(*pca(vectors))
    if method == "lda":
        return lda(vectors, labels, train, seed)
    if method == "mds":
        points, share = classical_mds(squareform(pdist(vectors, metric)))
        return _of(points, share, stress(vectors, points, metric))
    points = _by_neighbours(vectors, method, metric, perplexity, neighbours, seed)
    return _of(points, stress=stress(vectors, points, metric) if method == "smacof" else np.nan)


def _of(points: np.ndarray, explained: np.ndarray | None = None, stress: float = np.nan) -> Embedded:
    return Embedded(points, np.full(2, np.nan) if explained is None else explained, stress, np.nan, np.nan)


def pca(vectors: np.ndarray, count: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Scores on the first `count` principal axes and their shares of the variance; the largest loading is positive."""
    centred = np.asarray(vectors, dtype=np.float64) - np.mean(vectors, axis=0)
    left, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    sign = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])
    return (left * sizes * sign)[:, :count], (sizes**2 / (sizes**2).sum())[:count]


def classical_mds(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Torgerson's scaling of (n, n) distances: points, and each axis's share of the positive eigenvalues."""
    squares = distances**2
    inner = -0.5 * (squares - squares.mean(0) - squares.mean(1)[:, None] + squares.mean())
    values, axes = np.linalg.eigh(inner)
    values, axes = values[::-1], axes[:, ::-1]
    sign = np.sign(axes[np.abs(axes).argmax(0), np.arange(len(values))])
    kept = np.maximum(values[:2], 0)
    return (axes * sign)[:, :2] * np.sqrt(kept), kept / values[values > 0].sum()


def stress(vectors: np.ndarray, points: np.ndarray, metric: str = "euclidean") -> float:
    """Kruskal's stress-1 with the best scale: 0 if all distances are kept up to a factor."""
    wanted, found = pdist(vectors, metric), pdist(points)
    scale = (wanted * found).sum() / max((found**2).sum(), np.finfo(float).tiny)
    return float(np.sqrt(((wanted - scale * found) ** 2).sum() / (wanted**2).sum()))


def lda(vectors: np.ndarray, labels: np.ndarray, train: np.ndarray, seed: int = 0) -> Embedded:
    """Held-out items on the two directions that part the training items' labels best.

    On its own training items LDA parts even random labels once dimensions outnumber items, hence held out only. Its
    accuracy counts labels that it has learnt: it can never be right on another.
    """
    known, counts = np.unique(labels[train], return_counts=True)
    known = known[counts >= 2]
    usable = train & np.isin(labels, known)
    if len(known) < 3:
        raise UserError(
            f"LDA needs three labels with two items each among its training recordings and found {len(known)}; choose "
            "other labels, or give more recordings."
        )
    held = ~train
    if held.sum() < FEWEST:
        raise UserError(
            f"Only {held.sum()} items are left in the recordings that LDA has not learnt from, and {FEWEST} are "
            "needed; give more recordings, or choose another projection."
        )
    met = held & np.isin(labels, known)
    if not met.any():
        raise UserError(
            f"None of the {len(known)} labels that LDA has learnt occurs in the recordings it has not learnt from, "
            "probably because each belongs to one recording; choose other labels, or give several recordings of each."
        )
    right = _discriminant().fit(vectors[usable], labels[usable])
    mixed = np.random.default_rng(seed).permutation(labels[usable])
    wrong = _discriminant().fit(vectors[usable], mixed)
    accuracy, shuffled = ((model.predict(vectors[met]) == labels[met]).mean() for model in (right, wrong))
    nothing = np.full(2, np.nan)
    return Embedded(right.transform(vectors[held])[:, :2], nothing, np.nan, float(accuracy), float(shuffled))


def _discriminant() -> LinearDiscriminantAnalysis:
    return LinearDiscriminantAnalysis(solver="eigen", shrinkage=SHRINKAGE)


def _by_neighbours(
    vectors: np.ndarray, method: str, metric: str, perplexity: float, neighbours: int, seed: int
) -> np.ndarray:
    if method == "smacof":
        table = squareform(pdist(vectors, metric))
        start = classical_mds(table)[0]
        found = MDS(2, metric="precomputed", n_init=1, init="classical_mds", max_iter=300, random_state=seed, n_jobs=1)
        return found.fit_transform(table) if np.ptp(start) > 0 else start
    few = pca(vectors, min(FIRST_PCA, *vectors.shape))[0]
    if method == "tsne":
        close = min(perplexity, most_perplexity(len(few)))
        return TSNE(2, perplexity=close, init="pca", learning_rate="auto", max_iter=1000, random_state=seed, n_jobs=1
                    ).fit_transform(few)  # fmt: skip
    count = min(neighbours, len(few) - 1)
    return umap.umap(few, few[:, :2], neighbours=count, metric=metric, seed=seed)


def most_perplexity(points: int) -> float:
    """t-SNE looks at three times as many neighbours, and there are no more than the other points."""
    return (points - 1) / 3


# How far can a map be believed?


def quality(vectors: np.ndarray, points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(5,) the numbers of QUALITY, from the full space and its map."""
    several = 1 < len(np.unique(labels)) < len(labels)
    silhouettes = [silhouette_score(space, labels) if several else np.nan for space in (points, vectors)]
    return np.array(
        [
            trustworthiness(vectors, points, n_neighbors=NEIGHBOURS),
            agreement(points, labels),
            agreement(vectors, labels),
            *silhouettes,
        ]
    )


def agreement(vectors: np.ndarray, labels: np.ndarray) -> float:
    """The mean share of a point's ten nearest neighbours that have its label."""
    return _agreement(_nearest(vectors), labels)


def _nearest(vectors: np.ndarray) -> np.ndarray:
    return NearestNeighbors(n_neighbors=NEIGHBOURS).fit(vectors).kneighbors(return_distance=False)


def _agreement(near: np.ndarray, labels: np.ndarray) -> float:
    return float((labels[near] == labels[:, None]).mean())


def agreement_by_chance(labels: np.ndarray) -> float:
    """The same if neighbours were drawn at random among the other points."""
    counts = np.unique(labels, return_counts=True)[1]
    return float((counts * (counts - 1)).sum() / (len(labels) * (len(labels) - 1)))


def agreement_of_tokens_by_chance(vectors: np.ndarray, labels: np.ndarray, token: np.ndarray, seed: int = 0) -> float:
    """The same if the labels had nothing to do with the vectors, where points come in tokens (n,) of one label.

    Frames of a phone are each other's neighbours because it lasts, and share its label: labels are dealt out anew to
    whole tokens, SHUFFLES times. Only among tokens of about as many points: labels that last have more of the points
    than of the tokens, and meet themselves more often than labels dealt out to tokens of any length would.
    """
    _, first, of_point, size = np.unique(token, return_index=True, return_inverse=True, return_counts=True)
    codes, lots = np.unique(labels, return_inverse=True)[1][first], matching.strata(size)
    near, rng = _nearest(vectors), np.random.default_rng(seed)
    return float(np.mean([_agreement(near, _dealt(codes, lots, rng)[of_point]) for _ in range(SHUFFLES)]))


def _dealt(codes: np.ndarray, lots: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """(n,) the codes, those of each lot in a new order."""
    found = codes.copy()
    for lot in lots:
        found[lot] = rng.permutation(codes[lot])
    return found


# Maps of several layers beside each other


def aligned(maps: Sequence[np.ndarray]) -> np.ndarray:
    """(layers, n, 2) every map centred, of mean square radius 1, and turned or mirrored towards the one before."""
    found: list[np.ndarray] = []
    for points in maps:
        scaled = points - points.mean(0)
        size = np.sqrt((scaled**2).sum(1).mean())
        scaled = scaled / size if size > 0 else scaled
        found.append(scaled @ orthogonal_procrustes(scaled, found[-1])[0] if found else scaled)
    return np.array(found)


def direction(points: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Which way on the map do these values rise fastest, and how much of their variance is a plane?

    Unit vector (2,) of the regression on the two coordinates, and R²; NaN values are left out, and with fewer than
    four, or no spread, both are NaN.
    """
    known = np.isfinite(values)
    design = np.column_stack([points[known], np.ones(known.sum())])
    if known.sum() < 4 or np.ptp(values[known]) == 0 or np.linalg.matrix_rank(design) < 3:
        return np.full(2, np.nan), float("nan")
    slopes = np.linalg.lstsq(design, values[known], rcond=None)[0]
    left = values[known] - design @ slopes
    share = 1 - (left**2).sum() / ((values[known] - values[known].mean()) ** 2).sum()
    steep = np.linalg.norm(slopes[:2])
    return (slopes[:2] / steep if steep > 0 else np.full(2, np.nan)), float(share)
