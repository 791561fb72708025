"""Word times letter by letter: rows of words, passages, and the whole way against plain transformers attentions."""

import itertools

import numpy as np
import scipy.ndimage
import scipy.special
import torch

from methods.core import models
from methods.core.alignment import characters
from methods.core.alignment.characters import Accuracy, Lag, passages, spelling

TEXT = "Ab illcd e mno"  # the tiny tokeniser knows letters only


def letters(text):
    """Ids of a made-up vocabulary in which é takes two."""
    return [i for c in text for i in ([200, 201] if c == "é" else [ord(c)])]


def test_a_word_is_a_space_and_its_letters():
    spelt = spelling(["no", "été"], letters)
    assert spelt.ids == ((32, 110, 111), (32, 200, 201, 116, 200, 201))
    assert spelt.starts.tolist() == [1, 4]  # the rows that predict n and é, after their spaces
    assert spelt.ends.tolist() == [3, 9]  # the row of the next space, and that of the end


def test_where_no_spaces_are_written_only_the_text_opens_with_one():
    spelt = spelling(["a", "b"], letters, spaced=False)
    assert spelt.ids == ((32, 97), (98,)) and spelt.starts.tolist() == [1, 2] and spelt.ends.tolist() == [2, 3]


def test_passages_hold_every_letter_once_and_as_many_words_as_fit():
    lengths = np.random.default_rng(0).integers(1, 12, 100).tolist()
    lengths[40] = 65  # a loop without a space
    found = passages(lengths, 20)
    assert [number for part in found for number in part] == list(range(sum(lengths)))
    assert max(map(len, found)) <= 20
    edges = np.cumsum([0, *lengths])
    inside = [part.start for part in found if part.start not in edges]
    assert inside == [edges[40] + 20, edges[40] + 40, edges[40] + 60]
    for part, following in itertools.pairwise(found):
        if following.start in edges:
            assert len(part) + lengths[edges.tolist().index(following.start)] > 20


def slow_rows(network, states, ids, first, own):
    """Starts of rows by transformers' own attentions and a recursion; log-weights are scores but for a shift."""
    with torch.no_grad():
        network.set_attn_implementation("eager")
        read = network.model.decoder(torch.tensor([ids]), encoder_hidden_states=states, output_attentions=True)
        network.set_attn_implementation("sdpa")
    scores = torch.cat(read.cross_attentions, 1)[0, :, first:, :own].double().log().numpy()
    maps = scipy.special.softmax(scipy.ndimage.median_filter(scores, (1, 1, 3), mode="mirror"), axis=-1)
    sharp = np.sqrt((maps**2).sum(1)).sum(-1) + np.sqrt((maps**2).sum(2)).sum(-1)
    maps = maps[np.argsort(sharp)[-5:]]
    evidence = (maps / np.sqrt((maps**2).sum(1, keepdims=True))).mean(0)
    total, came = np.full(evidence.shape, -np.inf), {}
    for i, j in np.ndindex(*evidence.shape):
        before = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
        known = [cell for cell in before if min(cell) >= 0]
        came[i, j] = max(known, key=lambda cell: total[cell], default=None)
        total[i, j] = evidence[i, j] + (total[came[i, j]] if known else 0.0)
    cell, starts = (evidence.shape[0] - 1, own - 1), {}
    while cell is not None:
        starts[cell[0]] = cell[1]
        cell = came[cell]
    return np.array([starts[row] for row in range(len(starts))])


def test_times_are_those_of_plain_attentions_and_a_slow_path(tiny_model, clip, monkeypatch):
    lag = Lag(2, 1)
    monkeypatch.setitem(characters.MEASURED, tiny_model.id, Accuracy(lag, 0.0, 1.0))
    text = models.transcribe(clip, tiny_model, text=TEXT)
    states, own = models.encoder_states(clip, tiny_model).output, models.frame_grid(clip, tiny_model).frames
    words = characters.words_in_states(text, tiny_model, states, own, clip.seconds)
    written = f" {TEXT}"
    ids = [i for c in written for i in tiny_model.tokenizer.encode(c, add_special_tokens=False)]
    rows = slow_rows(tiny_model.network, states, [*text.prompt, *ids], len(text.prompt) - 1, own)
    begun, after = [1, 4, 10, 12], [3, 9, 11, 15]  # of the letters in what is written
    starts = [max(rows[row] - lag.start, 0) for row in begun]
    ends = [rows[row] + lag.end for row in after]
    expected, free = [], 0
    for start, end, following in zip(starts, ends, [*starts[1:], own], strict=True):
        first = max(start, free)
        free = max(min(end, following), first + 1)
        expected.append((first / 50, free / 50))
    assert [word.label for word in words] == TEXT.split()
    assert expected[-1][1] <= own / 50  # else the last words would have been moved earlier
    assert [(word.start, word.end) for word in words] == expected


def test_passages_change_nothing_where_word_pieces_are_letters(tiny_model, clip, monkeypatch):
    """What was read before a passage is then the same, in whatever passage."""
    whole = read_again(tiny_model, clip)
    for longest in (4, 7, 9):
        monkeypatch.setattr(characters, "LONGEST_PASSAGE", longest)
        assert read_again(tiny_model, clip) == whole


def read_again(model, clip):
    text = models.transcribe(clip, model, text="Ab cd efghi jk l mnopqr")
    states, own = models.encoder_states(clip, model).output, models.frame_grid(clip, model).frames
    return characters.words_in_states(text, model, states, own, clip.seconds)
