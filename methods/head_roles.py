"""**What is each head for: looking around itself, at fixed places, or everywhere?**

Every encoder head gets a few numbers from its attention among the clip's own frames (rows renormalised over them).
**CAD** is the area under D(r), the share of a row's attention that falls within a relative radius r; the mean distance
and the half-width that holds 90 % of the mass say the same in milliseconds. *Globalness* is the entropy of a row,
*verticality* how much all rows agree on few frames, *diagonality* how near a row stays to itself; a head is named
after the one in which it stands out most among all heads of the model. *Head similarity* is the mean cosine between
two heads of a layer, and with phones the map shows from which phone to which phone a head looks.

*How to read it.* CAD is 1 on the diagonal and **2/3 for attention spread evenly**, not 1/2: at the dashed line a head
shows no locality. CAD is relative to the clip's length, so compare clips by the milliseconds. In Whisper the
cross-attention heads that OpenAI lists as aligned are marked, with the rank correlation of token and looked-at frame
(punctuation left out: it is not said). For head similarity the published order, summed over a Conformer's layers, is
attention 6.37, key 0.57, query 0.53, value 0.13 (Audhkhasi et al., dev set): expect the order, not the numbers.

*What it cannot show.* Looking is not using: a weight may sit on a value of nothing. Query, key and value spaces of a
head can be rotated without any change to the model, so their cosines mean little; the per-head outputs and the
centred scores do not depend on that choice. A name is relative to the other heads of the same model, also at random.

*Source.* CAD: Shim, Choi & Sung, ICLR 2022. Globalness, verticality, diagonality: Yang, Liu & Lee, 2020 (arXiv
2006.03265). Band: Alastruey et al., ACL SRW 2022. Similarity: Audhkhasi et al., 2022 (arXiv 2209.06096).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core import diagonality, draw, mixing, models
from methods.core.audio import Clip
from methods.core.cache import BoundedCache
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.layers import Site
from methods.core.mixing import Passage
from methods.core.network import SpeechModel
from methods.core.options import check_options
from methods.core.pronunciation import bare_word
from methods.core.results import Steps, finish, read_only

OBJECTS = ("attention", "query", "key", "value", "output", "scores")  # whose cosine between heads; the last two, and
GAUGE_FREE = ("attention", "output", "scores")  # attention, do not change when a head's inner space is rotated
THUMBNAIL = 64  # cells on a side, at most
SCORES = ("cad", "distance_ms", "band_ms", "globalness", "verticality", "diagonality")
LARGEST_MAP = 500  # cells on a side of an opened head

_measured = BoundedCache(128 * 2**20)  # bytes: opening another head must not measure all of them again


@dataclass(frozen=True, eq=False)
class HeadRoles:
    """Scores of every encoder head, (layers, heads) unless said otherwise, and of cross-attention in Whisper."""

    cad: np.ndarray  # cumulative attention diagonality, 0 to 1
    distance_ms: np.ndarray  # mean distance between the frame that looks and the frame looked at
    band_ms: np.ndarray  # smallest half-width that holds 90 % of the attention
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
    random: tuple["HeadRoles", ...]  # the same with random weights, one per seed
    provenance: dict[str, Any]

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


def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    opened: tuple[int, int] | None = None,
    random_seeds: Sequence[int] = (0, 1, 2),
) -> HeadRoles:
    """What does each head of the encoder do, and which cross-attention heads follow the speech?

    `segments` (phones) are the classes of the phoneme attention relationship; without them there is none.
    `transcript` replaces the text that a decoder is teacher-forced on. `opened` (layer, head), from 1, keeps that
    head's map frame by frame. Raises UserError for a head that the model does not have.
    """
    return finish(analyse_in_steps(**locals()))  # nothing but the arguments is local yet


def analyse_in_steps(
    clip: Clip, model: SpeechModel, *, random_seeds: Sequence[int] = (0, 1, 2), **options: Any
) -> Steps[HeadRoles]:
    """`analyse`, one model after the other, for a page that shows progress and can stop."""
    check_options(analyse, {**options, "random_seeds": random_seeds})
    segments, opened = tuple(options.get("segments") or ()), options.get("opened")
    text = None
    if model.writes_text:
        text = models.transcribe(clip, model, text=options.get("transcript"), language=options.get("language"))
    spans = tuple(models.frame_grid(clip, model).spans(segments))
    passage = Passage(clip, model, segments, spans, text)
    names = {"opened": list(opened) if opened else None, "random_seeds": list(random_seeds)}
    return (yield from mixing.with_controls(passage, random_seeds, lambda p: _measure(p, opened, names)))


def _measure(passage: Passage, opened: tuple[int, int] | None, names: dict[str, Any]) -> HeadRoles:
    key = (passage.model.key, passage.clip.sha256, passage.segments, passage.transcript and passage.transcript.ids)
    fields = _measured.fetch(key, lambda: _fields(passage), _bytes)
    heads = passage.model.decoding.alignment_heads if passage.model.writes_text else ()
    grid = models.frame_grid(passage.clip, passage.model)
    return HeadRoles(
        **fields,
        classes=_class_names(passage),
        alignment_heads=tuple((layer + 1, head + 1) for layer, head in heads),
        frame_ms=1000 * grid.step,
        opened=opened,
        opened_map=None if opened is None else _opened_map(passage, *opened),
        opened_edges=None if opened is None else read_only(diagonality.block_bounds(grid, LARGEST_MAP)),
        random=(),
        provenance=mixing.origin("head roles", passage, names),
    )


def _bytes(fields: dict[str, Any]) -> int:
    return sum(value.nbytes for value in fields.values() if value is not None)


def _class_names(passage: Passage) -> tuple[str, ...]:
    return tuple(sorted({segment.label for segment in passage.segments}))


@torch.inference_mode()
def _fields(passage: Passage) -> dict[str, Any]:
    """The arrays of a result, layer by layer."""
    sites = passage.sites("encoder")
    step = 1000 * models.frame_grid(passage.clip, passage.model).step
    layers = [_layer(site, _relation(passage)) for site in sites]
    raw = {name: np.stack([layer[name] for layer in layers]) for name in layers[0] if name != "phones"}
    distance, frames = diagonality.mean_distance(raw["profile"]), raw["profile"].shape[-1]
    raw |= {
        "similarity": raw["similarity"].swapaxes(0, 1),
        "cad": diagonality.cumulative_diagonality(raw["profile"]),
        "distance_ms": distance * step,
        "band_ms": diagonality.band(raw["profile"]) * step,
        "diagonality": -distance / frames,
    }
    thumbnails = read_only(raw.pop("thumbnails"), np.float32)
    phones = read_only([layer["phones"] for layer in layers]) if passage.segments else None
    cross = read_only(_follow(passage)) if passage.transcript else None
    return {name: read_only(values) for name, values in raw.items()} | {
        "thumbnails": thumbnails,
        "phones": phones,
        "monotonicity": cross,
    }


def _relation(passage: Passage) -> diagonality.ClassRelation | None:
    """Counts weights by class of frame; where segments overlap the later one has the frame."""
    if not passage.segments:
        return None
    names = _class_names(passage)
    classes = np.full(models.frame_grid(passage.clip, passage.model).frames, -1)
    for segment, span in zip(passage.segments, passage.spans, strict=True):
        classes[span.start : span.stop] = names.index(segment.label)
    return diagonality.ClassRelation(classes, len(names))


def _layer(site: Site, relation: diagonality.ClassRelation | None) -> dict[str, np.ndarray]:
    """Everything that is summed over the rows of one layer, a chunk of rows at a time."""
    frames, heads = site.own_keys, len(site.query)
    pool = diagonality.blocks(frames, THUMBNAIL)
    profile, thumbnail, mean_row = (0.0 for _ in range(3))
    spread, padding = torch.zeros(heads, dtype=torch.float64), torch.zeros(heads, dtype=torch.float64)
    similarity = torch.zeros(len(OBJECTS), heads, heads, dtype=torch.float64)
    for rows in diagonality.row_chunks(frames):
        scores = diagonality.own_scores(site, rows)
        weights, full = scores.softmax(-1), site.weights(rows)
        profile = profile + diagonality.distance_mass(weights, rows.start)
        mean_row = mean_row + weights.sum(1, dtype=torch.float64) / frames
        spread += diagonality.entropy(weights).sum(-1) / frames
        padding += full[..., frames:].sum((1, 2), dtype=torch.float64) / frames
        thumbnail = thumbnail + pool[:, rows].to(weights) @ (weights @ pool.T.to(weights))
        written = (full @ site.value) @ site.out
        level = scores - scores.mean(-1, keepdim=True)  # a constant added to a row changes no weight
        vectors = (weights, site.query[:, rows], site.key[:, rows], site.value[:, rows], written, level)
        similarity += torch.stack([diagonality.cosine_sum(part) for part in vectors]) / frames
        if relation is not None:
            relation.add(weights, rows.start)
    return {
        "profile": profile.numpy() / frames,
        "globalness": spread.numpy(),
        "verticality": -diagonality.entropy(mean_row).numpy(),
        "padding": padding.numpy(),
        "similarity": similarity.numpy(),
        "thumbnails": thumbnail.numpy(),
        **({} if relation is None else {"phones": relation.mean()}),
    }


@torch.inference_mode()
def _follow(passage: Passage) -> np.ndarray:
    """(layers, heads) does the frame that a cross-attention head looks at most move on with the spoken tokens?"""
    text = passage.transcript
    # The state just before a token writes it. Punctuation is not said: many aligned heads then jump to the start.
    spoken = [len(text.prompt) - 1 + i for i, piece in enumerate(text.token_texts) if not piece or bare_word(piece)]
    layers = []
    for site in passage.sites("cross"):
        peaks = site.weights()[:, spoken, : site.own_keys].argmax(-1).numpy()
        layers.append([diagonality.monotonicity(head) for head in peaks])
    return np.array(layers)


@torch.inference_mode()
def _opened_map(passage: Passage, layer: int, head: int) -> np.ndarray:
    """(cells, cells) one head's weights, frame by frame up to 500 frames."""
    sites = passage.sites("encoder")
    layer, heads = mixing.checked_layer(layer, len(sites)), len(sites[0].query)
    head = mixing.checked_layer(head, heads, "head")
    site = sites[layer - 1]
    pool = diagonality.blocks(site.own_keys, LARGEST_MAP).to(site.query)
    total = 0.0
    for rows in diagonality.row_chunks(site.own_keys):
        total = total + pool[:, rows] @ diagonality.own_weights(site, rows)[head - 1] @ pool.T
    return read_only(total.numpy(), np.float32)


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


def score_curve(ax: Axes, result: HeadRoles, score: str = "cad", ink: str = draw.INK) -> None:
    """A score of every head by layer: heads as dots, their mean, and mean and range with random weights."""
    values = getattr(result, score)
    layers = np.arange(1, len(values) + 1)
    if result.random:
        control = np.concatenate([getattr(twin, score) for twin in result.random], axis=1)
        ax.fill_between(layers, control.min(1), control.max(1), color=draw.RANDOM, alpha=0.2, lw=0)
        name = f"random weights, {len(result.random)} seeds"
        ax.plot(layers, control.mean(1), color=draw.RANDOM, ls="--", label=name)
    ax.plot(layers, values.mean(1), color=draw.TRAINED, marker="_", label="trained, mean of heads")
    ax.scatter(np.repeat(layers, values.shape[1]), values.ravel(), s=10, color=draw.TRAINED, alpha=0.7)
    if score == "cad":
        ax.axhline(result.uniform, color=draw.QUIET, ls=":", label="even spread, 2/3")
    ax.set(xlabel="layer", ylabel=score.replace("_", ", "), xticks=layers)
    draw.plain_axes(ax, ink)


def radius_curve(ax: Axes, result: HeadRoles, layer: int, head: int, ink: str = draw.INK) -> None:
    """D(r) of one head among those of its layer, beside an even spread."""
    within = result.within()[layer - 1]
    frames = within.shape[-1]
    radius = np.arange(frames) / max(frames - 1, 1)
    ax.plot(radius, within.T, color=draw.TRAINED, lw=0.6, alpha=0.4)
    ax.plot(radius, within[head - 1], color=draw.TRAINED, lw=2, label=f"layer {layer}, head {head}")
    even = diagonality.distance_profile(np.full((1, frames, frames), 1 / frames))[0].cumsum()
    ax.plot(radius, even, color=draw.QUIET, ls=":", label="even spread")
    ax.set(xlabel="radius r, share of the clip", ylabel="D(r)", xlim=(0, 1), ylim=(0, 1.02))
    draw.plain_axes(ax, ink)


def similarity_curve(ax: Axes, result: HeadRoles, ink: str = draw.INK) -> None:
    """How alike are the heads of a layer? Solid: trained; dotted in the same colour: mean of the random weights."""
    layers = np.arange(1, len(result.cad) + 1)
    for number, name in enumerate(OBJECTS):
        colour = f"C{number}"
        ax.plot(layers, result.layer_similarity()[number], color=colour, label=name)
        if result.random:
            control = np.mean([twin.layer_similarity()[number] for twin in result.random], 0)
            ax.plot(layers, control, color=colour, ls=":")
    ax.set(xlabel="layer", ylabel="mean cosine of two heads", xticks=layers, ylim=(-0.2, 1.05))
    draw.plain_axes(ax, ink, columns=3)


def plot(result: HeadRoles, *, layer: int | None = None, head: int = 1, score: str = "cad") -> Figure:
    """Thumbnails of all heads, one score by layer with its control, D(r) of the chosen head, and likeness of heads."""
    layers, heads = result.cad.shape
    layer, head = mixing.checked_layer(layer, layers), mixing.checked_layer(head, heads, "head")
    if score not in SCORES:
        raise UserError(f"There is no score “{score}”; choose one of {', '.join(SCORES)}.")
    figure = draw.new_figure(0.9 * heads + 5.0, max(0.9 * layers + 0.6, 8.0))
    grid, curves = figure.subfigures(1, 2, width_ratios=(0.9 * heads, 5.0))
    for (row, column), ax in np.ndenumerate(grid.subplots(layers, heads, squeeze=False)):
        picture = result.thumbnails[row, column]
        ax.imshow(np.sqrt(picture), cmap=draw.SEQUENTIAL, vmin=0, interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"{row + 1}.{column + 1} {result.kinds[row, column][0]}", fontsize=7, pad=2)
        ax.spines[:].set_linewidth(2.0 if (row + 1, column + 1) == (layer, head) else 0.5)
    grid.suptitle("Layer.head, root of the weight; d diagonal, g global, v vertical", fontsize=9)
    upper, middle, lower = curves.subplots(3, 1)
    score_curve(upper, result, score)
    radius_curve(middle, result, layer, head)
    similarity_curve(lower, result)
    return figure
