"""Strings with one label changed, against a sum over all paths written out, and against PyTorch's CTC loss."""

from itertools import product

import numpy as np
import pytest
import torch

from methods.phone_check.replaced import likelihoods


def log_probabilities(frames, symbols, seed, layers=()):
    values = np.random.default_rng(seed).normal(scale=2, size=(*layers, frames, symbols))
    return values - np.log(np.exp(values).sum(-1, keepdims=True))


def collapsed(path):
    kept = [label for label, before in zip(path, (None, *path[:-1]), strict=True) if label != before]
    return tuple(label for label in kept if label != 0)


def by_enumeration(scores):
    """string -> probability, by writing out every path."""
    found = {}
    for path in product(range(scores.shape[1]), repeat=len(scores)):
        string = collapsed(path)
        found[string] = found.get(string, 0.0) + np.exp(sum(scores[t, label] for t, label in enumerate(path)))
    return found


def variants(labels, place, symbols):
    """Each symbol in this place, then the string without it."""
    rest = (tuple(labels[:place]), tuple(labels[place + 1 :]))
    return [*(rest[0] + (symbol,) + rest[1] for symbol in range(symbols)), rest[0] + rest[1]]


@pytest.mark.parametrize("labels", [(1,), (1, 1), (1, 2, 1), (2, 1, 1), (3, 2, 2), (1, 2, 3)])
@pytest.mark.parametrize("frames", [1, 3, 6])
def test_every_changed_string_has_the_probability_of_all_its_paths(labels, frames):
    scores = log_probabilities(frames, 4, seed=frames)
    there, found = by_enumeration(scores), np.exp(likelihoods(scores, labels, blank=0))
    for place in range(len(labels)):
        for column, string in enumerate(variants(labels, place, 4)):
            wanted = 0.0 if column == 0 else there.get(string, 0.0)
            assert found[place, column] == pytest.approx(wanted, rel=1e-9, abs=1e-15), string


def test_long_strings_in_several_layers_agree_with_another_implementation():
    labels = np.random.default_rng(0).integers(1, 9, 14)
    labels[5] = labels[4]
    scores = log_probabilities(60, 9, seed=1, layers=(2,))
    found = likelihoods(scores, labels, blank=0)
    for layer, place in ((0, 0), (1, 4), (0, 5), (1, 13)):
        strings = variants(labels.tolist(), place, 9)
        for column, string in list(enumerate(strings))[1:]:
            loss = torch.nn.functional.ctc_loss(
                torch.from_numpy(scores[layer])[:, None], torch.tensor([string]), (60,), (len(string),),
                reduction="none",
            )  # fmt: skip
            assert found[layer, place, column] == pytest.approx(-float(loss[0]), rel=1e-9)


def test_a_labels_own_column_is_the_string_itself():
    labels = (2, 3, 3, 1)
    found = likelihoods(log_probabilities(12, 4, seed=2), labels, blank=0)
    own = found[np.arange(4), labels]
    np.testing.assert_allclose(own, own[0], rtol=1e-12)
