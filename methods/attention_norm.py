"""**Where do vectors really flow: how much does each word add to each other word's vector?**

An attention weight is only half of what is passed on: it multiplies a value vector, which may be long or nearly
nothing. The attention norm is the length of the product, heads added up before measuring, because they may cancel.
It is gathered by word like attention: rows are the words that read, columns the words that are read.

*How to read it.* **Attention norm**: the length of what is added. **With the residual** the row's own vector, which
every block passes on beside attention, counts as its own: the diagonal rises, and the rest shows how little one layer
may move. **With residual and LayerNorm** measures after the LayerNorm that follows (only models with post-norm blocks
have one there, such as wav2vec 2.0 base and HuBERT base). The **mixing ratio** of a frame is the length of what comes
from elsewhere, divided by that plus the length of what is kept: 0 means nothing is mixed in.

*What it cannot show.* A long vector need not matter to what follows, and vectors of several words may cancel, which a
map of lengths hides. The feed-forward and, in pre-norm models such as Whisper, the growing residual stream come after.
Read the map against the random-weights map beside it, and against value zeroing.

*Source.* Kobayashi, Kuribayashi, Yokoi & Inui, Attention is Not Only a Weight, EMNLP 2020
(10.18653/v1/2020.emnlp-main.574); with residual and LayerNorm: Kobayashi et al., EMNLP 2021 (2021.emnlp-main.373);
gathered by word as in Mohebbi et al., EMNLP 2023 (arXiv 2310.09925).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from methods.core import mixing, models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.mixing import STACKS, MixingMap, Passage, figure
from methods.core.mixing.norms import following_norm, mixing_ratio, word_norms
from methods.core.models.sites import Site, Stack
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis, check_options, options_of
from methods.core.progress import Steps
from methods.core.results import listed, read_only

Per = Literal["frame", "mass"]
Variant = Literal["norm", "residual", "layernorm"]
VARIANTS: dict[Variant, str] = {
    "norm": "attention norm",
    "residual": "attention norm with the residual",
    "layernorm": "attention norm with residual and LayerNorm",
}
WITHOUT = {
    "residual": "In cross-attention no column is the row's own position, so its residual has no place in the map; "
    "choose the plain attention norm.",
    "layernorm": "No LayerNorm follows attention and residual here: this model has pre-norm blocks (as Whisper has), "
    "or it is cross-attention; choose the attention norm with the residual.",
}


@dataclass(frozen=True, eq=False)
class AttentionNorm(MixingMap):
    """Norms: the mean over a row's positions of the sum over a column's positions, in units of the hidden states."""

    encoder: np.ndarray | None  # (layers, segments, segments) heads added up, then measured
    decoder: np.ndarray | None  # (layers, tokens, tokens); 0 above the diagonal
    cross: np.ndarray | None  # (layers, tokens, segments)
    encoder_heads: np.ndarray | None  # (layers, heads, segments, segments) each head by itself
    decoder_heads: np.ndarray | None  # (layers, heads, tokens, tokens)
    cross_heads: np.ndarray | None  # (layers, heads, tokens, segments)
    encoder_residual: np.ndarray | None  # (layers, segments, segments) the row's residual vector counts as its own
    decoder_residual: np.ndarray | None  # (layers, tokens, tokens)
    encoder_layernorm: np.ndarray | None  # (layers, segments, segments) after the LayerNorm; None in pre-norm models
    encoder_ratio: np.ndarray | None  # (layers, frames) mixing ratio of every frame of the clip, 0 to 1
    decoder_ratio: np.ndarray | None  # (layers, tokens)
    cross_ratio: np.ndarray | None  # (layers, tokens) what sound adds to a token's vector, against that vector
    encoder_ratio_layernorm: np.ndarray | None  # (layers, frames) after the LayerNorm; None in pre-norm models
    encoder_padding_share: np.ndarray | None  # (layers, segments) share of a row's norms on positions after the clip
    cross_padding_share: np.ndarray | None  # (layers, tokens)
    times: np.ndarray  # (frames,) centre of each encoder frame, seconds

    def maps(self, stack: Stack, head: int | None = None, per: Per = "frame", variant: Variant = "norm") -> np.ndarray:
        """(layers, rows, columns) all heads together, or one head, counted from 1 (without the residual)."""
        values = self._head(stack, head, variant) if head is not None else self._together(stack, variant)
        return values if per == "mass" or stack == "decoder" else values / self.own_frames

    def _together(self, stack: Stack, variant: Variant) -> np.ndarray:
        values = mixing.required(self, stack)
        if variant != "norm":
            values = getattr(self, f"{stack}_{variant}", None)
        if values is None:
            raise UserError(WITHOUT[variant])
        return values

    def _head(self, stack: Stack, head: int, variant: Variant) -> np.ndarray:
        mixing.required(self, stack)
        if variant != "norm":
            raise UserError("The residual belongs to no single head; choose all heads, or the plain attention norm.")
        values = getattr(self, f"{stack}_heads")
        return values[:, mixing.checked_layer(head, values.shape[1], "head") - 1]

    def shares(
        self, stack: Stack = "encoder", head: int | None = None, per: Per = "frame", variant: Variant = "norm"
    ) -> np.ndarray:
        """(layers, rows, columns) each row divided by its sum over the columns."""
        return mixing.row_shares(self.maps(stack, head, per, variant))

    def self_share(self, stack: Stack = "encoder", variant: Variant = "norm") -> np.ndarray:
        """(layers,) mean share that a word takes from itself (encoder and decoder)."""
        return mixing.self_share(self.shares(stack, variant=variant))

    def table(self) -> pd.DataFrame:
        """One line per layer and pair: norm (sum over the column's frames), its share, and the random-weights values.

        `norm_residual` and `norm_layernorm` are beside it, empty where they are not defined.
        """
        table = mixing.table(self, "norm")
        for variant in ("residual", "layernorm"):
            parts = [_or_nothing(self, stack, variant) for stack in STACKS if getattr(self, stack) is not None]
            table[f"norm_{variant}"] = np.concatenate(parts)
        return table

    def head_table(self) -> pd.DataFrame:
        """One line per layer, head and pair, as `table`."""
        return mixing.table(_heads_as_maps(self), "norm")

    def ratio_table(self) -> pd.DataFrame:
        """One line per layer and position: mixing ratio, and the same with random weights."""
        tables = [_ratio_table(self, stack) for stack in STACKS if getattr(self, stack) is not None]
        return pd.concat(tables, ignore_index=True)


def _or_nothing(result: AttentionNorm, stack: Stack, variant: Variant) -> np.ndarray:
    values = getattr(result, f"{stack}_{variant}", None)
    return np.full(getattr(result, stack).size, np.nan) if values is None else values.ravel()


def _heads_as_maps(result: AttentionNorm) -> AttentionNorm:
    heads = {stack: getattr(result, f"{stack}_heads") for stack in STACKS}
    return replace(result, **heads, random=tuple(_heads_as_maps(part) for part in result.random))


def _ratio_table(result: AttentionNorm, stack: Stack) -> pd.DataFrame:
    values = getattr(result, f"{stack}_ratio")
    layer, position = np.indices(values.shape).reshape(2, -1)
    table = pd.DataFrame({"attention": stack, "layer": layer + 1, "position": position})
    table["time_s"] = result.times[position] if stack == "encoder" else np.nan
    table["token"] = "" if stack == "encoder" else np.array(result.tokens, dtype=object)[position]
    table["mixing_ratio"] = values.ravel()
    for part in result.random:
        seed = part.provenance["options"]["seed"]
        table[f"random_{seed}_mixing_ratio"] = getattr(part, f"{stack}_ratio").ravel()
    return table


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
) -> Steps[AttentionNorm]:
    """How long is the vector that each word (or any segment, single frames included) adds to each other one?

    `segments` default to the words of the model's own transcript; `transcript` replaces the text that the decoder is
    teacher-forced on; `layers` (from 1) keeps only some layers, the others being NaN. Raises UserError for fewer than
    two segments, or for maps too large to keep. Source: Kobayashi et al. 2020, eq. 3 and section 3; 2021, section 3:
    ‖Σ_h α^h_ij f^h(x_j) [+ x_i if i = j]‖, with f^h(x) = (x W_V^h + b_V^h) W_O^h.
    """
    stacks = mixing.possible_stacks(model, stacks or STACKS)
    passage = mixing.passage(clip, model, segments=segments, transcript=transcript, language=language, stacks=stacks)
    asked = mixing.Asked(stacks, mixing.possible_layers(passage, stacks, layers), tuple(random_seeds))
    return (yield from mixing.with_controls(passage, random_seeds, lambda one: _measure(one, asked)))


def _measure(passage: Passage, asked: mixing.Asked) -> AttentionNorm:
    fields = [name for name in AttentionNorm.__annotations__ if name.split("_")[0] in STACKS]
    arrays: dict[str, np.ndarray | None] = dict.fromkeys(fields)
    for stack in asked.stacks:
        found = _stack_norms(passage, stack, asked.layers)
        arrays |= {name: read_only(values) for name, values in found.items() if name in fields}
    return AttentionNorm(
        **arrays,
        times=read_only(models.frame_grid(passage.clip, passage.model).times),
        **mixing.labels(passage),
        provenance=mixing.origin("attention norm", passage, listed(asked)),
    )


@torch.inference_mode()
def _stack_norms(passage: Passage, stack: Stack, layers: Sequence[int] | None) -> dict[str, np.ndarray]:
    """Field name -> one array for all layers; NaN where a layer was not asked for."""
    (rows, columns), sites = passage.groups(stack), passage.sites(stack)
    wanted = [site.layer for site in sites if layers is None or site.layer + 1 in layers]
    heads = sites[0].query.shape[0]
    mixing.checked_size(len(wanted), heads, len(rows), len(columns))
    found: dict[str, np.ndarray] = {}
    for layer in wanted:
        for part, values in _site_norms(sites[layer], rows, columns).items():
            name = f"{stack}_{part}" if part else stack
            found.setdefault(name, np.full((len(sites), *values.shape), np.nan))[layer] = values
    return found


def _site_norms(site: Site, rows: Sequence[range], columns: Sequence[range]) -> dict[str, np.ndarray]:
    """Ends of field names -> what one attention module has for them."""
    weights, norm = site.weights(), following_norm(site)
    words = word_norms(site, rows, columns, weights)
    parts = {"": words.summed, "heads": words.heads, "residual": words.residual, "layernorm": words.normed}
    parts |= {"padding_share": words.padding, "ratio": mixing_ratio(site, weights).numpy()}
    if norm is not None:
        parts["ratio_layernorm"] = mixing_ratio(site, weights, norm).numpy()
    return {name: values for name, values in parts.items() if values is not None}


def view(
    result: AttentionNorm,
    *,
    stack: Stack = "encoder",
    layer: int | None = None,
    head: int | None = None,
    per: Per = "frame",
    variant: Variant = "norm",
    shares: bool = True,
    prompt: bool = False,
) -> mixing.View:
    """What `plot` and the page draw: one layer's map, its random-weights control, and a curve over the layers."""
    check_options(view, {"stack": stack, "per": per, "variant": variant, "shares": shares, "prompt": prompt})
    noun = "token" if stack == "decoder" else "frame"
    unit = "share of row" if shares else ("norm per " + noun if per == "frame" else "norm")
    heads = "" if head is None else f", head {head}"
    return mixing.build_view(
        result,
        stack,
        pick=lambda part: part.maps(stack, head, per, variant),
        axes=("{} that reads", "{} that is read"),
        title=f"{mixing.STACK_TITLES[stack]}, {VARIANTS[variant]}{heads}",
        unit=unit,
        layer=layer,
        shares=shares,
        prompt=prompt,
    )


@options_of(view)
def plot(result: AttentionNorm, **options: Any) -> Figure:
    """The map of one layer beside the mean of its random-weights controls, and a curve over the layers.

    The options are those of `view`: `layer` and `head` count from 1 (the last layer and all heads together by
    default); `variant` is "norm", "residual" or "layernorm"; `shares=False` draws the values before renormalisation.
    """
    return figure.mixing_figure(view(result, **options))
