"""Rollout through a whole encoder-decoder: how much of each token that is written comes from which sound and text.

The three attentions' maps (`three_scores`) are measured once; the rollout of all of them together is arithmetic, so
that the share that the residual stream keeps can be changed without running a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from methods.context_mixing.rollout import BlockRollout, block_rollout, row_entropy
from methods.context_mixing.three_scores import (
    LEAVES_OUT_RESIDUAL,
    PAIRS,
    SCORES,
    Kept,
    Per,
    Score,
    gathered,
    kept_share,
    measured,
)
from methods.core import mixing
from methods.core.mixing import MixingResult, Passage, Place, View
from methods.core.results import read_only
from methods.core.statistics import correlation

Source = Literal["sound", "text"]
SOURCES: dict[Source, str] = {"sound": "the sound", "text": "earlier tokens"}
ORDER: tuple[Score, ...] = tuple(SCORES)
PANELS = {
    "agreement": "rank correlation over the sound",
    "heard": "share of a row from the sound",
    "entropy": "row entropy, sound and text, bits",
    "ratio": "mixing ratio, measured",
}


@dataclass(frozen=True, eq=False)
class LayerMaps(MixingResult):
    """Three scores (attention, norm, value zeroing) of all three attentions, layer by layer."""

    encoder: np.ndarray  # (3, encoder layers, segments, segments) as in ContextMixing, not renormalised
    decoder: np.ndarray  # (3, layers, tokens, tokens); 0 above the diagonal
    cross: np.ndarray  # (3, layers, tokens, segments)
    encoder_ratio: np.ndarray  # (encoder layers, segments) length of what attention adds, against that + the residual
    decoder_ratio: np.ndarray  # (layers, tokens) the same; 0 to 1
    cross_ratio: np.ndarray  # (layers, tokens)

    @property
    def layers(self) -> int:
        """How many layers the decoder has."""
        return self.cross.shape[1]

    def rollout(self, score: Score, *, per: Per = "published", kept: Kept = 0.5) -> BlockRollout:
        """All layers multiplied: shares (layers, tokens, …) of the text's and the sound's positions.

        `kept` is what goes through the residual stream past each attention (for value zeroing, which holds the
        residual stream already, only past cross-attention): one share, or "measured".
        """
        number = ORDER.index(score)
        maps = {stack: self._maps(stack, number, score, per) for stack in mixing.STACKS}
        return block_rollout(
            maps["decoder"],
            maps["cross"],
            maps["encoder"],
            residual=LEAVES_OUT_RESIDUAL[score],
            passed_on=kept_share(kept, self.cross_ratio),
            kept=kept_share(kept, self.decoder_ratio),
            kept_below=kept_share(kept, self.encoder_ratio),
        )

    def _maps(self, stack: str, number: int, score: Score, per: Per) -> np.ndarray:
        return gathered(getattr(self, stack)[number], score, per, None if stack == "decoder" else self)


@dataclass(frozen=True, eq=False)
class WholeModel(LayerMaps):
    """The three scores, and what they amount to together."""

    sound: np.ndarray  # (3, layers, tokens, segments) share that comes from each segment, half of each row kept
    text: np.ndarray  # (3, layers, tokens, tokens) share that comes from each token; with the sound, each row is 1
    stack: ClassVar[str] = "whole"

    @property
    def writers(self) -> slice:
        """The rows that write the text: from the prompt's last token on."""
        return slice(mixing.first_writer(self.prompt), None)

    def curves(self, what: str, *, per: Per = "published", kept: Kept = 0.5) -> dict[str, np.ndarray]:
        """Name -> (layers,) of one of `PANELS`, over the rows that write the text."""
        if what == "ratio":
            text = (self.decoder_ratio[:, self.writers], self.cross_ratio[:, self.writers])
            kinds = zip(("encoder", "decoder", "cross-attention"), (self.encoder_ratio, *text), strict=True)
            return {name: values.mean(-1) for name, values in kinds}
        found = {score: self.rollout(score, per=per, kept=kept) for score in SCORES}
        heard = {score: part.sound[:, self.writers] for score, part in found.items()}
        if what == "heard":
            return {SCORES[score]: values.sum(-1).mean(-1) for score, values in heard.items()}
        if what == "entropy":
            both = {score: np.concatenate([heard[score], found[score].text[:, self.writers]], -1) for score in SCORES}
            return {SCORES[score]: row_entropy(values) for score, values in both.items()}
        cells = {score: mixing.row_shares(values).reshape(self.layers, -1) for score, values in heard.items()}
        return {f"{SCORES[a]} – {SCORES[b]}": correlation.rank_correlation(cells[a], cells[b]) for a, b in PAIRS}

    def table(self) -> pd.DataFrame:
        """One line per decoder layer, row (state at a token, which writes the next) and source, as it rolled out.

        `<score>_share` keeps half of each row in the residual stream, `<score>_share_measured` as much as its length
        says; `random_<seed>_…` are the same with random weights.
        """
        parts = [_source_table(self, source) for source in SOURCES]
        return pd.concat(parts, ignore_index=True)

    def by_layer(self) -> pd.DataFrame:
        """One line per network and decoder layer: rank correlations, shares of the sound, entropies (half kept)."""
        tables = []
        for part in (self, *self.random):
            seed = part.provenance["options"]["seed"]
            columns = {"weights": "trained" if seed is None else f"random {seed}"}
            columns["layer"] = np.arange(1, part.layers + 1)
            for what in ("agreement", "heard", "entropy"):
                columns |= {f"{what}_{name}": values for name, values in part.curves(what).items()}
            tables.append(pd.DataFrame(columns))
        return pd.concat(tables, ignore_index=True)


def measured_whole(passage: Passage, seeds: tuple[int, ...]) -> WholeModel:
    """All three attentions of one network, without controls."""
    parts = {stack: measured(passage, stack, seeds) for stack in mixing.STACKS}
    maps = {stack: read_only([getattr(part, score) for score in ORDER]) for stack, part in parts.items()}
    ratios = {f"{stack}_ratio": part.ratio for stack, part in parts.items()}
    origin = mixing.origin("context mixing", passage, {"stack": "whole", "random_seeds": list(seeds)})
    measured_maps = LayerMaps(**maps, **ratios, **mixing.labels(passage), provenance=origin)
    rolled = [measured_maps.rollout(score) for score in ORDER]
    return WholeModel(
        **vars(measured_maps),
        sound=read_only([part.sound for part in rolled]),
        text=read_only([part.text for part in rolled]),
    )


def _source_table(result: WholeModel, source: Source) -> pd.DataFrame:
    shape = getattr(result, source).shape[1:]
    layer, row, column = np.indices(shape).reshape(3, -1)
    tokens, rows = np.array(result.tokens, dtype=object), np.array(_writing(result), dtype=object)
    frame = pd.DataFrame({"layer": layer + 1, "row_index": row, "row": rows[row], "source": source})
    frame["column_index"] = column
    frame["column"] = np.array(result.labels, dtype=object)[column] if source == "sound" else tokens[column]
    for name in ("start", "end"):
        frame[f"column_{name}_s"] = getattr(result, f"{name}s")[column] if source == "sound" else np.nan
    for part in (result, *result.random):
        seed = part.provenance["options"]["seed"]
        before = "" if seed is None else f"random_{seed}_"
        for number, score in enumerate(ORDER):
            frame[f"{before}{score}_share"] = getattr(part, source)[number].ravel()
            frame[f"{before}{score}_share_measured"] = getattr(part.rollout(score, kept="measured"), source).ravel()
    return frame


def _writing(result: WholeModel) -> list[str]:
    """The rows' names: the state at one token writes the next one."""
    return [
        f"{this} → {following}" for this, following in zip(result.tokens, (*result.tokens[1:], "end"), strict=True)
    ]


def views(
    result: WholeModel, *, layer: int | None, per: Per, kept: Kept, source: Source, prompt: bool
) -> dict[Score, View]:
    """Score -> the shares of the sound or of the text up to one layer, and the control; one colour scale for all.

    The scale ends at this layer's largest share: what is left of the text shrinks from layer to layer.
    """
    number = mixing.checked_layer(layer, result.layers)
    rows = slice(0, None) if prompt else result.writers
    columns = slice(None if prompt or source == "sound" else result.prompt, None)

    def shown(part: WholeModel, score: Score) -> np.ndarray:
        return getattr(part.rollout(score, per=per, kept=kept), source)[number - 1, rows, columns]

    maps = {score: [shown(part, score) for part in (result, *result.random)] for score in SCORES}
    top = max(float(values.max(initial=0.0)) for found in maps.values() for values in found) or 1.0
    curves = [part.curves("heard", per=per, kept=kept) for part in (result, *result.random)]
    return {score: _view(result, score, maps[score], curves, (number, top, source, prompt)) for score in SCORES}


def _view(result: WholeModel, score: Score, maps: Sequence[np.ndarray], curves: Sequence[dict], asked: tuple) -> View:
    number, top, source, prompt = asked
    first = 0 if prompt else result.prompt
    written = (*result.tokens[1:], "end")
    sound = zip(result.labels, result.starts.tolist(), result.ends.tolist(), strict=True)
    return View(
        title=f"{SCORES[score]}, each written token from {SOURCES[source]}, all layers up to here",
        unit="share of row",
        rows=tuple(Place(f"→ {name}") for name in written[slice(0, None) if prompt else result.writers]),
        columns=tuple(
            [Place(*item) for item in sound] if source == "sound" else [Place(name) for name in result.tokens[first:]]
        ),
        row_name="token that is written",
        column_name="word or phone of the sound" if source == "sound" else "token that was read",
        values=maps[0],
        control=np.mean(maps[1:], axis=0) if len(maps) > 1 else None,
        seeds=len(maps) - 1,
        top=top,
        curve_name="Share from the sound",
        curve=curves[0][SCORES[score]],
        curve_control=np.array([part[SCORES[score]] for part in curves[1:]]).reshape(len(maps) - 1, result.layers),
        chance=None,
        layer=number,
    )
