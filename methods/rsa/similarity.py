"""How alike are two items, and do two ways of saying so agree? Similarity matrices and representational similarity.

    s = vectors(states)                      # (n, n) cosine
    t = strings([("k", "ae", "t"), …])       # (n, n) 1 - edit distance / longer length
    correlations(pairs(s)[None], pairs(t))   # over all pairs i < j

Chance is for `rsa.chance`.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from methods.core.errors import UserError
from methods.core.statistics import distances

METHODS = {"pearson": "Pearson's r", "spearman": "Spearman's rho"}


# Similarities


def vectors(values: np.ndarray, centred: bool = True) -> np.ndarray:
    """(n, n) cosines, of the vectors less their mean if `centred`: all states point in much the same direction."""
    values = np.asarray(values, dtype=np.float64)
    return 1 - distances.whole(values - values.mean(0) if centred else values, "cosine")


def strings(items: Sequence[Sequence[Hashable]]) -> np.ndarray:
    """(n, n) 1 - Levenshtein distance / length of the longer one; two empty strings are equal."""
    kinds = list(dict.fromkeys(map(tuple, items)))
    table = np.eye(len(kinds))
    for i, first in enumerate(kinds):
        for j in range(i):
            longer = max(len(first), len(kinds[j]))
            table[i, j] = table[j, i] = 1 - edit_distance(first, kinds[j]) / longer
    place = {kind: number for number, kind in enumerate(kinds)}
    codes = [place[tuple(item)] for item in items]
    return table[np.ix_(codes, codes)]


def edit_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """How many symbols must be put in, taken out or exchanged?"""
    previous = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        current = [i]
        for j, b in enumerate(second, start=1):
            current.append(min(previous[j] + 1, current[-1] + 1, previous[j - 1] + (a != b)))
        previous = current
    return previous[-1]


def labels(names: Sequence[Hashable]) -> np.ndarray:
    """(n, n) 1 where two items have the same label, else 0: Pearson's r is then the point-biserial correlation."""
    kinds = {name: number for number, name in enumerate(dict.fromkeys(names))}
    codes = np.array([kinds[name] for name in names])
    return (codes[:, None] == codes[None]).astype(np.float64)


def shared(descriptions: Sequence[Sequence[str]]) -> np.ndarray:
    """(n, n) the share of properties that two items have in common, of as many as either has (Jaccard)."""
    names = sorted({name for description in descriptions for name in description})
    has = np.array([[name in description for name in names] for description in descriptions], dtype=np.float64)
    both = has @ has.T
    either = has.sum(1)[:, None] + has.sum(1)[None] - both
    return np.divide(both, either, out=np.ones_like(both), where=either > 0)


def durations(seconds: np.ndarray) -> np.ndarray:
    """(n, n) minus the difference of the logarithms: twice as long is equally far wherever one starts."""
    logs = np.log(np.maximum(seconds, 1e-3))
    return -np.abs(logs[:, None] - logs[None])


def acoustic(frames: np.ndarray, spans: Sequence[range]) -> np.ndarray:
    """(n, n) minus the mean Euclidean distance along the best alignment (DTW) of the frames, each column scaled."""
    used = np.concatenate([frames[span.start : span.stop] for span in spans]).astype(np.float64)
    spread = used.std(0)
    scaled = frames / np.where(spread > 0, spread, 1.0)
    rows, columns = np.triu_indices(len(spans), 1)
    found = distances.aligned(scaled, spans, np.stack([rows, columns], 1), "euclidean")
    return -squareform(found)


# Agreement


def pairs(matrix: np.ndarray, method: str = "pearson") -> np.ndarray:
    """(n (n - 1) / 2,) what is above the diagonal, in ranks for Spearman."""
    if method not in METHODS:
        raise UserError(f"There is no correlation “{method}”; choose one of {', '.join(METHODS)}.")
    values = matrix[np.triu_indices(len(matrix), 1)]
    return rankdata(values) if method == "spearman" else values


def correlations(rows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(rows,) Pearson's r of each row with the reference; NaN where one side does not vary."""
    return unit(rows) @ unit(reference[None])[0]


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of mean 0 and length 1; those that do not vary are NaN."""
    centred = rows - rows.mean(1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    varies = lengths > 1e-12 * np.maximum(np.abs(rows).max(1, keepdims=True), 1e-300) * np.sqrt(rows.shape[1])
    return np.divide(centred, lengths, out=np.full_like(centred, np.nan), where=varies)


def without(rows: np.ndarray, confounds: Sequence[np.ndarray]) -> np.ndarray:
    """What is left of each row when the confounds are regressed out (least squares, with an intercept)."""
    design = np.stack([np.ones(rows.shape[1]), *confounds], axis=1)
    basis, scales, _ = np.linalg.svd(design / np.maximum(np.linalg.norm(design, axis=0), 1e-300), full_matrices=False)
    basis = basis[:, scales > 1e-10 * scales[0]]
    return rows - (rows @ basis) @ basis.T


def item_basis(columns: Sequence[np.ndarray], n: int) -> np.ndarray:
    """(n, rank) orthonormal basis of an intercept and of what is known of each item, columns of (n,) or (n, k)."""
    design = np.column_stack([np.ones(n), *columns])
    design[:, 1:] -= design[:, 1:].mean(0)
    basis, scales, _ = np.linalg.svd(design / np.maximum(np.linalg.norm(design, axis=0), 1e-300), full_matrices=False)
    return basis[:, scales > 1e-10 * scales[0]]


def polynomial(values: np.ndarray, degree: int = 3) -> np.ndarray:
    """(n, degree) powers of standardised values: a bent line through an item's number, not only a straight one."""
    spread = values.std()
    scaled = (values - values.mean()) / (spread if spread > 0 else 1.0)
    return scaled[:, None] ** np.arange(1, degree + 1)


def left(matrix: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """(…, n, n) similarities of what an item's known columns leave of it: M S M, M = 1 - basis basisᵀ.

    If S holds inner products of vectors, these are the inner products of the vectors' residuals (partial
    distance-based redundancy analysis: Legendre & Anderson 1999; McArdle & Anderson 2001).
    """
    rows = matrix - basis @ (basis.T @ matrix)
    return rows - (rows @ basis) @ basis.T


def display_order(matrix: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Items of the same label together, labels by average-linkage clustering of their mean similarity."""
    kinds = list(dict.fromkeys(names))
    member = np.array([[name == kind for name in names] for kind in kinds], dtype=np.float64)
    member /= member.sum(1, keepdims=True)
    if len(kinds) > 2:
        distance = -(member @ matrix @ member.T)
        distance -= distance.min()
        np.fill_diagonal(distance, 0.0)
        between = squareform((distance + distance.T) / 2, checks=False)
        kinds = [kinds[number] for number in leaves_list(linkage(between, "average"))]
    place = {kind: number for number, kind in enumerate(kinds)}
    return np.argsort([place[name] for name in names], kind="stable")
