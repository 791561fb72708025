"""Rows of phones, words and other labels: neighbours, places, and choosing among them."""

import numpy as np
import pytest
from corpora import toy_corpus

from methods.core.audio import Clip
from methods.core.corpus import Corpus, Utterance
from methods.core.corpus.items import Items, at_least, balanced, phone_items, tier_items, word_items
from methods.core.frames import Segment


@pytest.fixture(scope="module")
def corpus():
    return toy_corpus()


def column(items: Items, name: str) -> list[str]:
    return items.columns[name].tolist()


def test_every_phone_has_its_time_word_place_and_speaker(corpus):
    items = phone_items(corpus)
    assert items.label.tolist() == ["s", "iy", "ih", "t", "s", "iy", "m", "t"]
    assert items.utterance.tolist() == [0, 0, 0, 0, 1, 1, 1, 2]
    assert items.start.tolist() == [0.05, 0.15, 0.35, 0.40, 0.10, 0.20, 0.31, 0.10]
    assert items.end.tolist() == [0.15, 0.25, 0.40, 0.45, 0.20, 0.30, 0.70, 0.11]
    assert column(items, "word") == ["see", "see", "it", "it", "sea", "sea", "", ""]
    assert column(items, "position") == ["see/1", "see/2", "it/1", "it/2", "sea/1", "sea/2", "", ""]
    assert column(items, "speaker") == ["ann"] * 4 + ["bob"] * 3 + ["ann"]
    assert column(items, "sex") == ["f"] * 4 + ["m"] * 3 + ["f"]
    assert column(items, "utterance") == ["one"] * 4 + ["two"] * 3 + ["three"]
    assert column(items, "phone") == items.label.tolist()


def test_neighbours_end_at_a_silence_and_at_the_edge_of_a_clip(corpus):
    items = phone_items(corpus)
    # 0.10 s lie between the second and third phone, 0.01 s between “iy” and “m”: only the first is a silence.
    assert column(items, "previous") == ["#", "s", "#", "ih", "#", "s", "iy", "#"]
    assert column(items, "next") == ["iy", "#", "t", "#", "iy", "m", "#", "#"]


def test_words_are_in_lower_case_with_words_for_neighbours(corpus):
    items = word_items(corpus)
    assert items.label.tolist() == ["see", "it", "sea"]
    assert column(items, "previous") == ["#", "#", "#"]
    joined = Corpus(
        "x", (Utterance(Clip(np.ones(16_000), "x"), "a", words=(Segment("A", 0, 0.5), Segment("b", 0.5, 1))),)
    )
    assert column(word_items(joined), "next") == ["b", "#"]


def test_another_tier_knows_the_phone_and_word_at_its_middle(corpus):
    items = tier_items(corpus, "creaky")  # 0.16 to 0.40 s: its middle, 0.28 s, is in the pause
    assert (items.label.tolist(), column(items, "phone"), column(items, "word")) == (["yes"], [""], [""])
    assert len(tier_items(corpus, "no such tier")) == 0


def test_no_labels_are_no_rows_but_all_columns(corpus):
    bare = Corpus("bare", (Utterance(Clip(np.ones(1600), "x"), "a"),))
    items = phone_items(bare)
    assert len(items) == 0
    assert set(items.columns) == set(phone_items(corpus).columns)
    assert len(balanced(items, 3)) == len(at_least(items, 2)) == len(items.labelled([])) == 0


def test_balanced_takes_as_many_of_each_label_in_the_old_order(corpus):
    items = phone_items(corpus)
    drawn = balanced(items, 1, seed=3)
    assert sorted(drawn.label) == sorted(set(items.label))
    places = list(zip(items.utterance, items.start, strict=True))
    chosen = [places.index(place) for place in zip(drawn.utterance, drawn.start, strict=True)]
    assert chosen == sorted(chosen)
    again = balanced(items, 1, seed=3)
    np.testing.assert_array_equal(drawn.start, again.start)
    assert len(balanced(items, 2)) == len(items)
    # Both “s” must be drawn now and then: with 20 seeds, never to draw one of them has a chance of 2 · 2^-20.
    seen = {float(one.start[one.label == "s"][0]) for one in (balanced(items, 1, seed) for seed in range(20))}
    assert seen == {0.05, 0.10}


def test_at_least_leaves_out_rare_labels(corpus):
    assert at_least(phone_items(corpus), 2).label.tolist() == ["s", "iy", "t", "s", "iy", "t"]


def test_only_and_labelled_keep_the_columns_in_step(corpus):
    items = phone_items(corpus)
    voiced = items.labelled(["" if phone in "st" else "voiced" for phone in items.label])
    assert voiced.label.tolist() == ["voiced"] * 4
    assert column(voiced, "phone") == ["iy", "ih", "iy", "m"]
    last = items.only(np.array([7, 0]))
    assert column(last, "utterance") == ["three", "one"]
    assert last.segments == [Segment("t", 0.10, 0.11), Segment("s", 0.05, 0.15)]
