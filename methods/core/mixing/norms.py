"""How much does each position contribute to another one? Norms of weight × value, exactly, and gathered by word.

The output of an attention module is a sum over keys j and heads h of weight α^h_ij times contribution f^h_j (the value
through its head's slice of the output matrix). The norm of the part that comes from j, heads summed first, is

    N_ij² = a_ijᵀ G_j a_ij,    a_ij = (α^1_ij … α^H_ij),    G_j[h, g] = f^h_j · f^g_j,

so that rows × keys × heads² products do what the published form does with a tensor of heads × rows × keys × dim.
Source: Kobayashi et al., EMNLP 2020 and 2021.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from methods.core.frames import portions
from methods.core.models.sites import Normalisation, PostNorm, Site

CHUNK = 256  # keys at a time: 60 MB for 1,500 rows and 20 heads


@dataclass(frozen=True, eq=False)
class SiteNorms:
    """What some keys contribute to every row of one attention module, as lengths of vectors; float64."""

    heads: torch.Tensor  # (heads, rows, keys) each head by itself
    summed: torch.Tensor  # (rows, keys) the heads' contributions added up, then measured
    residual: torch.Tensor | None  # (rows, keys) a row's own residual vector counted as its own; None across stacks
    normed: torch.Tensor | None  # (rows, keys) the same after the LayerNorm that follows; None in pre-norm blocks


def site_norms(site: Site, keys: slice = slice(None), weights: torch.Tensor | None = None) -> SiteNorms:
    """The norms of the keys in `keys`; pass `site.weights()` if you have them already.

    In float64 N² is exact to some 1e-16 of (Σ_h α ‖f‖)², so N to 1e-8 of that sum even where heads cancel: less than
    what single-precision weights and values carry themselves.
    """
    every = site.weights() if weights is None else weights
    weights, parts, first = every[:, :, keys].double(), site.contributions(keys).double(), keys.start or 0
    summed = summed_norms(weights, gram(parts))
    heads = weights * torch.linalg.vector_norm(parts, dim=-1)[:, None]
    if site.stack == "cross":
        return SiteNorms(heads, summed, None, None)
    own = _own(weights, parts, first)
    own += site.residual[first : first + len(own)].double()
    residual, norm = _with_own(summed, own, first), following_norm(site)
    if norm is None:
        return SiteNorms(heads, summed, residual, None)
    spread = norm.spread(site.residual + site.output(every)).double()
    normed = summed_norms(weights, gram(centred(norm, parts))) / spread
    own = centred(norm, own) / spread[first : first + len(own)]
    return SiteNorms(heads, summed, residual, _with_own(normed, own, first))


def gram(parts: torch.Tensor) -> torch.Tensor:
    """(keys, heads, heads) inner products of each key's contributions (heads, keys, dim), one matrix per key."""
    by_key = parts.transpose(0, 1)
    return by_key @ by_key.transpose(1, 2)


def summed_norms(weights: torch.Tensor, grams: torch.Tensor) -> torch.Tensor:
    """(rows, keys) ‖Σ_h α^h_ij f^h_j‖ from weights (heads, rows, keys) and one Gram matrix per key."""
    by_key = weights.permute(2, 0, 1).to(grams.dtype).contiguous()  # (keys, heads, rows)
    squared = ((grams @ by_key) * by_key).sum(1)
    return squared.clamp_min(0).sqrt().T  # rounding may leave -1e-17 where the heads cancel


def following_norm(site: Site) -> Normalisation | None:
    """The LayerNorm right after attention and residual: post-norm blocks have one, pre-norm blocks do not."""
    return site.rest.first_norm if isinstance(site.rest, PostNorm) else None


def centred(norm: Normalisation, vectors: torch.Tensor) -> torch.Tensor:
    """The linear part of a LayerNorm, before its division: adds up over contributions like the contributions."""
    return (vectors - vectors.mean(-1, keepdim=True)) * norm.gain


def _own(weights: torch.Tensor, parts: torch.Tensor, first: int) -> torch.Tensor:
    """(keys that are rows, dim) what each position contributes to itself through attention; key 0 is row `first`."""
    diagonal = weights.diagonal(-first, 1, 2)
    return torch.einsum("hk,hkd->kd", diagonal, parts[:, : diagonal.shape[1]])


def _with_own(norms: torch.Tensor, own: torch.Tensor, first: int) -> torch.Tensor:
    """The same norms, with each row's own entry replaced by the length of its `own` vector."""
    norms = norms.clone()
    norms.diagonal(-first).copy_(torch.linalg.vector_norm(own, dim=-1))
    return norms


def mixing_ratio(site: Site, weights: torch.Tensor | None = None, norm: Normalisation | None = None) -> torch.Tensor:
    """(rows,) ‖what comes from other positions‖ / (that + ‖what a row keeps of itself: residual and own value‖).

    0: nothing is mixed in; 1: nothing is kept. The module's bias belongs to neither. With the `norm` that follows,
    both parts are measured after its linear part. In cross-attention a row keeps its residual vector alone.
    """
    weights = site.weights() if weights is None else weights
    kept = site.residual
    if site.stack != "cross":
        rows = slice(0, len(kept))
        kept = kept + _own(weights[:, :, rows], site.contributions(rows), 0)
        weights = weights.clone()
        weights.diagonal(0, 1, 2).zero_()
    mixed = (weights @ site.value).transpose(0, 1).flatten(1) @ site.out.flatten(0, 1)
    if norm is not None:
        mixed, kept = centred(norm, mixed), centred(norm, kept)
    mixed, kept = (torch.linalg.vector_norm(part.double(), dim=-1) for part in (mixed, kept))
    return mixed / (mixed + kept)


@dataclass(frozen=True, eq=False)
class WordNorms:
    """Norms gathered by word: the mean over a row's positions of the sum over a column's positions; float64."""

    heads: np.ndarray  # (heads, rows, columns)
    summed: np.ndarray  # (rows, columns)
    residual: np.ndarray | None  # (rows, columns)
    normed: np.ndarray | None  # (rows, columns)
    padding: np.ndarray  # (rows,) share of a row's summed norms that falls on keys after the clip's end


def word_norms(
    site: Site, rows: Sequence[range], columns: Sequence[range], weights: torch.Tensor | None = None
) -> WordNorms:
    """Every norm of one attention module, by groups of rows and of keys; in memory only for a chunk of keys."""
    weights = site.weights() if weights is None else weights
    read: dict[str, list[torch.Tensor]] = {}
    for first in range(0, weights.shape[-1], CHUNK):
        norms = site_norms(site, slice(first, first + CHUNK), weights)
        for name, values in vars(norms).items():
            if values is not None:
                read.setdefault(name, []).append(averaged(values, rows))
    whole = {name: torch.cat(parts, -1) for name, parts in read.items()}
    padding = whole["summed"][:, site.own_keys :].sum(-1) / whole["summed"].sum(-1).clamp_min(1e-300)
    maps = {name: summed_over(whole[name], columns) if name in whole else None for name in vars(norms)}
    return WordNorms(**maps, padding=padding.numpy())


def norm_mass(site: Site, rows: Sequence[range], columns: Sequence[range], weights: torch.Tensor) -> np.ndarray:
    """(rows, columns) the summed norms alone, of the clip's own keys: a fraction of the work of `word_norms`."""
    read = []
    for first in range(0, site.own_keys, CHUNK):
        keys = slice(first, min(first + CHUNK, site.own_keys))
        norms = summed_norms(weights[:, :, keys], gram(site.contributions(keys).double()))
        read.append(averaged(norms, rows))
    return summed_over(torch.cat(read, -1), columns)


def averaged(values: torch.Tensor, rows: Sequence[range]) -> torch.Tensor:
    """(…, row groups, keys) means over groups of rows of (…, rows, keys), as float64."""
    return torch.stack([values[..., group.start : group.stop, :].double().mean(-2) for group in rows], -2)


def summed_over(values: torch.Tensor, columns: Sequence[range]) -> np.ndarray:
    """(…, rows, column groups) sums over groups of keys of (…, rows, keys); a key of k groups counts 1/k in each."""
    portion = portions(columns, values.shape[-1])
    if portion.min() < 1:
        values = values * torch.from_numpy(portion).to(values)
    return torch.stack([values[..., group.start : group.stop].sum(-1) for group in columns], -1).numpy()


def attention_mass(site: Site, rows: Sequence[range], columns: Sequence[range], weights: torch.Tensor) -> np.ndarray:
    """(heads, rows, columns) mean over a row's positions of the attention that a column's positions get together."""
    return summed_over(averaged(weights, rows), columns)


def head_reach(values: torch.Tensor) -> np.ndarray:
    """(heads,) how many positions away a row looks: Σ_j share_ij |i - j|, mean over rows.

    `values` (heads, rows, keys) are attention weights or norms of the clip's own positions; rows are turned to shares.
    """
    rows, keys = values.shape[1:]
    apart = (torch.arange(rows)[:, None] - torch.arange(keys)).abs().to(values.dtype)
    return ((values * apart).sum(-1) / values.sum(-1)).double().mean(-1).numpy()
