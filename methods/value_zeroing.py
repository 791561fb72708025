"""**Whose sound, or word, does each word's representation really depend on?**

In one layer at a time, the value vectors of one word are set to zero in every head, so that nobody can read that
word, while queries, keys, attention weights, residual stream and feed-forward stay as they are. The cosine distance
between each position's new and original output says how much it relied on that word. Rows are the words that are
affected, columns the words that are zeroed. In conformer blocks (hama-ctc), whose convolution mixes frames as well,
the distance is taken right after the attention module. The rest of a block is the model's own: the paper writes it
with LayerNorms after each part and a ReLU, Whisper has them before and a GELU.

*How to read it.* The raw distance is tiny where the residual stream dominates; a **share** is a row's distances
divided by their sum. The diagonal is a word's reliance on its own frames. Compare layers: context usually opens up
with depth.

*What it cannot show.* It removes a whole word, so long words weigh more: under random weights a word's share grows
with about the square of its duration. Read a cell against the random-weights map beside it. It tells how a
representation is built within one layer, not what the model's answer depended on.

*Source.* Mohebbi, Zuidema, Chrupała & Alishahi, Quantifying Context Mixing in Transformers, EACL 2023
(arXiv 2301.12971); speech version: Homophone Disambiguation Reveals Patterns of Context Mixing in Speech
Transformers, EMNLP 2023 (arXiv 2310.09925).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from methods.core import mixing
from methods.core.audio import Clip
from methods.core.frames import Segment
from methods.core.mixing import STACKS, MixingMap, Passage, figure
from methods.core.mixing.zeroing import site_distances_in_steps
from methods.core.models.sites import Site, Stack
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis, check_options, options_of
from methods.core.progress import Step, Steps, within
from methods.core.results import listed, read_only


@dataclass(frozen=True, eq=False)
class AgainstTheMean(Site):
    """The same attention module; its contributions are measured from that of the mean value over the clip's own keys.

    Its weights and output are those of the module itself, so that value zeroing of this site takes away
    weight × (contribution - mean contribution): the values of the zeroed keys become the mean.
    """

    def taken(self, keys: torch.Tensor | slice = slice(None)) -> torch.Tensor:
        return self.value[:, keys] - self.value[:, : self.own_keys].mean(1, keepdim=True)


Per = Literal["segment", "frame"]
Ablation = Literal["zero", "mean"]  # what the values of a word become: zero, or the clip's mean value


@dataclass(frozen=True, eq=False)
class ValueZeroing(MixingMap):
    """Raw cosine distances (0 to 2), rows = affected, columns = zeroed; None for a stack that was not asked for."""

    encoder: np.ndarray | None  # (layers, segments, segments)
    decoder: np.ndarray | None  # (layers, tokens, tokens); 0 where the row comes before the zeroed token
    cross: np.ndarray | None  # (layers, tokens, segments)

    def maps(self, stack: Stack = "encoder", per: Per = "segment") -> np.ndarray:
        """(layers, rows, columns) raw distances, or per zeroed frame, so that long words do not win by length."""
        distances = mixing.required(self, stack)
        return distances if per == "segment" or stack == "decoder" else distances / self.frames

    def shares(self, stack: Stack = "encoder", per: Per = "segment") -> np.ndarray:
        """(layers, rows, columns) each row divided by its sum: shares of what a row takes from all that is shown.

        A row whose distances are all 0 (nothing reached it) has no shares: NaN.
        """
        return mixing.row_shares(self.maps(stack, per))

    def self_share(self, stack: Stack = "encoder") -> np.ndarray:
        """(layers,) mean share that a word takes from itself (encoder and decoder)."""
        return mixing.self_share(self.shares(stack))

    def table(self) -> pd.DataFrame:
        """One line per layer and pair: raw distance, share, and the random-weights values beside them."""
        return mixing.table(self, "distance")


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
    ablation: Ablation = "zero",
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Steps[ValueZeroing]:
    """How much does each word's representation change, layer by layer, when another word cannot be read?

    `segments` default to the words of the model's own transcript (single frames: `mixing.single_frames`); `transcript`
    replaces the text that the decoder is teacher-forced on; `layers` (from 1) keeps only some layers, the others being
    NaN. `ablation="mean"` gives a word's frames the clip's mean value instead of zero, which no layer has ever read.
    `random_seeds` are the random-weights controls. Raises UserError for
    fewer than two segments.
    Source: Mohebbi et al. 2023, section 3; a zeroed word's frames J give 1 - cos(x_i without J, x_i), averaged over
    the frames i of the affected word. In the last layer both sides pass the stack's final LayerNorm.
    """
    stacks = mixing.possible_stacks(model, stacks or STACKS)
    passage = mixing.passage(clip, model, segments=segments, transcript=transcript, language=language, stacks=stacks)
    asked = _Asked(stacks, mixing.possible_layers(passage, stacks, layers), tuple(random_seeds), ablation)
    count, name = len(random_seeds) + 1, f"{model.id}, trained weights"
    yield Step(0.0, name)
    result = yield from _measured(passage, asked, (0.0, 1 / count), name, None)
    controls = []
    for number, seed in enumerate(random_seeds, start=1):
        name = f"random weights, seed {seed}"
        yield Step(number / count, name, partial=result)
        part = (number / count, (number + 1) / count)
        controls.append((yield from _measured(passage.twin(seed), asked, part, name, result)))
    return replace(result, random=tuple(controls))


@dataclass(frozen=True)
class _Asked(mixing.Asked):
    ablation: Ablation


def _measured(
    passage: Passage, asked: _Asked, part: tuple[float, float], name: str, partial: ValueZeroing | None
) -> Steps[ValueZeroing]:
    """One model's maps; `part` is the share of the whole work that this is, from and to."""
    maps, count = {}, len(asked.stacks)
    for number, stack in enumerate(asked.stacks):
        steps = _stack_map(passage, stack, asked.layers, asked.ablation)
        low, high = (part[0] + (part[1] - part[0]) * edge / count for edge in (number, number + 1))
        found = yield from within(steps, low, high, partial, f"{name}, {stack}")
        maps[stack] = read_only(found)
    return ValueZeroing(
        **{stack: maps.get(stack) for stack in STACKS},
        **mixing.labels(passage),
        provenance=mixing.origin("value zeroing", passage, listed(asked)),
    )


@torch.inference_mode()
def _stack_map(passage: Passage, stack: Stack, layers: Sequence[int] | None, ablation: Ablation) -> Steps[np.ndarray]:
    """(layers, rows, columns) of one stack, layer by layer."""
    (rows, columns), sites = passage.groups(stack), passage.sites(stack)
    result = np.full((len(sites), len(rows), len(columns)), np.nan)
    chosen = [site for site in sites if layers is None or site.layer + 1 in layers]
    for number, site in enumerate(chosen):
        judged = site if ablation == "zero" else AgainstTheMean(**vars(site))
        steps = site_distances_in_steps(judged, rows, columns)
        low, high = number / len(chosen), (number + 1) / len(chosen)
        result[site.layer] = yield from within(steps, low, high, name=f"layer {site.layer + 1}")
    return result


def view(
    result: ValueZeroing,
    *,
    stack: Stack = "encoder",
    layer: int | None = None,
    per: Per = "segment",
    shares: bool = True,
    prompt: bool = False,
) -> mixing.View:
    """What `plot` and the page draw: one layer's map, its random-weights control, and a curve over the layers."""
    check_options(view, {"stack": stack, "per": per, "shares": shares, "prompt": prompt})
    mean = result.provenance["options"].get("ablation") == "mean"
    noun = " per frame" if per == "frame" and stack != "decoder" else ""
    return mixing.build_view(
        result,
        stack,
        pick=lambda part: part.maps(stack, per),
        axes=("affected {}", "{} set to the mean" if mean else "{} that was zeroed"),
        title=mixing.STACK_TITLES[stack] + (" (values set to the clip's mean)" if mean else ""),
        unit="share of row" if shares else f"cosine distance{noun}",
        layer=layer,
        shares=shares,
        prompt=prompt,
    )


@options_of(view)
def plot(result: ValueZeroing, **options: Any) -> Figure:
    """The map of one layer beside the mean of its random-weights controls, and the self share of every layer.

    The options are those of `view`: `layer` counts from 1, the last one by default; `shares=False` draws raw
    distances; `per="frame"` divides by the number of frames that were zeroed.
    """
    return figure.mixing_figure(view(result, **options))
