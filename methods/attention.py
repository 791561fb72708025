"""**Where does each head look, word by word?**

An attention weight says with what share a position reads every other position. Here the weights of any layer and head
(or the mean over heads) are gathered by word: rows are the words that read, columns the words that are read. The
decoder's own attention (token by token) and its cross-attention (token by word of sound) are shown the same way.

*How to read it.* Per frame (“intensity”, the default) divides what a word receives by its number of frames, so that
long words do not win by length; “mass” is the plain sum. Rows are then divided by their sum over what is shown, and
what was left out is reported: Whisper always hears 30 s, and the **padding mass** is the share of a word's attention
that falls on the silence appended to the clip. Under uniform attention every word has the same intensity.

*What it cannot show.* A weight is not a contribution: the value that is read may be tiny, and the residual stream
passes everything on besides. Some heads park their attention on padding or special tokens. Read the map against the
random-weights map beside it, and against value zeroing.

*Source.* Vaswani et al., Attention Is All You Need, 2017 (arXiv 1706.03762), eq. 1; gathered by word as in Mohebbi et
al., EMNLP 2023 (arXiv 2310.09925).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from methods.core import mixing
from methods.core.audio import Clip
from methods.core.frames import Segment
from methods.core.mixing import STACKS, MixingMap, Passage, figure
from methods.core.mixing.norms import averaged, summed_over
from methods.core.models.sites import Site, Stack
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis, check_options, options_of
from methods.core.progress import Steps
from methods.core.results import listed, read_only

Per = Literal["frame", "mass"]


@dataclass(frozen=True, eq=False)
class Attention(MixingMap):
    """Attention mass: the mean over a row's positions of the sum over a column's positions, 0 to 1, not renormalised.

    A row's cells, what falls between the segments, and the padding add up to 1.
    """

    encoder: np.ndarray | None  # (layers, heads, segments, segments)
    decoder: np.ndarray | None  # (layers, heads, tokens, tokens); 0 above the diagonal
    cross: np.ndarray | None  # (layers, heads, tokens, segments)
    encoder_padding: np.ndarray | None  # (layers, heads, segments) mass on positions after the clip's end
    cross_padding: np.ndarray | None  # (layers, heads, tokens)
    alignment_heads: tuple[tuple[int, int], ...]  # (layer, head) from 1: cross-attention heads published as aligned

    def intensity(self, stack: Stack = "encoder") -> np.ndarray:
        """(layers, heads, rows, columns) mass per frame (or token) of the column: free of the column's length."""
        mass = mixing.required(self, stack)
        return mass if stack == "decoder" else mass / self.own_frames

    def maps(self, stack: Stack, head: int | None = None, per: Per = "frame") -> np.ndarray:
        """(layers, rows, columns) one head, counted from 1, or the mean over heads."""
        values = self.intensity(stack) if per == "frame" else mixing.required(self, stack)
        return values.mean(1) if head is None else values[:, mixing.checked_layer(head, values.shape[1], "head") - 1]

    def shares(self, stack: Stack = "encoder", head: int | None = None, per: Per = "frame") -> np.ndarray:
        """(layers, rows, columns) each row divided by its sum over the columns."""
        return mixing.row_shares(self.maps(stack, head, per))

    def self_share(self, stack: Stack = "encoder", head: int | None = None) -> np.ndarray:
        """(layers,) mean share of its attention that a word gives to itself (encoder and decoder)."""
        return mixing.self_share(self.shares(stack, head))

    def table(self) -> pd.DataFrame:
        """One line per layer, head and pair: mass, its share of the row, and the random-weights values beside them."""
        return mixing.table(self, "mass")


@analysis()
def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    stacks: Sequence[Stack] = STACKS,
    layers: Sequence[int] | None = None,
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Steps[Attention]:
    """How is each head's attention spread over the words (or any segments, single frames included) of a clip?

    `segments` default to the words of the model's own transcript; `transcript` replaces the text that the decoder is
    teacher-forced on; `layers` (from 1) keeps only some layers, the others being NaN. Raises UserError for fewer than
    two segments, or for maps too large to keep. Source: Vaswani et al. 2017, eq. 1.
    """
    stacks = mixing.possible_stacks(model, stacks or STACKS)
    passage = mixing.passage(clip, model, segments=segments, transcript=transcript, language=language, stacks=stacks)
    asked = mixing.Asked(stacks, mixing.possible_layers(passage, stacks, layers), tuple(random_seeds))
    return (yield from mixing.with_controls(passage, random_seeds, lambda one: _measure(one, asked)))


def _measure(passage: Passage, asked: mixing.Asked) -> Attention:
    maps: dict[str, np.ndarray | None] = dict.fromkeys((*STACKS, "encoder_padding", "cross_padding"))
    for stack in asked.stacks:
        mass, padding = _stack_maps(passage, stack, asked.layers)
        maps[stack] = read_only(mass)
        if stack != "decoder":
            maps[f"{stack}_padding"] = read_only(padding)
    heads = passage.model.decoding.alignment_heads if passage.model.writes_text else ()
    return Attention(
        **maps,
        **mixing.labels(passage),
        alignment_heads=tuple((layer + 1, head + 1) for layer, head in heads),
        provenance=mixing.origin("attention", passage, listed(asked)),
    )


@torch.inference_mode()
def _stack_maps(passage: Passage, stack: Stack, layers: Sequence[int] | None) -> tuple[np.ndarray, np.ndarray]:
    (rows, columns), sites = passage.groups(stack), passage.sites(stack)
    heads = sites[0].query.shape[0]
    wanted = [site.layer + 1 for site in sites] if layers is None else list(layers)
    mixing.checked_size(len(wanted), heads, len(rows), len(columns))
    mass = np.full((len(sites), heads, len(rows), len(columns)), np.nan)
    padding = np.full(mass.shape[:3], np.nan)
    for site in sites:
        if site.layer + 1 in wanted:
            mass[site.layer], padding[site.layer] = site_mass(site, rows, columns)
    return mass, padding


def site_mass(site: Site, rows: Sequence[range], columns: Sequence[range]) -> tuple[np.ndarray, np.ndarray]:
    """Mass (heads, rows, columns) and padding mass (heads, rows) of one attention module."""
    read = averaged(site.weights(), rows)
    return summed_over(read, columns), read[..., site.own_keys :].sum(-1).numpy()


def view(
    result: Attention,
    *,
    stack: Stack = "encoder",
    layer: int | None = None,
    head: int | None = None,
    per: Per = "frame",
    shares: bool = True,
    prompt: bool = False,
) -> mixing.View:
    """What `plot` and the page draw: one layer's map, its random-weights control, and a curve over the layers."""
    check_options(view, {"stack": stack, "per": per, "shares": shares, "prompt": prompt})
    noun = "token" if stack == "decoder" else "frame"
    unit = "share of row" if shares else ("attention per " + noun if per == "frame" else "attention mass")
    return mixing.build_view(
        result,
        stack,
        pick=lambda part: part.maps(stack, head, per),
        axes=("{} that looks", "{} that is looked at"),
        title=f"{mixing.STACK_TITLES[stack]}, " + ("mean over heads" if head is None else f"head {head}"),
        unit=unit,
        layer=layer,
        shares=shares,
        prompt=prompt,
    )


@options_of(view)
def plot(result: Attention, **options: Any) -> Figure:
    """The map of one layer and head (mean over heads by default) beside the mean of its random-weights controls.

    The options are those of `view`: `layer` and `head` count from 1, the last layer by default; `shares=False` draws
    the values before renormalisation.
    """
    return figure.mixing_figure(view(result, **options))
