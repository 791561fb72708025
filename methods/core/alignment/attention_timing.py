"""When is each token said? From where a decoder looks, in any language, to about 100 ms. Arrays in, seconds out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from methods.core.frames import FRAMES_PER_SECOND, SAME_TIME, AlignmentError, Segment
from methods.core.speech.words import UNSPACED, bare_word

MEDIAN_WIDTH = 7  # frames, as in OpenAI's recipe


def token_boundaries(attention: np.ndarray, *, rows: slice = slice(None)) -> np.ndarray:
    """When is each token said, judging by where the decoder looks? (tokens + 1,) s: each start, then the clip's end.

    `attention` (heads, tokens, frames): weights of the aligned heads over the clip's own frames, 20 ms each; row i is
    the pass that predicts token i. OpenAI's recipe (whisper/timing.py): rows that sum to 1 over these frames, z-scores
    over tokens, median over 7 frames, mean over heads, then the cheapest monotone path (`dtw_path`). `rows` picks the
    tokens to be timed; the others, of the prompt, take part in the z-scores only. Time the end-of-text token too: its
    start is the end of the last word.
    """
    weights = np.asarray(attention, dtype=np.float64)
    if weights.ndim != 3 or 0 in weights.shape or not np.isfinite(weights).all() or weights.min() < 0:
        raise ValueError(f"attention must be finite weights (heads, tokens, frames), 0 or more; got {weights.shape}")
    mass = weights.sum(axis=-1, keepdims=True)
    if not mass.all():
        raise ValueError("a token attends to none of the clip's frames: cut the frames after the softmax, not before")
    weights = weights / mass
    spread = weights.std(axis=1, keepdims=True)
    scores = (weights - weights.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    evidence = median_filter(scores, MEDIAN_WIDTH).mean(axis=0)[rows]
    tokens, frames = dtw_path(-evidence)
    starts = frames[np.flatnonzero(np.diff(tokens, prepend=-1))]
    return np.append(starts, weights.shape[-1]) / FRAMES_PER_SECOND


def median_filter(values: np.ndarray, width: int) -> np.ndarray:
    """Running median of odd `width` along the last axis; edges are mirrored. Too short an axis comes back as it is."""
    reach = width // 2
    if values.shape[-1] <= reach:
        return values
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(reach, reach)], mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=-1)
    return np.partition(windows, reach, axis=-1)[
        ..., reach
    ]  # the middle of an odd number; six times faster than median


def dtw_path(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cheapest way from the first to the last cell of `cost` (n, m), moving down, right or both by one.

    Returns rows and columns of the cells on the way, each (length,) int. Of equal ways it takes the one that, read
    from the end, moves right rather than down: a row begins as early as it can.
    """
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for diagonal in range(2, rows + columns + 1):  # the cells of one anti-diagonal do not depend on each other
        i = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        j = diagonal - i
        best = np.minimum(np.minimum(total[i - 1, j - 1], total[i - 1, j]), total[i, j - 1])
        total[i, j] = cost[i - 1, j - 1] + best
    return _trace_back(total)


def _trace_back(total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    i, j = total.shape[0] - 1, total.shape[1] - 1
    path = [(i, j)]
    while (i, j) != (1, 1):
        both, down, right = total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]
        if right <= min(both, down):
            j -= 1
        elif both <= down:
            i, j = i - 1, j - 1
        else:
            i -= 1
        path.append((i, j))
    rows, columns = np.array(path[::-1]).T - 1
    return rows, columns


def group_words(
    token_texts: Sequence[str], boundaries: Sequence[float], language: str = "en", *, seconds: float | None = None
) -> tuple[Segment, ...]:
    """Which words do these tokens spell, and when? Monotone, inside the clip, each at least one frame (20 ms) long.

    `boundaries` (tokens + 1,) s, from `token_boundaries`; `seconds` is the clip's length (default: the last boundary).
    A token that begins with a space begins a word; in languages written without spaces every token is a word. A token
    that ends inside a character has the text "" and the one that completes it carries the character. Punctuation
    belongs to the word before it but not to the label, and the time of closing punctuation, mostly a pause, is no
    word's. Raises AlignmentError if the clip has fewer frames than words.
    """
    if len(boundaries) != len(token_texts) + 1:
        raise ValueError(f"{len(token_texts)} tokens have {len(token_texts) + 1} boundaries, not {len(boundaries)}")
    groups: list[list[tuple[str, int, int]]] = []
    for part in _whole_characters(token_texts):
        opens = bool(bare_word(part[0])) if language in UNSPACED else part[0].startswith(" ")
        if opens or not groups:
            groups.append([])
        groups[-1].append(part)
    labels = [bare_word("".join(text for text, _, _ in group)) for group in groups]
    spoken = [
        (label, [p for p in group if bare_word(p[0])] or group) for label, group in zip(labels, groups, strict=True)
    ]
    timed = [(label, boundaries[parts[0][1]], boundaries[parts[-1][2]]) for label, parts in spoken if label]
    return _apart(timed, boundaries[-1] if seconds is None else seconds)


def _whole_characters(token_texts: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Text, first token and the token after the last, where tokens that end inside a character are joined."""
    first = 0
    for i, text in enumerate(token_texts):
        if text or i == len(token_texts) - 1:
            yield text, first, i + 1
            first = i + 1


def _apart(timed: Sequence[tuple[str, float, float]], seconds: float) -> tuple[Segment, ...]:
    """Whole frames, at least one each, none shared: words are pushed later, and those at the clip's end earlier."""
    last = int(seconds * FRAMES_PER_SECOND + SAME_TIME)
    if len(timed) > last:
        raise AlignmentError(
            f"There are {len(timed)} words but only {last} frames of 20 ms to hold them, so the transcript does not "
            "belong to this clip: please correct it."
        )
    frames, free = [], 0
    for label, start, end in timed:
        first = max(round(start * FRAMES_PER_SECOND), free)
        free = max(round(end * FRAMES_PER_SECOND), first + 1)
        frames.append((label, first, free))
    segments = []
    for label, first, after in reversed(frames):
        stop = min(after, last)
        last = min(first, stop - 1)
        segments.append(Segment(label, last / FRAMES_PER_SECOND, stop / FRAMES_PER_SECOND))
    return tuple(segments[::-1])
