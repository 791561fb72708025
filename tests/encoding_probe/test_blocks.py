"""Blocks of features: read off small corpora by hand, and the sound by a loop over frames."""

from dataclasses import replace

import numpy as np
import pytest
from corpora import toy_corpus
from spoken import WORDS, Noise, spoken, states

from methods.core.corpus import features
from methods.core.corpus.items import phone_items
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.encoding_probe import blocks


@pytest.fixture(scope="module")
def told():
    """Fifteen recordings of two speakers, with the design of their blocks."""
    corpus = spoken(speakers=("ann", "bob"))
    return corpus, blocks.design(corpus, states(corpus, Noise(39)))


def block(design, name):
    return design.values[:, design.columns[design.names.index(name)]]


def same(rows, labels):
    """Whether rows of a block are alike where labels are, and differ where they differ."""
    kinds = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    pairs = set(zip(kinds.tolist(), np.asarray(labels).tolist(), strict=True))
    return len(pairs) == len({k for k, _ in pairs}) == len({label for _, label in pairs})


def test_every_block_says_what_its_name_says(told):
    corpus, design = told
    items = design.items
    assert design.names == tuple(blocks.BLOCKS) and design.left_out == ()
    assert [len(own) for own in design.columns][1:] == [6, 14, 8, 10, 2, 2, 2, 5]
    assert np.concatenate(design.columns).tolist() == design.every.tolist() == list(range(design.values.shape[1]))
    assert same(block(design, "phone"), items.label) and same(block(design, "speaker"), items.columns["speaker"])
    assert same(block(design, "word"), items.columns["word"])
    sides = [f"{a} {b}" for a, b in zip(items.columns["previous"], items.columns["next"], strict=True)]
    assert same(block(design, "neighbours"), sides)
    stress = [{"iy": "1", "ae": "0"}.get(label, "") for label in items.label]
    assert same(block(design, "stress"), stress)
    place = [int(text.split("/")[1]) for text in items.columns["position"]]
    back = [len(WORDS[word]) - p + 1 for word, p in zip(items.columns["word"], place, strict=True)]
    found = block(design, "place")
    np.testing.assert_array_equal(found[:, :5].argmax(1) + 1, place)
    np.testing.assert_array_equal(found[:, 5:].argmax(1) + 1, back)
    assert (found.sum(1) == 2).all()
    np.testing.assert_allclose(block(design, "duration"), np.tile([0.06, np.log(0.06)], (len(items), 1)), rtol=1e-6)
    seconds = np.array([corpus.utterances[n].clip.seconds for n in items.utterance])
    middle = (items.start + items.end) / 2
    expected = np.column_stack([middle, middle**2, middle**3, middle / seconds, seconds - middle])
    np.testing.assert_allclose(block(design, "time"), expected)


def test_places_in_long_words_and_outside_words():
    position = np.array(["a/1", "a/2", "", *[f"b/{n}" for n in range(1, 8)], "b/1", "b/1"])
    recording = np.array([0] * 10 + [0, 1])
    found = blocks._places(position, recording)
    from_first = [1, 2, 0, 1, 2, 3, 4, 5, 5, 5, 1, 1]
    from_last = [2, 1, 0, 5, 5, 5, 4, 3, 2, 1, 1, 1]
    for half, expected in ((found[:, :5], from_first), (found[:, 5:], from_last)):
        np.testing.assert_array_equal(np.where(half.any(1), half.argmax(1) + 1, 0), expected)


def test_only_labels_of_several_recordings_have_a_column():
    labels, recording = np.array(["b", "a", "a", "", "c", "c", "a"]), np.array([0, 0, 1, 1, 2, 2, 2])
    np.testing.assert_array_equal(blocks.kinds(labels, recording), (labels == "a")[:, None])
    wide = blocks.kinds(labels, recording, shared=False)
    np.testing.assert_array_equal(wide, np.column_stack([labels == "a", labels == "c", labels == "b"]))
    assert blocks.kinds(np.array(["", ""]), np.array([0, 1])).shape == (2, 0)
    many = np.repeat(np.arange(200), 2).astype(str)
    assert blocks.kinds(many, np.tile([0, 1], 200)).shape == (400, blocks.MOST_KINDS)


def test_sound_is_the_mean_over_the_phone_and_over_what_is_around_it():
    corpus = toy_corpus()
    mfcc, items = states(corpus, Noise(39)), phone_items(corpus)
    found = blocks.sound_around(mfcc, items)
    for row, number, segment in zip(found, items.utterance, items.segments, strict=True):
        grid, values = mfcc.grids[number], mfcc.layers[0][mfcc.offsets[number] : mfcc.offsets[number + 1]]
        span = list(grid.span(segment))
        around = [n for n in range(span[0] - 5, span[0]) if n >= 0] or [span[0]]  # 100 ms are five frames of 20 ms
        after = [n for n in range(span[-1] + 1, span[-1] + 6) if n < grid.frames] or [span[-1]]
        parts = values[span].mean(0), values[around].mean(0)[:13], values[after].mean(0)[:13]
        np.testing.assert_allclose(row, np.concatenate(parts), atol=1e-6)
    first = replace(items, start=np.maximum(items.start - 1, 0), end=items.end + 5)  # nothing around: the edges
    whole = blocks.sound_around(mfcc, first)
    ends = mfcc.offsets[items.utterance + 1] - 1
    begins = np.array([span.start for span in features.frames_of(mfcc, first)])
    np.testing.assert_allclose(whole[:, 39:52], mfcc.layers[0][begins, :13], atol=1e-6)
    np.testing.assert_allclose(whole[:, 52:], mfcc.layers[0][ends, :13], atol=1e-6)


def test_random_order_stays_within_recordings(told):
    design = told[1]
    recording = design.items.utterance
    for name in ("phone", "time"):
        own = block(design, name)
        moved = blocks.permuted(own, recording, 3)
        assert (moved != own).any()
        for number in np.unique(recording):
            before, after = own[recording == number], moved[recording == number]
            np.testing.assert_array_equal(after[np.lexsort(after.T)], before[np.lexsort(before.T)])
    speaker = block(design, "speaker")
    moved = blocks.permuted(speaker, recording, 3)
    assert (moved != speaker).any() and moved.sum() == len(moved)
    assert all(len(np.unique(moved[recording == n], axis=0)) == 1 for n in np.unique(recording))
    first = np.unique(recording, return_index=True)[1]
    np.testing.assert_array_equal(moved[first].sum(0), speaker[first].sum(0))  # as many recordings of each


def test_what_says_nothing_is_left_out_and_named():
    corpus = spoken()
    bare = [replace(u, words=(), tiers={}) for u in corpus.utterances]
    design = blocks.design(replace(corpus, utterances=tuple(bare)), states(corpus, Noise(39)))
    assert design.names == ("acoustics", "phone", "neighbours", "duration", "time")
    assert design.left_out == (
        "word (no words that recordings share)", "place (no words around the phones)", "stress (no tier of stress)",
        "speaker (one speaker)",
    )  # fmt: skip


def test_too_few_phones_and_pauses_for_phones():
    corpus = spoken(4, 4)
    with pytest.raises(UserError, match=r"“toy” has \d\d phones and an encoding probe needs 100; give TextGrids"):
        blocks.design(corpus, states(corpus, Noise(39)))
    corpus = spoken()
    first = corpus.utterances[0]
    slow = replace(
        first, phones=(*first.phones[:-1], Segment("t", first.phones[-1].start, first.phones[-1].start + 0.5))
    )
    mfcc = states(corpus, Noise(39))
    whole, without = (
        len(blocks.design(replace(corpus, utterances=(u, *corpus.utterances[1:])), mfcc).items) for u in (first, slow)
    )
    assert without == whole - 1
