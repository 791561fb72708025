"""The clock of the sharpest heads, against SciPy, brute-force search and attention whose answer is known."""

import itertools

import numpy as np
import pytest
import scipy.ndimage
import scipy.special

from methods.core.alignment.attention_timing import apart, dtw_path, median_of_three, row_starts, sharpest_heads
from methods.core.frames import AlignmentError


@pytest.mark.parametrize("shape", [(5,), (2,), (4, 9), (2, 3, 50)])
def test_median_of_three_is_scipys(shape):
    values = np.random.default_rng(4).standard_normal(shape)
    size = (1,) * (len(shape) - 1) + (3,)
    np.testing.assert_array_equal(median_of_three(values), scipy.ndimage.median_filter(values, size, mode="mirror"))


def test_a_single_frame_is_its_own_median():
    np.testing.assert_array_equal(median_of_three(np.array([[3.0], [1.0]])), [[3.0], [1.0]])


@pytest.mark.parametrize("seed", range(20))
def test_dtw_finds_the_path_that_was_laid(seed):
    """Cost 0 on a random monotone path and 1 elsewhere: the only free way is the path itself."""
    random = np.random.default_rng(seed)
    rows, columns = int(random.integers(1, 30)), int(random.integers(1, 60))
    path = [(0, 0)]
    while path[-1] != (rows - 1, columns - 1):
        i, j = path[-1]
        moves = [(i + 1, j), (i, j + 1), (i + 1, j + 1)]
        step = random.choice([m for m, (a, b) in enumerate(moves) if a < rows and b < columns])
        path.append(moves[step])
    cost = np.ones((rows, columns))
    cost[tuple(np.array(path).T)] = 0
    # A diagonal move skips a cell of a corner at no cost, so corners may be cut: give every laid cell a reward.
    cost -= cost == 0
    assert list(zip(*map(list, dtw_path(cost)), strict=True)) == path


@pytest.mark.parametrize("seed", range(30))
def test_dtw_is_as_cheap_as_the_best_of_all_paths(seed):
    random = np.random.default_rng(seed)
    cost = random.standard_normal((random.integers(1, 6), random.integers(1, 7)))
    best = min(sum(cost[cell] for cell in path) for path in _all_paths(*cost.shape))
    rows, columns = dtw_path(cost)
    assert cost[rows, columns].sum() == pytest.approx(best, abs=1e-12)  # at most 11 terms of size 3, in another order
    assert {tuple(move) for move in np.diff([rows, columns]).T} <= {(0, 1), (1, 0), (1, 1)}
    assert (rows[0], columns[0], rows[-1], columns[-1]) == (0, 0, cost.shape[0] - 1, cost.shape[1] - 1)


def _all_paths(rows: int, columns: int, at: tuple[int, int] = (0, 0)):
    if at == (rows - 1, columns - 1):
        yield [at]
    for down, right in ((0, 1), (1, 0), (1, 1)):
        i, j = at[0] + down, at[1] + right
        if i < rows and j < columns:
            yield from ([at, *rest] for rest in _all_paths(rows, columns, (i, j)))


def sharp_heads_slowly(scores: np.ndarray, count: int) -> np.ndarray:
    """Number by number: SciPy's median and softmax, then the norms of every row and every column."""
    maps = [
        scipy.special.softmax(scipy.ndimage.median_filter(head, (1, 3), mode="mirror"), axis=-1) for head in scores
    ]
    sharp = [
        sum(sum(x**2 for x in row) ** 0.5 for row in head) + sum(sum(x**2 for x in column) ** 0.5 for column in head.T)
        for head in maps
    ]
    order = sorted(range(len(maps)), key=lambda number: sharp[number], reverse=True)
    return np.stack([maps[number] for number in order[:count]])


@pytest.mark.parametrize("seed", range(3))
def test_the_sharpest_heads_of_all_layers_are_found_layer_by_layer(seed):
    scores = np.random.default_rng(seed).standard_normal((3, 4, 6, 9)) * np.arange(1, 5)[:, None, None]
    expected = sharp_heads_slowly(scores.reshape(12, 6, 9), 5)
    np.testing.assert_allclose(sharpest_heads(scores, 5), expected, rtol=1e-12)  # sums of 15 norms of order 1
    assert len(sharpest_heads(scores[:1], 5)) == 4  # all there are


@pytest.mark.parametrize("seed", range(5))
def test_starts_are_those_of_the_best_of_all_paths(seed):
    """Every monotone path is tried. The evidence of random heads is never equal on two of them."""
    scores = np.random.default_rng(seed).standard_normal((1, 7, 4, 6)) * 2
    maps = sharp_heads_slowly(scores[0], 5)
    evidence = np.zeros((4, 6))
    for head in maps:
        for frame in range(6):
            evidence[:, frame] += head[:, frame] / sum(x**2 for x in head[:, frame]) ** 0.5 / 5
    best = max(_all_paths(4, 6), key=lambda path: sum(evidence[cell] for cell in path))
    assert row_starts(scores).tolist() == [min(frame for row, frame in best if row == i) for i in range(4)]


def looking(edges: list[int], heads: int = 5) -> np.ndarray:
    """(heads, rows, frames) scores of heads whose row i looks evenly at frames edges[i] to edges[i + 1]."""
    scores = np.zeros((heads, len(edges) - 1, edges[-1]))
    for row, (a, b) in enumerate(itertools.pairwise(edges)):
        scores[:, row, a:b] = 5
    return scores + np.random.default_rng(6).uniform(-0.1, 0.1, scores.shape)


def test_rows_begin_where_the_decoder_moves_on_and_blunt_heads_have_no_say():
    edges = [0, 12, 40, 55, 90, 120]
    blunt = np.zeros((20, 5, 120))  # an even look at everything
    starts = row_starts([blunt, looking(edges), blunt])
    np.testing.assert_array_equal(starts, row_starts([looking(edges)]))
    # A corner of the path takes in a cell on one side of the edge or the other, whichever has more evidence.
    assert abs(starts - edges[:-1]).max() <= 1


def test_starts_ignore_a_shift_of_each_row_the_order_of_heads_and_a_single_odd_frame():
    scores = looking([0, 20, 50, 80])
    shift = np.array([100.0, -3.0, 0.5])[:, None]
    spiked = scores.copy()
    spiked[:, 0, 65] = 50  # the median over three does not see it
    starts = row_starts([scores]).tolist()
    for changed in (scores + shift, scores[::-1], spiked):
        assert row_starts([changed]).tolist() == starts


@pytest.mark.parametrize(("rows", "frames"), [(1, 1), (1, 50), (9, 5), (40, 3)])
def test_starts_never_fall_and_stay_in_the_clip_even_with_too_few_frames(rows, frames):
    starts = row_starts([np.random.default_rng(7).standard_normal((6, rows, frames))])
    assert starts.shape == (rows,) and starts[0] == 0 and starts[-1] < frames
    assert (np.diff(starts) >= 0).all()


@pytest.mark.parametrize("broken", [np.ones((3, 4)), np.full((1, 2, 3), np.nan), np.ones((0, 2, 3))])
def test_broken_scores_are_a_bug(broken):
    with pytest.raises(ValueError, match="scores must be finite"):
        row_starts([broken])


def test_words_are_at_least_a_frame_none_shares_one_and_all_are_inside_the_clip():
    random = np.random.default_rng(8)
    for _ in range(300):
        count, frames = int(random.integers(1, 30)), int(random.integers(30, 200))
        starts = np.sort(random.integers(0, frames, count))
        ends = np.minimum(starts + random.integers(0, 9, count), frames)
        words = apart([f"w{i}" for i in range(count)], starts.tolist(), ends.tolist(), frames / 50)
        assert len(words) == count
        assert all(w.end - w.start >= 0.02 - 1e-12 for w in words)
        assert all(a.end <= b.start for a, b in itertools.pairwise(words))
        assert words[-1].end <= frames / 50
        if (np.diff(starts) > 0).all():
            np.testing.assert_allclose([w.start for w in words], starts / 50, rtol=0, atol=1e-12)


def test_a_word_ends_before_the_next_begins_and_keeps_its_pause():
    words = apart(["a", "b", "c"], [5, 10, 30], [12, 20, 40], 0.8)
    assert [(w.start, w.end) for w in words] == [(0.1, 0.2), (0.2, 0.4), (0.6, 0.8)]


def test_more_words_than_frames_are_refused():
    with pytest.raises(AlignmentError, match="3 words but only 2 frames"):
        apart(["a", "b", "c"], [0, 0, 0], [0, 0, 1], 0.04)
