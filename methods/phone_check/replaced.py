"""How likely is a string if one of its labels is another, or is not there at all? All of them in one pass.

    scores = likelihoods(log_probabilities, said, blank=0)     # (…, labels, symbols + 1) nats; the last: left out
    margin = scores[..., own] - max(all others)

A path through the changed string is a path of the given one up to the blank before the changed label, then the other
label for some frames, then a path of the given string again. The forward and the backward algorithm (Graves et al.,
ICML 2006) give the outer two parts for every place at once, so that only the middle is computed label by label.
"""

from collections.abc import Sequence

import numpy as np

from methods.core.lenses.ctc_layers import path_scores


def likelihoods(log_probabilities: np.ndarray, labels: Sequence[int], blank: int) -> np.ndarray:
    """(…, labels, symbols + 1) ln P of the string in which one label is replaced by each symbol, or (last) left out.

    (…, frames, symbols) natural log-probabilities. In a label's own column stands the string itself; the blank's
    column is -inf, and so is every string that needs more frames than there are.
    """
    scores, said = np.asarray(log_probabilities, float), np.asarray(labels)
    before = path_scores(scores, labels, blank)
    after = path_scores(scores[..., ::-1, :], labels[::-1], blank)[..., ::-1, ::-1]
    replaced = _replaced(scores, said, before, after)
    replaced[..., blank] = -np.inf
    return np.concatenate([replaced, _left_out(said, before, after)[..., None]], -1)


def _replaced(scores: np.ndarray, said: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(…, labels, symbols) ln P with each label replaced; `before` and `after` as `path_scores` gives them."""
    frames, count, symbols = scores.shape[-2], len(said), np.arange(scores.shape[-1])
    # A neighbour may stand next to the new label without a blank between, unless both are the same.
    joins = np.where(said[:, None] != symbols, 0.0, -np.inf)  # (labels, symbols)
    inside = np.full((*scores.shape[:-2], count, len(symbols)), -np.inf)  # all that ends in the new label at a frame
    total = np.full_like(inside, -np.inf)
    inside[..., 0, :] = scores[..., 0, :]
    for frame in range(frames):
        if frame:
            entering = np.logaddexp(inside, before[..., frame - 1, 0:-1:2, None])
            earlier = before[..., frame - 1, 1:-2:2, None] + joins[:-1]
            entering[..., 1:, :] = np.logaddexp(entering[..., 1:, :], earlier)
            inside = entering + scores[..., frame, None, :]
        if frame + 1 == frames:
            total[..., -1, :] = np.logaddexp(total[..., -1, :], inside[..., -1, :])
            break
        leaving = np.repeat(after[..., frame + 1, 2::2, None], len(symbols), -1)
        later = after[..., frame + 1, 3::2, None] + joins[1:]
        leaving[..., :-1, :] = np.logaddexp(leaving[..., :-1, :], later)
        total = np.logaddexp(total, inside + leaving)
    return total


def _left_out(said: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(…, labels) ln P of the string without each label: the blanks on both sides of it are one."""
    frames, count = before.shape[-2], len(said)
    found = np.full((*before.shape[:-2], count), -np.inf)
    for place in range(count):
        blank, label, following = 2 * place, 2 * place - 1, 2 * place + 3
        ended = before[..., blank]
        if place == count - 1:
            last = ended[..., -1]
            found[..., place] = np.logaddexp(last, before[..., -1, label]) if place else last
            continue
        if place and said[place - 1] != said[place + 1]:
            ended = np.logaddexp(ended, before[..., label])
        crossing = ended[..., : frames - 1] + after[..., 1:, following]
        found[..., place] = np.logaddexp.reduce(crossing, -1) if frames > 1 else -np.inf
        if place == 0:
            found[..., place] = np.logaddexp(found[..., place], after[..., 0, following])
    return found
