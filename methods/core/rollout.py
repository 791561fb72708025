"""Rollout: layer maps multiplied into one another, from what a layer reads to what the whole stack has read.

Ã_l = the rows of A_l as shares (and half of each row kept for itself, where the score leaves the residual stream out);
R_1 = Ã_1, R_l = Ã_l R_{l-1}. Source: Abnar & Zuidema, ACL 2020 (2020.acl-main.385).
"""

import numpy as np


def rollout(maps: np.ndarray, *, residual: bool) -> np.ndarray:
    """(layers, n, n): after each layer, what share of row i comes from each of the positions that layer 1 reads?

    `maps` (layers, n, n) are non-negative scores, rows = readers, first layer first. With `residual` each row's shares
    are averaged with the identity, because attention and its norms leave out the residual stream, which passes half of
    every position on by convention; value zeroing and norms with the residual already hold it: `residual=False`.
    A row without shares (all 0, or NaN) has read nothing, so it is its own: the identity. Raises ValueError for maps
    that are not square or hold negative numbers.
    """
    if maps.ndim != 3 or maps.shape[1] != maps.shape[2]:
        raise ValueError(f"Rollout needs (layers, n, n) maps, not {maps.shape}: cross-attention has none.")
    if (maps < 0).any():
        raise ValueError("Rollout needs scores of 0 or more; it is not defined for signed ones.")
    shares, identity = row_stochastic(maps), np.eye(maps.shape[1])
    if residual:
        shares = (shares + identity) / 2
    rolled = [shares[0]]
    for layer in shares[1:]:
        rolled.append(layer @ rolled[-1])
    return np.stack(rolled)


def row_stochastic(maps: np.ndarray) -> np.ndarray:
    """Each row divided by its sum; a row that has none becomes its own position."""
    total = maps.sum(-1, keepdims=True)
    own = np.broadcast_to(np.eye(maps.shape[-1]), maps.shape).copy()
    return np.divide(maps, total, out=own, where=total > 0)  # NaN > 0 is False


def row_entropy(maps: np.ndarray) -> np.ndarray:
    """(layers,) mean entropy of the rows in bits: 0 = each row has one source, log2(n) = all sources alike.

    Rows without shares (all 0, or NaN) are left out; NaN for a layer that has no other.
    """
    total = maps.sum(-1, keepdims=True)
    shares = np.divide(maps, total, out=np.full(maps.shape, np.nan), where=total > 0)
    entropy = -(shares * np.log2(np.where(shares > 0, shares, 1.0))).sum(-1)
    return mean_of_present(entropy)


def mean_of_present(values: np.ndarray) -> np.ndarray:
    """(layers,) mean over the last axis of the values that are there; NaN where none is."""
    present = np.isfinite(values)
    total = np.where(present, values, 0.0).sum(-1)
    return np.divide(total, present.sum(-1), out=np.full(total.shape, np.nan), where=present.any(-1))
