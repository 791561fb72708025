"""Rollout: layer maps multiplied into one another, from what a layer reads to what the whole stack has read.

Ã_l = the rows of A_l as shares (and half of each row kept for itself, where the score leaves the residual stream out);
R_1 = Ã_1, R_l = Ã_l R_{l-1}. Source: Abnar & Zuidema, ACL 2020 (2020.acl-main.385).
"""

from dataclasses import dataclass

import numpy as np


def rollout(maps: np.ndarray, *, residual: bool, kept: float | np.ndarray = 0.5) -> np.ndarray:
    """(layers, n, n): after each layer, what share of row i comes from each of the positions that layer 1 reads?

    `maps` (layers, n, n) are non-negative scores, rows = readers, first layer first. With `residual` each row's shares
    are mixed with the identity, because attention and its norms leave out the residual stream: `kept` of each row goes
    through it, by convention a half, or (layers, n) as measured. Value zeroing and norms with the residual already
    hold it: `residual=False`.
    A row without shares (all 0, or NaN) has read nothing, so it is its own: the identity. Raises ValueError for maps
    that are not square or hold negative numbers.
    """
    if maps.ndim != 3 or maps.shape[1] != maps.shape[2]:
        raise ValueError(f"Rollout needs (layers, n, n) maps, not {maps.shape}: cross-attention has none.")
    if (maps < 0).any():
        raise ValueError("Rollout needs scores of 0 or more; it is not defined for signed ones.")
    shares = _with_residual(row_stochastic(maps), kept) if residual else row_stochastic(maps)
    rolled = [shares[0]]
    for layer in shares[1:]:
        rolled.append(layer @ rolled[-1])
    return np.stack(rolled)


@dataclass(frozen=True, eq=False)
class BlockRollout:
    """Where a decoder's rows come from: the text's own positions and the sounds, which together make each row 1."""

    text: np.ndarray  # (layers, tokens, tokens) from what the decoder's first layer reads
    sound: np.ndarray  # (layers, tokens, n) from what the encoder's first layer reads


def block_rollout(
    own: np.ndarray,
    cross: np.ndarray,
    encoder: np.ndarray,
    *,
    residual: bool,
    passed_on: float | np.ndarray = 0.5,
    kept: float | np.ndarray = 0.5,
    kept_below: float | np.ndarray = 0.5,
) -> BlockRollout:
    """Rollout through a decoder that reads an encoder: [self | cross] in each block, the encoder's rollout below.

    A block first mixes the text (`own`, (layers, tokens, tokens), with `residual` and `kept` as in `rollout`), then
    adds what cross-attention brings (`cross`, (layers, tokens, n)). Of each row `passed_on` (one number, or (layers,
    tokens)) goes through the residual stream past the cross-attention, by convention a half, and the rest is
    cross-attention times the encoder's whole rollout (with `kept_below`):

        T_l = p S_l T_{l-1},   Z_l = p S_l Z_{l-1} + (1 - p) X_l E,   T_0 = I, Z_0 = 0.

    `encoder` are the encoder's own maps (layers, n, n). A row without cross shares takes nothing from the sound: all
    of it goes on. Raises ValueError for shapes that do not fit.
    """
    layers, tokens = own.shape[:2]
    if cross.shape[:2] != (layers, tokens) or cross.shape[2:] != encoder.shape[1:2]:
        raise ValueError(f"Maps of shapes {own.shape}, {cross.shape} and {encoder.shape} are not of one model.")
    if np.min(passed_on) < 0 or np.max(passed_on) > 1 or (cross < 0).any() or (own < 0).any():
        raise ValueError("Block rollout needs scores of 0 or more, and a share from 0 to 1 that is passed on.")
    below = rollout(encoder, residual=residual, kept=kept_below)[-1]
    total = cross.sum(-1, keepdims=True)
    found = total > 0  # NaN > 0 is False
    brought = np.divide(cross, total, out=np.zeros(cross.shape), where=found) @ below
    going_on = np.where(found, _by_row(passed_on), 1.0)
    selves = _with_residual(row_stochastic(own), kept) if residual else row_stochastic(own)
    text, sound = np.eye(tokens), np.zeros((tokens, cross.shape[2]))
    texts, sounds = [], []
    for mixed, share, heard in zip(selves, going_on, brought, strict=True):
        text, sound = share * (mixed @ text), share * (mixed @ sound) + (1 - share) * heard
        texts.append(text)
        sounds.append(sound)
    return BlockRollout(np.stack(texts), np.stack(sounds))


def _with_residual(shares: np.ndarray, kept: float | np.ndarray) -> np.ndarray:
    """Of each row `kept` for itself, the rest as its shares say."""
    kept = _by_row(kept)
    return (1 - kept) * shares + kept * np.eye(shares.shape[-1])


def _by_row(shares: float | np.ndarray) -> np.ndarray:
    """One number for all rows, or (layers, rows), ready to multiply (layers, rows, columns)."""
    return np.asarray(shares, float)[..., None]


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
