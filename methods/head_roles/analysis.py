"""How head roles is computed: one pass per model, then one row of scores for each head."""

from collections.abc import Sequence

import numpy as np
import torch

from methods.core import mixing, models
from methods.core.audio import Clip
from methods.core.cache import BoundedCache
from methods.core.frames import Segment
from methods.core.mixing import Passage, diagonality
from methods.core.models.sites import Site
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Steps
from methods.core.results import read_only
from methods.core.speech.words import bare_word
from methods.head_roles.result import OBJECTS, HeadRoles

GAUGE_FREE = ("attention", "output", "scores")  # attention, do not change when a head's inner space is rotated
THUMBNAIL = 64  # cells on a side, at most
LARGEST_MAP = 500  # cells on a side of an opened head

_measured = BoundedCache(128 * 2**20)  # bytes: opening another head must not measure all of them again


@analysis()
def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    opened: tuple[int, int] | None = None,
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Steps[HeadRoles]:
    """What does each head of the encoder do, and which cross-attention heads follow the speech?

    `segments` (phones) are the classes of the phoneme attention relationship; without them there is none.
    `transcript` replaces the text that a decoder is teacher-forced on. `opened` (layer, head), from 1, keeps that
    head's map frame by frame. Raises UserError for a head that the model does not have.
    """
    segments = tuple(segments or ())
    text = models.transcribe(clip, model, text=transcript, language=language) if model.writes_text else None
    spans = tuple(models.frame_grid(clip, model).spans(segments))
    passage = Passage(clip, model, segments, spans, text)
    seeds = tuple(random_seeds)
    return (yield from mixing.with_controls(passage, seeds, lambda one: _measure(one, opened, seeds)))


def _measure(passage: Passage, opened: tuple[int, int] | None, seeds: tuple[int, ...]) -> HeadRoles:
    asked = {"opened": list(opened) if opened else None, "random_seeds": list(seeds)}
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
        provenance=mixing.origin("head roles", passage, asked),
    )


def _bytes(fields: dict[str, np.ndarray | None]) -> int:
    return sum(value.nbytes for value in fields.values() if value is not None)


def _class_names(passage: Passage) -> tuple[str, ...]:
    return tuple(sorted({segment.label for segment in passage.segments}))


@torch.inference_mode()
def _fields(passage: Passage) -> dict[str, np.ndarray | None]:
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
