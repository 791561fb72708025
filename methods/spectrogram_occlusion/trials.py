"""A map over the spectrogram put to the test: without its best cells, and with nothing but them, what is written?"""

from dataclasses import dataclass

import numpy as np
import torch

from methods.core.explain import faithfulness
from methods.core.explain.faithfulness import Trial
from methods.core.explain.rereading import Rereader, similarity
from methods.core.results import read_only
from methods.core.speech import edits


@dataclass(frozen=True, eq=False)
class MapTrial:
    """One order of the cells, the most important first; the trial's target is 1 - word error rate, 0 to 1."""

    trial: Trial
    logprobs: np.ndarray  # (2, steps + 1) mean log-probability per token without, and with only, the first cells
    texts: tuple[tuple[str, ...], ...]  # (2, steps + 1) what is written without, and with only, the first cells


def map_trial(reader: Rereader, values: np.ndarray, heard: str, neutral: float, points: int) -> MapTrial:
    """Hide the highest cells of (mels, frames) `values` step by step, then all but them. `heard` is what was written.

    `points` steps of equal area; hidden cells become `neutral`.
    """
    order = faithfulness.ranking(values.ravel())
    taken = np.round(np.linspace(0, 1, points + 1) * len(order)).astype(int)
    first = np.stack([best_cells(values, count) for count in taken])
    similar, logprobs, texts = answers(reader, np.concatenate((first, ~first)), heard, neutral)
    trial = Trial(
        order=read_only(order, np.int64),
        taken=read_only(taken, np.int64),
        share=read_only(taken / len(order)),
        deletion=read_only(similar[: len(taken)]),
        insertion=read_only(similar[len(taken) :]),
    )
    return MapTrial(trial, read_only(logprobs.reshape(2, -1)), (texts[: len(taken)], texts[len(taken) :]))


def best_cells(values: np.ndarray, count: int) -> np.ndarray:
    """(mels, frames) True for so many of the highest cells."""
    best = np.zeros(values.size, bool)
    best[faithfulness.ranking(values.ravel())[:count]] = True
    return best.reshape(values.shape)


@torch.inference_mode()
def answers(
    reader: Rereader, hidden: np.ndarray, heard: str, neutral: float
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """For each (versions, mels, frames) bool mask: 1 - word error rate, mean log-probability per token, the text."""
    meant, wanted = edits.plain_words(heard), torch.tensor(reader.transcript.tokens)[:, None]
    texts, logprobs = [], []
    for start in range(0, len(hidden), reader.batch):
        cells = torch.from_numpy(hidden[start : start + reader.batch])
        states = reader.states(reader.mel.masked_fill(cells, neutral))
        texts += reader.texts(states)
        tables = reader.log_probabilities(states)
        logprobs += [float(table[:-1].gather(1, wanted).mean()) for table in tables]
    similar = [similarity(meant, edits.plain_words(text)) for text in texts]
    return np.array(similar), np.array(logprobs), tuple(text.strip() for text in texts)
