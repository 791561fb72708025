"""What head roles gives: the numbers, their shapes and units, and the table that is downloaded."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from methods.core.mixing import diagonality
from methods.core.results import Result

OBJECTS = ("attention", "query", "key", "value", "output", "scores")  # whose cosine between heads; the last two, and
SCORES = ("cad", "distance_ms", "band_ms", "globalness", "verticality", "diagonality")


@dataclass(frozen=True, eq=False, kw_only=True)
class HeadRoles(Result):
    """Scores of every encoder head, (layers, heads) unless said otherwise, and of cross-attention in Whisper."""

    cad: np.ndarray  # cumulative attention diagonality, 0 to 1
    distance_ms: np.ndarray  # mean distance between the frame that looks and the frame looked at
    band_ms: np.ndarray  # smallest half-width that holds 90% of the attention
    globalness: np.ndarray  # mean entropy of a row, nats
    verticality: np.ndarray  # minus the entropy of the mean row, nats
    diagonality: np.ndarray  # minus the mean distance over the number of frames
    padding: np.ndarray  # mean attention on the silence after the clip, before renormalising
    profile: np.ndarray  # (layers, heads, frames) mean mass of a row at each distance in frames
    similarity: np.ndarray  # (6, layers, heads, heads) mean cosine of OBJECTS
    thumbnails: np.ndarray  # (layers, heads, cells, cells) weights, mean over blocks of frames; float32
    phones: np.ndarray | None  # (layers, heads, classes, classes) mean weight, reading class by read class
    classes: tuple[str, ...]  # names of the classes (phones, or whatever the segments are called)
    monotonicity: np.ndarray | None  # cross-attention: Spearman of spoken token and frame; NaN: constant, or < 3
    alignment_heads: tuple[tuple[int, int], ...]  # (layer, head) from 1, as published for the model
    frame_ms: float  # time from one frame to the next
    opened: tuple[int, int] | None  # (layer, head) from 1
    opened_map: np.ndarray | None  # (cells, cells) its weights, mean over blocks if there are over 500 frames
    opened_edges: np.ndarray | None  # (cells + 1,) s, where its cells begin and end
    random: tuple[Self, ...] = ()  # the same with random weights, one per seed

    @property
    def uniform(self) -> float:
        """CAD of attention that is spread evenly over this clip: near 2/3."""
        return diagonality.uniform_diagonality(self.profile.shape[-1])

    @property
    def kinds(self) -> np.ndarray:
        """(layers, heads) "global", "vertical" or "diagonal": where a head stands out among all heads."""
        scores = np.stack([self.globalness, self.verticality, self.diagonality])
        return np.array(diagonality.KINDS)[diagonality.kinds(scores)]

    def within(self) -> np.ndarray:
        """(layers, heads, frames) D(r) at r = 0, 1/(T - 1), …, 1."""
        return diagonality.within_radius(self.profile)

    def layer_similarity(self) -> np.ndarray:
        """(6, layers) mean cosine over the pairs of heads of a layer; lower = more diverse."""
        return diagonality.pair_mean(self.similarity)

    def table(self) -> pd.DataFrame:
        """One line per head: its scores and name, and mean and range of its layer's heads with random weights."""
        tables = (_encoder_table(self), _cross_table(self))
        return pd.concat([part for part in tables if part is not None], ignore_index=True)


def _encoder_table(result: HeadRoles) -> pd.DataFrame:
    layers, heads = np.indices(result.cad.shape)
    frame = pd.DataFrame({"attention": "encoder", "layer": layers.ravel() + 1, "head": heads.ravel() + 1})
    frame["kind"] = result.kinds.ravel()
    for name in (*SCORES, "padding"):
        frame[name] = getattr(result, name).ravel()
        if result.random:  # heads of a random network are exchangeable: all heads of the layer, all seeds
            values = np.concatenate([getattr(twin, name) for twin in result.random], axis=1)
            for word, reduce in (("mean", np.mean), ("min", np.min), ("max", np.max)):
                frame[f"random_{word}_{name}"] = reduce(values, 1)[layers.ravel()]
    for number, name in enumerate(OBJECTS):  # one value per layer
        frame[f"layer_similarity_{name}"] = result.layer_similarity()[number][layers.ravel()]
    return frame


def _cross_table(result: HeadRoles) -> pd.DataFrame | None:
    if result.monotonicity is None:
        return None
    layers, heads = np.indices(result.monotonicity.shape)
    frame = pd.DataFrame({"attention": "cross", "layer": layers.ravel() + 1, "head": heads.ravel() + 1})
    frame["listed"] = [pair in result.alignment_heads for pair in zip(frame["layer"], frame["head"], strict=True)]
    frame["monotonicity"] = result.monotonicity.ravel()
    return frame
