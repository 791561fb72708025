"""Value zeroing of one attention site, exactly and without running the layer again.

Zeroing the values of keys J changes neither queries nor keys nor weights, so the attention output of row i changes by
minus the sum over J and heads of weight × contribution. Only the rest of the block is computed anew, only for the rows
of interest, and always as a difference: the distances are 1e-12 to 1e-2, where subtracting vectors would lose them.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from methods.core.models.sites import AttentionOnly, CrossThenFeedForward, FeedForward, Normalisation, PostNorm, Site
from methods.core.progress import Step, Steps, finish

AT_ONCE = 16  # groups of keys from one step to the next: some 50 ms of work where groups are single frames


def site_distances(site: Site, rows: Sequence[range], columns: Sequence[range]) -> np.ndarray:
    """(rows, columns) mean cosine distance of each group of rows when the values of a group of keys are zero."""
    return finish(site_distances_in_steps(site, rows, columns))


def site_distances_in_steps(site: Site, rows: Sequence[range], columns: Sequence[range]) -> Steps[np.ndarray]:
    """`site_distances`, a few groups of keys at a time, for maps of single frames: it can be stopped at every step."""
    wanted = torch.tensor(sorted({index for group in rows for index in group}))
    place = {int(index): number for number, index in enumerate(wanted)}
    measure = ZEROING[type(site.rest)](site, wanted, columns)
    result = np.zeros((len(rows), len(columns)))
    for column, keys in enumerate(columns):
        if column % AT_ONCE == 0:
            yield Step(column / len(columns), f"{column} of {len(columns)} zeroed")
        distances = measure(torch.tensor(list(keys))).numpy()
        result[:, column] = [distances[[place[index] for index in group]].mean() for group in rows]
    return result


class _Zeroing:
    """Zeroing keys J changes the attention output of row i by -sum over J and heads of weight × contribution."""

    def __init__(self, site: Site, rows: torch.Tensor, columns: Sequence[range]) -> None:
        self.rows = rows
        weights = site.weights()
        self.weights = weights[:, rows]  # (heads, rows, keys)
        self.stream = (site.residual + site.output(weights))[rows]  # (rows, dim)
        # Contributions are made once, for the span of keys that is ever zeroed.
        self.first_key = min(keys.start for keys in columns)
        self.span = slice(self.first_key, max(keys.stop for keys in columns))
        self.contributions = site.contributions(self.span)

    def removed(self, keys: torch.Tensor, parts: torch.Tensor) -> torch.Tensor:
        """(rows, width) minus what the keys contribute to each row, by one matrix product over heads × keys."""
        weights = self.weights[:, :, keys].transpose(0, 1).flatten(1)
        return -(weights @ parts[:, keys - self.first_key].flatten(0, 1))


class _AttentionZeroing(_Zeroing):
    """Nothing follows: the residual stream right after the attention module (conformer blocks)."""

    def __call__(self, keys: torch.Tensor) -> torch.Tensor:
        return one_minus_cosine(self.stream, self.removed(keys, self.contributions))


class _PostNormZeroing(_Zeroing):
    """A norm on the changed stream, the feed-forward, and the last norm; differences carried through both norms."""

    def __init__(self, site: Site, rows: torch.Tensor, columns: Sequence[range]) -> None:
        super().__init__(site, rows, columns)
        self.rest: PostNorm = site.rest
        self.between = self.rest.first_norm(self.stream)
        self.hidden = self._hidden(self.between)
        self.summed = self.between + functional.linear(self.hidden, self.rest.outer, self.rest.outer_bias)
        self.output = self.rest.last_norm(self.summed)

    def _hidden(self, between: torch.Tensor) -> torch.Tensor:
        return self.rest.activation(functional.linear(between, self.rest.inner, self.rest.inner_bias))

    def __call__(self, keys: torch.Tensor) -> torch.Tensor:
        moved = norm_change(self.rest.first_norm, self.stream, self.removed(keys, self.contributions))
        shifted = self._hidden(self.between + moved) - self.hidden
        summed = moved + functional.linear(shifted, self.rest.outer)
        return one_minus_cosine(self.output, norm_change(self.rest.last_norm, self.summed, summed))


class _DecoderZeroing(_Zeroing):
    """The rest of a decoder block, cross-attention included, recomputed for the rows that can change."""

    def __init__(self, site: Site, rows: torch.Tensor, columns: Sequence[range]) -> None:
        super().__init__(site, rows, columns)
        self.rest: CrossThenFeedForward = site.rest
        self.added = self.rest.cross(self.stream)
        self.middle = self.stream + self.added
        self.hidden = self.rest.feed_forward.hidden(self.middle)
        self.output = self.middle + self.rest.feed_forward.outward(self.hidden)

    def __call__(self, keys: torch.Tensor) -> torch.Tensor:
        change = self.removed(keys, self.contributions)
        touched = change.any(-1)  # causal: rows before the zeroed tokens have weight exactly 0 and stay as they are
        distances = torch.zeros(len(self.rows), dtype=torch.float64)
        if touched.any():
            distances[touched] = self._distances(change[touched], touched)
        return distances

    def _distances(self, change: torch.Tensor, touched: torch.Tensor) -> torch.Tensor:
        forward = self.rest.feed_forward
        moved = change + (self.rest.cross(self.stream[touched] + change) - self.added[touched])
        shifted = forward.hidden(self.middle[touched] + moved) - self.hidden[touched]
        return block_distance(self.output[touched], moved + functional.linear(shifted, forward.outer), forward)


class _PreNormZeroing(_Zeroing):
    """The feed-forward after attention, its first product folded into the contributions where that is cheaper.

    norm(u + Δ) W1 = (u C + Δ C) / spread(u + Δ) + constant, with C = W1 scaled by the norm's gain and centred over its
    inputs. u C is made once per layer, and contributions × C too where that is cheaper (it is for words and shorter
    groups): then a product with as many rows as heads × zeroed frames, and the second product, remain per group.
    """

    def __init__(self, site: Site, rows: torch.Tensor, columns: Sequence[range]) -> None:
        super().__init__(site, rows, columns)
        forward: FeedForward = site.rest
        scaled = forward.inner * forward.norm.gain
        self.forward, self.centred = forward, (scaled - scaled.mean(1, keepdim=True)).T.contiguous()
        self.constant = functional.linear(forward.norm.offset, forward.inner, forward.inner_bias)
        self.product = self.stream @ self.centred
        self.hidden = self._hidden(self.product, self.stream)
        self.output = self.stream + forward.outward(self.hidden)
        self.dim = self.contributions.shape[-1]
        if self._folding_pays(site, len(rows), columns):
            # Through the head's own width: values × (output matrix × C), not contributions × C.
            folded = site.taken(self.span) @ (site.out @ self.centred)
            self.contributions = torch.cat([self.contributions, folded], -1)

    def _folding_pays(self, site: Site, rows: int, columns: Sequence[range]) -> bool:
        """Whether folding costs fewer multiply-adds (per hidden unit) than one product for each group."""
        heads, width, dim = site.out.shape
        folded = heads * width * (dim + self.contributions.shape[1])
        folded += heads * rows * sum(len(keys) for keys in columns)
        return folded < len(columns) * rows * dim

    def _hidden(self, product: torch.Tensor, stream: torch.Tensor) -> torch.Tensor:
        return self.forward.activation(torch.addcdiv(self.constant, product, self.forward.norm.spread(stream)))

    def __call__(self, keys: torch.Tensor) -> torch.Tensor:
        removed = self.removed(keys, self.contributions)
        change, product = removed[:, : self.dim], removed[:, self.dim :]
        if not product.numel():
            product = change @ self.centred
        shifted = self._hidden(self.product + product, self.stream + change) - self.hidden
        return block_distance(self.output, change + functional.linear(shifted, self.forward.outer), self.forward)


ZEROING: dict[type, type[_Zeroing]] = {
    FeedForward: _PreNormZeroing,
    CrossThenFeedForward: _DecoderZeroing,
    PostNorm: _PostNormZeroing,
    AttentionOnly: _AttentionZeroing,
}


def block_distance(output: torch.Tensor, moved: torch.Tensor, forward: FeedForward) -> torch.Tensor:
    """(rows,) cosine distance between a block's output and the same moved by `moved`, after the final norm if last."""
    norm = forward.final_norm
    if norm is None:
        return one_minus_cosine(output, moved)
    return one_minus_cosine(norm(output), norm_change(norm, output, moved))


def norm_change(norm: Normalisation, vectors: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
    """norm(v + δ) - norm(v), formed from δ: subtracting the two nearly equal vectors would lose its digits."""
    before, after = norm.spread(vectors), norm.spread(vectors + moved)
    centred, change = vectors - vectors.mean(-1, keepdim=True), moved - moved.mean(-1, keepdim=True)
    # 1/after - 1/before without cancellation: after² - before² = mean(change × (2 centred + change)).
    slope = -(change * (2 * centred + change)).mean(-1, keepdim=True) / (before * after * (before + after))
    return (change / after + centred * slope) * norm.gain


def one_minus_cosine(vectors: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
    """(rows,) 1 - cos(z, z + δ), exact in single precision even where it is 1e-12, as float64.

    With a = z·z, b = z·δ, r = √(a |z + δ|²) and δ⊥ the part of δ at right angles to z:
    1 - cos = a |δ⊥|² / (r (r + a + b)); the textbook form loses every digit to cancellation.
    """
    length = torch.linalg.vecdot(vectors, vectors)
    along = torch.linalg.vecdot(vectors, moved)
    across = moved - (along / length)[:, None] * vectors
    sideways = torch.linalg.vecdot(across, across).double()
    length, along = length.double(), along.double()
    # |z + δ|² = (a + b)² / a + |δ⊥|², which cannot become negative by rounding.
    root = ((length + along) ** 2 + length * sideways).sqrt()
    direct = length + along
    return torch.where(
        direct >= 0,
        length * sideways / (root * (root + direct).clamp_min(1e-300)),
        1 - direct / root.clamp_min(1e-300),
    )
