"""Discrete units: k-means clusters of the frames of one layer, as in HuBERT (Hsu et al. 2021, arXiv 2106.07447)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans

from methods.core.errors import UserError

# "scaled": every dimension brought to unit variance first, else a few large ones decide alone; in mini-batches.
# "HuBERT": states as they are, all frames at once.
ClusterRecipe = Literal["scaled", "HuBERT"]
BATCH = 1500  # frames, as in Pasad et al. 2021 (arXiv 2107.04734)
ROUNDS = 100  # passes, at most
STARTS = 1  # k-means++ is steady enough, and each further start costs a third of a second per layer


@dataclass(frozen=True, eq=False)
class Codebook:
    """What k-means learnt from some frames."""

    centres: np.ndarray  # (units, dim)
    mean: np.ndarray  # (dim,) of the frames it was learnt from
    scale: np.ndarray  # (dim,) their standard deviations; 1 where a dimension is constant

    def assign(self, frames: np.ndarray) -> np.ndarray:
        """(frames,) int, the nearest centre of each."""
        scaled = (frames - self.mean) / self.scale
        return (((self.centres**2).sum(1) / 2)[None] - scaled @ self.centres.T).argmin(1)


def learn(frames: np.ndarray, units: int, seed: int = 0, recipe: ClusterRecipe = "scaled") -> Codebook:
    """Cluster (frames, dim). Raises UserError for fewer frames than units, and where all frames are the same."""
    if len(frames) < units:
        raise UserError(
            f"There are {len(frames)} frames to learn {units} units from, and at least {units} are needed; choose "
            "fewer units, or give more recordings."
        )
    frames = np.asarray(frames, dtype=np.float64)
    mean, spread = frames.mean(0), frames.std(0)
    scale = np.where(spread > 1e-9 * (1 + np.abs(mean)), spread, 1.0)
    if not np.ptp((frames - mean) / scale, axis=0).max() > 1e-4:
        raise UserError("All frames are the same here, so they form no clusters; choose another layer or recording.")
    if recipe == "HuBERT":
        mean, scale = np.zeros_like(mean), np.ones_like(scale)
        made = KMeans(units, max_iter=ROUNDS, n_init=STARTS, random_state=seed)
    else:
        # One thread's worth of a batch is small: k-means' own threads only wait for each other here.
        made = MiniBatchKMeans(units, batch_size=BATCH, max_iter=ROUNDS, n_init=STARTS, random_state=seed)
    found = made.fit(((frames - mean) / scale).astype(np.float32))
    return Codebook(found.cluster_centers_.astype(np.float64), mean, scale)
