"""Segments, and frames against seconds. The oracle is exact fractions."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from methods.core.errors import UserError
from methods.core.frames import (
    AlignmentError,
    FrameGrid,
    Segment,
    portions,
    wav2vec2_grid,
    whisper_grid,
    without_overlap,
)


def test_a_segment_keeps_plain_floats():
    segment = Segment("a", np.float32(0.5), 1)
    assert (type(segment.start), type(segment.end)) == (float, float)


@pytest.mark.parametrize(
    ("start", "end"), [(1, 1), (2, 1), (-0.1, 1), (math.nan, 1), (0, math.nan), (0, math.inf)], ids=str
)
def test_a_segment_without_extent_is_refused(start, end):
    with pytest.raises(AlignmentError, match=r"“word” is said to last from .* please give a start"):
        Segment("word", start, end)


def test_alignment_errors_are_user_errors():
    assert issubclass(AlignmentError, UserError)


@pytest.mark.parametrize("samples", [1600, 1601, 16_000, 16_319, 16_320, 16_321, 47_216, 480_000])
def test_whisper_has_one_frame_for_each_320_samples_begun(samples):
    grid = whisper_grid(samples)
    assert grid.frames == -(-samples // 320)
    np.testing.assert_allclose(grid.times, np.arange(grid.frames) / 50, rtol=0, atol=1e-12)
    assert grid.times[-1] < samples / 16_000


def test_whisper_never_has_more_than_its_window():
    assert whisper_grid(600_000).frames == 1500


@pytest.mark.parametrize("samples", [400, 719, 720, 1600, 16_000, 47_216, 480_000])
def test_wav2vec2_frames_are_those_of_its_seven_convolutions(samples):
    length = samples
    for kernel, stride in zip((10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2), strict=True):
        length = (length - kernel) // stride + 1
    grid = wav2vec2_grid(samples)
    assert grid.frames == length
    assert grid.times[0] == pytest.approx(0.0125, abs=1e-12)  # the middle of samples 0 to 400


def test_a_clip_without_a_frame_is_refused():
    with pytest.raises(AlignmentError, match="too short"):
        wav2vec2_grid(399)


@pytest.mark.parametrize("grid_of", [whisper_grid, wav2vec2_grid])
def test_neighbours_partition_the_frames_by_exact_arithmetic(grid_of):
    """2,000 random clips cut at random whole milliseconds and at frame centres, against fractions."""
    random = np.random.default_rng(1)
    first_centre = Fraction(0) if grid_of is whisper_grid else Fraction(125, 10_000)
    for _ in range(2000):
        samples = int(random.integers(1600, 480_001))
        grid = grid_of(samples)
        last = samples * 1000 // 16_000  # ms
        cuts = random.integers(1, last, random.integers(1, 30))
        # Frame centres rounded to ms, where the last binary digit decides.
        centres = np.round(grid.times[random.integers(1, grid.frames, 8)] * 1000).astype(int)
        ms = sorted({0, last + 1, *(int(c) for c in (*cuts, *centres) if 0 < c < last)})
        segments = [Segment("x", a / 1000, b / 1000) for a, b in itertools.pairwise(ms)]
        expected = [
            list(range(_at(a, first_centre), min(_at(b, first_centre), grid.frames)))
            for a, b in itertools.pairwise(ms)
        ]
        spans = grid.spans(segments)
        kept = [span for span, s in zip(spans, segments, strict=True) if not grid.is_between_frames(s)]
        assert [list(span) for span in kept] == [frames for frames in expected if frames]
        assert [i for span in kept for i in span] == list(range(grid.frames))
        assert all(len(span) == 1 for span, frames in zip(spans, expected, strict=True) if not frames)


def _at(ms: int, first_centre: Fraction) -> int:
    """First frame whose centre is at or after `ms`."""
    return max(0, math.ceil((Fraction(ms, 1000) - first_centre) * 50))


def test_random_grids_are_partitioned_too():
    """Any grid, boundaries given as sums of steps: 0.1 + 0.2 is not 0.3, but it is the same frame."""
    random = np.random.default_rng(2)
    for _ in range(2000):
        step = float(random.choice([0.01, 0.02, 0.0125, 0.025, 1 / 75, 0.02 / 3]))
        grid = FrameGrid(float(random.choice([0.0, step / 2, 0.0125])), step, int(random.integers(2, 1500)))
        inner = sorted(random.choice(np.arange(1, grid.frames), min(grid.frames - 1, 6), replace=False))
        sums = [grid.first_centre + math.fsum([step] * int(i)) for i in inner]
        edges = [0.0, *sums, grid.seconds]
        spans = grid.spans(Segment("x", a, b) for a, b in itertools.pairwise(edges))
        assert [i for span in spans for i in span] == list(range(grid.frames))
        assert [span.start for span in spans[1:]] == inner


@pytest.mark.parametrize("i", [0, 1, 3, 7, 29, 57, 150, 1499])
def test_a_boundary_on_a_centre_belongs_to_what_follows(i):
    grid = whisper_grid(480_000)
    assert grid.span(Segment("x", i * 0.02, i * 0.02 + 0.02)) == range(i, i + 1)


def test_a_segment_between_two_centres_borrows_the_nearest_and_says_so():
    grid = whisper_grid(16_000)
    short = Segment("t", 0.101, 0.112)  # centres at 0.10 and 0.12, middle 0.1065
    assert grid.span(short) == range(5, 6)
    assert grid.is_between_frames(short)
    assert not grid.is_between_frames(Segment("t", 0.1, 0.112))
    assert grid.span(Segment("t", 0.985, 0.999)) == range(49, 50)  # after the last centre, still in the clip
    assert wav2vec2_grid(16_000).span(Segment("t", 0.0, 0.01)) == range(1)  # before the first centre


def test_a_frame_that_several_segments_hold_is_divided_among_them():
    grid = whisper_grid(16_000)
    edges = (0.0, 0.1, 0.104, 0.108, 0.112, 0.116, 0.2)  # frame 5 (0.10 s) is held by one and borrowed by others
    spans = grid.spans(Segment("x", a, b) for a, b in itertools.pairwise(edges))
    part = portions(spans, grid.frames)
    held = [sum(frame in span for span in spans) for frame in range(grid.frames)]
    assert max(held) >= 2
    np.testing.assert_allclose(part, [1 / max(k, 1) for k in held])
    assert sum(part[span.start : span.stop].sum() for span in spans) == pytest.approx(
        10
    )  # each frame up to 0.2 s once


def test_a_segment_of_another_clip_is_refused_and_one_that_overhangs_is_cut():
    grid = whisper_grid(16_000)
    with pytest.raises(AlignmentError, match=r"“late” begins at 1 s but the clip ends at 1 s.*another recording"):
        grid.span(Segment("late", 1.0, 1.5))
    assert grid.span(Segment("long", 0.9, 5.0)) == range(45, 50)


def test_parity_rules():
    """By hand: a clip of 1 s has 50 frames, so a word from 0.105 to 0.215 s spans 5.25 to 10.75 frames."""
    grid, word = whisper_grid(16_000), Segment("x", 0.105, 0.215)
    assert grid.span(word) == range(6, 11)
    assert grid.span(word, rule="mohebbi") == range(6, 12)  # ceil 6 to ceil 11, both in
    assert grid.span(word, rule="fastabx") == range(5, 11)  # centres 0.11, 0.13, …, 0.21 at (i + 1/2) * 20 ms
    uneven = wav2vec2_grid(16_000)  # 49 frames in 1 s: 49 * 0.105 = 5.1, 49 * 0.215 = 10.5
    assert uneven.span(word, rule="mohebbi") == range(6, 12)
    assert uneven.span(word) == range(5, 11)  # centres 0.1125 to 0.2125
    with pytest.raises(ValueError, match="there is no frame rule 'middle'"):
        grid.span(word, rule="middle")


def test_overlaps_are_split_at_their_middle():
    """The overlap of TIMIT's "had" and "your": frames 18 to 33 and 29 to 36 of 20 ms."""
    had, your = without_overlap([Segment("your", 0.58, 0.72), Segment("had", 0.36, 0.66)])
    assert (had, your) == (Segment("had", 0.36, 0.62), Segment("your", 0.62, 0.72))
    apart = (Segment("a", 0, 1), Segment("b", 1, 2))
    assert without_overlap(apart) == apart
    assert without_overlap([Segment("out", 0, 4), Segment("in", 1, 3)]) == (Segment("out", 0, 2), Segment("in", 2, 3))


def test_random_overlaps_leave_no_overlap():
    random = np.random.default_rng(3)
    for _ in range(500):
        starts = np.cumsum(random.uniform(0.05, 0.3, 20))
        segments = [Segment(str(i), s, s + random.uniform(0.05, 0.34)) for i, s in enumerate(starts)]
        try:
            parted = without_overlap(segments)
        except AlignmentError:  # three at once
            continue
        assert [s.label for s in parted] == [s.label for s in segments]
        assert all(a.end <= b.start for a, b in itertools.pairwise(parted))
        assert {parted[0].start, parted[-1].end} == {segments[0].start, segments[-1].end}


def test_three_at_once_are_refused():
    with pytest.raises(AlignmentError, match="two tiers were mixed"):
        without_overlap([Segment("a", 0, 10), Segment("b", 1, 9), Segment("c", 2, 3)])
