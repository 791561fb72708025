"""Segments shorter than a frame borrow the nearest one: what is added over segments holds it once."""

from itertools import pairwise

import numpy as np
import pytest

from methods import attention, attention_norm, context_mixing
from methods.core.explain import attribution_map
from methods.core.frames import Segment
from methods.phoneme_saliency import cells

EDGES = (0.0, 0.2, 0.203, 0.206, 0.209, 0.211, 0.5, 1.0)  # frames every 20 ms: four segments between two of them


@pytest.fixture(scope="module")
def short(clip) -> tuple[Segment, ...]:
    """Segments that cover the clip without a gap."""
    edges = (*EDGES[:-1], clip.seconds)
    return tuple(Segment(str(i), a, b) for i, (a, b) in enumerate(pairwise(edges)))


def test_a_rows_attention_is_one_however_short_the_segments(clip, tiny_model, short):
    found = attention.analyse(clip, tiny_model, segments=short, random_seeds=())
    assert found.frames.tolist()[1:5] == [1, 1, 1, 1] and found.own_frames[1:5].sum() < 2
    for stack in ("encoder", "cross"):
        whole = getattr(found, stack).sum(-1) + getattr(found, f"{stack}_padding")
        np.testing.assert_allclose(whole, 1, atol=1e-5)  # single-precision weights
    # Per frame, a borrowed frame is what it is, for each of its borrowers.
    single = found.intensity("encoder")[..., 1:5]
    twins = [(i, j) for i in range(4) for j in range(i) if found.own_frames[1 + i] == found.own_frames[1 + j] < 1]
    assert twins and all(np.allclose(single[..., i], single[..., j]) for i, j in twins[:1])


def test_norms_of_segments_add_up_to_those_of_frames(clip, tiny_model, short):
    words = attention_norm.analyse(clip, tiny_model, segments=short, random_seeds=())
    whole = attention_norm.analyse(
        clip, tiny_model, segments=(Segment("a", 0, 0.5), Segment("b", 0.5, clip.seconds)), random_seeds=()
    )
    # The last row, from 0.5 s on, reads the same keys, cut otherwise.
    sums = [one.maps("encoder", per="mass")[:, -1].sum(-1) for one in (words, whole)]
    np.testing.assert_allclose(*sums, rtol=1e-6)
    mixed = context_mixing.analyse(clip, tiny_model, segments=short, random_seeds=())
    np.testing.assert_allclose(mixed.norm[:, -1].sum(-1), sums[0], rtol=1e-6)


def test_sums_of_a_map_keep_the_whole_and_means_are_as_before(short):
    where, values = np.arange(0, 0.5, 0.02), np.random.default_rng(0).normal(size=(3, 25))
    pieces = short[:6]
    assert attribution_map.pooled(values, where, pieces, "sum").sum() == pytest.approx(values.sum())
    spans = [range(10), range(10, 11), range(10, 11), range(10, 25)]
    assert cells.pooled(values, spans, "sum").sum() == pytest.approx(values.sum())
    np.testing.assert_allclose(cells.pooled(values, spans)[1:3], values[:, 10].mean())
