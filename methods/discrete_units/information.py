"""Information between two labellings, from a table of counts: rows are one label (phones), columns the other."""

import numpy as np


def entropy(counts: np.ndarray) -> float:
    """Bits of a distribution given by counts."""
    share = np.asarray(counts, dtype=np.float64).ravel()
    share = share[share > 0] / share.sum()
    return float(-(share * np.log2(share)).sum())


def mutual_information(table: np.ndarray) -> float:
    """Bits that one label tells of the other: H(row) + H(column) - H(both). Plug-in: biased upwards for few counts."""
    return max(entropy(table.sum(1)) + entropy(table.sum(0)) - entropy(table), 0.0)


def scores(table: np.ndarray) -> np.ndarray:
    """(4,) mutual information (bits), its share of the rows' entropy, phone purity and cluster purity."""
    told, all_there_is = mutual_information(table), entropy(table.sum(1))
    share = told / all_there_is if all_there_is > 0 else np.nan
    return np.array([told, share, table.max(0).sum() / table.sum(), table.max(1).sum() / table.sum()])


def spread(table: np.ndarray) -> np.ndarray:
    """(rows,) bits: entropy of the columns given each row; NaN for a row without counts."""
    return np.array([entropy(row) if row.any() else np.nan for row in table])


def divergences(table: np.ndarray) -> np.ndarray:
    """(rows, rows) Jensen-Shannon divergence, base 2, of the rows' distributions over columns: 0 same, 1 disjoint."""
    sums = table.sum(1, keepdims=True)
    share = table / np.where(sums > 0, sums, 1)
    own = np.array([_bits(row) for row in share])
    mixed = np.array([_bits((row[None] + share) / 2) for row in share])
    found = np.clip(mixed - (own[:, None] + own[None]) / 2, 0.0, 1.0)
    np.fill_diagonal(found, 0.0)
    empty = sums[:, 0] == 0
    found[empty] = found[:, empty] = np.nan
    return found


def _bits(share: np.ndarray) -> np.ndarray:
    """Entropy along the last axis; 0 log 0 = 0."""
    return -(share * np.log2(np.where(share > 0, share, 1.0))).sum(-1)
