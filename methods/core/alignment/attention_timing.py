"""When is each character said? From where the sharpest heads of a decoder look, in any language. Arrays in, times out.

Yeh, Meng & Tang 2025 (arXiv 2509.09987): the decoder reads the text letter by letter, and the heads that tell the
letters apart best in this very clip are its clock; no head is listed beforehand and nothing is trained. `characters`
brings the text and the decoder, and knows how far off the times are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from methods.core.frames import FRAMES_PER_SECOND, SAME_TIME, AlignmentError, Segment

HEADS = 5  # kept; the paper has best results with few, and ten are worse here too


def row_starts(layers: Iterable[np.ndarray], *, heads: int = HEADS) -> np.ndarray:
    """At which frame does each row begin to be said? (rows,) int, never falling, the first 0.

    `layers` hold scores before the softmax, (heads, rows, frames) each, over the clip's own frames of 20 ms; row i is
    the pass that predicts character i. The evidence of the chosen heads, every frame scaled to length 1 over the rows,
    is averaged, and the cheapest monotone path (`dtw_path`) taken.
    """
    maps = sharpest_heads(layers, heads).astype(float)
    evidence = (maps / np.linalg.norm(maps, axis=1, keepdims=True)).mean(0)
    rows, frames = dtw_path(-evidence)
    return frames[np.flatnonzero(np.diff(rows, prepend=-1))]


def sharpest_heads(layers: Iterable[np.ndarray], count: int = HEADS) -> np.ndarray:
    """(count or all there are, rows, frames) attention of the heads that tell rows and frames apart best, best first.

    Scores are smoothed by a running median over three frames and soft-maxed over the frames; a head is as sharp as the
    Euclidean norms of its rows and of its columns add up to. One layer is held at a time.
    """
    best: list[tuple[float, np.ndarray]] = []
    for scores in layers:
        _check(scores)
        attention = median_of_three(scores)
        attention = np.exp(attention - attention.max(-1, keepdims=True))
        attention /= attention.sum(-1, keepdims=True)
        sharpness = np.linalg.norm(attention, axis=1).sum(-1) + np.linalg.norm(attention, axis=2).sum(-1)
        best = sorted([*best, *zip(sharpness, attention, strict=True)], key=lambda pair: -pair[0])[:count]
    return np.stack([attention for _, attention in best])


def _check(scores: np.ndarray) -> None:
    if scores.ndim != 3 or 0 in scores.shape or not np.isfinite(scores).all():
        raise ValueError(f"scores must be finite numbers (heads, rows, frames), got {scores.shape}")


def median_of_three(values: np.ndarray) -> np.ndarray:
    """Running median of three along the last axis; edges are mirrored. Too short an axis comes back as it is."""
    if values.shape[-1] < 2:
        return values
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(1, 1)], mode="reflect")
    before, here, after = padded[..., :-2], padded[..., 1:-1], padded[..., 2:]
    # Ten times faster than sorting windows.
    return np.maximum(np.minimum(before, here), np.minimum(np.maximum(before, here), after))


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


def apart(labels: Sequence[str], starts: Sequence[int], ends: Sequence[int], seconds: float) -> tuple[Segment, ...]:
    """Words in a clip of `seconds`, from frames: at least one each, none shared, none outside.

    A word ends where the next one begins at the latest. What does not fit is pushed later, and earlier at the clip's
    end. Raises AlignmentError if the clip has fewer frames than words.
    """
    last = int(seconds * FRAMES_PER_SECOND + SAME_TIME)
    if len(labels) > last:
        raise AlignmentError(
            f"There are {len(labels)} words but only {last} frames of 20 ms to hold them, so the transcript does not "
            "belong to this clip: please correct it."
        )
    frames, free = [], 0
    for label, start, end, following in zip(labels, starts, ends, [*starts[1:], last], strict=True):
        first = max(start, free)
        free = max(min(end, following), first + 1)
        frames.append((label, first, free))
    segments = []
    for label, first, after in reversed(frames):
        stop = min(after, last)
        last = min(first, stop - 1)
        segments.append(Segment(label, last / FRAMES_PER_SECOND, stop / FRAMES_PER_SECOND))
    return tuple(segments[::-1])
