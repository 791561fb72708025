"""Timing by cross-attention, against SciPy, brute-force search and attention whose answer is known."""

import itertools
import time

import numpy as np
import pytest
import scipy.ndimage

from methods.core.alignment.attention_timing import dtw_path, group_words, median_filter, token_boundaries
from methods.core.frames import AlignmentError


@pytest.mark.parametrize("shape", [(5,), (4, 9), (2, 3, 50)])
@pytest.mark.parametrize("width", [3, 7])
def test_median_filter_is_scipys(shape, width):
    values = np.random.default_rng(4).standard_normal(shape)
    size = (1,) * (len(shape) - 1) + (width,)
    np.testing.assert_array_equal(
        median_filter(values, width), scipy.ndimage.median_filter(values, size, mode="mirror")
    )


def test_median_filter_leaves_an_axis_that_is_too_short():
    np.testing.assert_array_equal(median_filter(np.array([3.0, 1.0, 2.0]), 7), [3.0, 1.0, 2.0])


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


def test_dtw_is_fast():
    cost = np.random.default_rng(5).standard_normal((60, 1500))
    fastest = min(_seconds(dtw_path, cost) for _ in range(3))
    assert fastest < 0.2  # s; about 0.03 on a quiet machine


def _seconds(function, *arguments) -> float:
    begin = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begin


def _looking(edges: list[int], frames: int, heads: int = 4, blur: float = 0.01) -> np.ndarray:
    """Attention of a decoder whose token i looks evenly at frames edges[i] to edges[i + 1], and a little elsewhere."""
    attention = np.full((heads, len(edges) - 1, frames), blur)
    for i, (a, b) in enumerate(itertools.pairwise(edges)):
        attention[:, i, a:b] += 1
    return attention * np.random.default_rng(6).uniform(0.9, 1.1, attention.shape)


def test_boundaries_are_where_the_decoder_moves_on():
    edges = [0, 12, 40, 55, 90, 120]
    boundaries = token_boundaries(_looking(edges, 120))
    np.testing.assert_allclose(boundaries, np.array(edges) / 50, rtol=0, atol=1e-12)


def test_boundaries_ignore_a_scale_for_each_row_and_shifts_of_single_frames():
    attention = _looking([0, 20, 50, 80], 80)
    scaled = attention * np.array([1.0, 0.1, 0.01])[:, None]
    np.testing.assert_array_equal(token_boundaries(attention), token_boundaries(scaled))
    spiked = attention.copy()
    spiked[:, 0, 65:67] = 5  # two frames: the median over seven does not see them
    np.testing.assert_allclose(token_boundaries(spiked), token_boundaries(attention), rtol=0, atol=0.021)


def test_rows_pick_the_tokens_after_standardising_over_all():
    edges = [0, 20, 50, 80, 100]
    attention = _looking(edges, 100)
    prompt = np.full((4, 3, 100), 0.01)
    prompt[:, :, 0] = 1.0
    boundaries = token_boundaries(np.concatenate([prompt, attention], axis=1), rows=slice(3, None))
    assert boundaries.shape == (5,)
    np.testing.assert_allclose(boundaries, np.array(edges) / 50, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("tokens", "frames"), [(1, 1), (1, 50), (9, 5), (40, 3)])
def test_boundaries_stay_in_the_clip_even_with_too_few_frames(tokens, frames):
    attention = np.random.default_rng(7).random((3, tokens, frames))
    boundaries = token_boundaries(attention)
    assert boundaries.shape == (tokens + 1,)
    assert boundaries[0] == 0
    assert boundaries[-1] == frames / 50
    assert (np.diff(boundaries) >= 0).all()


@pytest.mark.parametrize(
    "broken", [np.ones((3, 4)), -np.ones((1, 2, 3)), np.full((1, 2, 3), np.nan), np.ones((0, 2, 3))]
)
def test_broken_attention_is_a_bug(broken):
    with pytest.raises(ValueError, match="attention must be finite weights"):
        token_boundaries(broken)
    with pytest.raises(ValueError, match="attends to none"):
        token_boundaries(np.zeros((1, 2, 3)))


def test_tokens_make_words_and_punctuation_is_a_pause():
    texts = [" We", "ase", "ls", ",", " “", "have", "”", " ill", "-", "dis", "posed", " phones", "."]
    boundaries = np.arange(14) * 0.1
    words = group_words(texts, boundaries)
    assert [w.label for w in words] == ["Weasels", "have", "ill-disposed", "phones"]
    expected = [
        (0, 0.3),
        (0.5, 0.6),
        (0.7, 1.1),
        (1.1, 1.2),
    ]  # the comma, the quotes and the full stop are no word's time
    np.testing.assert_allclose([(w.start, w.end) for w in words], expected, rtol=0, atol=1e-12)


def test_numbers_symbols_and_apostrophes_stay_in_their_word():
    texts = [" It", "'s", " $", "3", ".", "50", ",", " press", " #", " ..."]
    assert [w.label for w in group_words(texts, np.arange(11) * 0.1)] == ["It's", "$3.50", "press", "#"]


def test_languages_without_spaces_give_one_word_a_token():
    words = group_words(["今", "日", "は", "、", "", "晴", "れ"], np.arange(8) * 0.1, "ja")
    assert [w.label for w in words] == ["今", "日", "は", "晴", "れ"]
    assert [(w.start, w.end) for w in words][3] == (0.4, 0.6)  # a character in two tokens begins with the first
    assert [w.label for w in group_words(["今", "日"], [0, 0.1, 0.2], "fr")] == ["今日"]


def test_words_are_at_least_a_frame_and_inside_the_clip():
    random = np.random.default_rng(8)
    for _ in range(300):
        tokens, frames = int(random.integers(1, 30)), int(random.integers(30, 200))
        boundaries = np.sort(random.integers(0, frames + 1, tokens + 1)) / 50
        words = group_words([f" w{i}" for i in range(tokens)], boundaries, seconds=frames / 50)
        assert len(words) == tokens
        assert all(w.end - w.start >= 0.02 - 1e-12 for w in words)
        assert all(a.end <= b.start for a, b in itertools.pairwise(words))
        assert words[-1].end <= frames / 50
        apart = np.diff(boundaries) >= 0.02
        if apart.all():
            np.testing.assert_allclose([w.start for w in words], boundaries[:-1], rtol=0, atol=1e-12)


def test_more_words_than_frames_are_refused():
    with pytest.raises(AlignmentError, match="3 words but only 2 frames"):
        group_words([" a", " b", " c"], [0, 0, 0, 0.04])
    with pytest.raises(ValueError, match="3 tokens have 4 boundaries, not 3"):
        group_words([" a", " b", " c"], [0, 0.1, 0.2])
