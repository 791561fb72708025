"""Where the paths of a CTC head put each symbol of a text: forward-backward, arrays in, arrays out."""

from collections.abc import Sequence

import numpy as np

from methods.core.errors import UserError
from methods.core.lenses.ctc_layers import path_scores


def occupancy(log_probabilities: np.ndarray, labels: Sequence[int], blank: int) -> tuple[np.ndarray, float]:
    """At which frames is each symbol said, over all paths that spell exactly these labels? And how likely are those?

    `log_probabilities` (frames, symbols), natural. Gives (labels, frames) P(the path is at that label in that frame |
    the frames spell the labels), and ln P(the frames spell the labels). Raises UserError where the frames are too few
    to spell them. Forward and backward sums: Graves, Fernández, Gomez & Schmidhuber, ICML 2006.
    """
    scores = np.asarray(log_probabilities, float)
    forward = path_scores(scores, labels, blank)
    total = float(np.logaddexp.reduce(forward[-1, -2:]))
    if not np.isfinite(total):
        raise UserError(
            f"{len(labels)} symbols cannot be spelled in {len(scores)} frames of 20 ms, so the text does not belong "
            "to this clip; correct it, or choose the recording in which it is said.",
            mend={"transcript": None},
        )
    backward = path_scores(scores[::-1], labels[::-1], blank)[::-1, ::-1]
    at = slice(1, None, 2)  # places of the labels; blanks lie between
    emitted = scores[:, list(labels)]  # counted by both sums
    once = np.where(emitted > -np.inf, emitted, 0.0)  # where nothing is emitted, both sums are -inf already
    return np.exp(forward[:, at] + backward[:, at] - once - total).T, total


def weighted(log_probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(labels, symbols) ln of what the head gives to every symbol at each label's frames: a mean over `weights`.

    `weights` (labels, frames) as `occupancy` gives them; they are scaled to sum to 1, so that each row is a
    distribution over all symbols.
    """
    share = weights / weights.sum(1, keepdims=True)
    with np.errstate(divide="ignore"):  # a symbol that is nowhere has -inf
        return np.log(share @ np.exp(np.asarray(log_probabilities, float)))
