"""Which words a text has, and what is said of one that may not be what is heard."""

import numpy as np
import pytest

from methods.core.models.speech_model import Transcript
from methods.core.speech.words import cautions, text_words


def text(tokens, complete=True, given=False):
    pieces = tuple(" a" for _ in tokens)
    return Transcript(
        "a", (1,), tuple(tokens), pieces, ("<s>",), np.zeros(len(tokens) + 1), "en", 0.0, given, complete
    )


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (text(range(100)), ()),
        (text([1, 2] * 50), ("loop",)),  # 98 runs of three, 2 of them new: 98%
        (text([*range(20)] * 11), ("loop",)),  # a long sentence again and again
        (text(range(224), complete=False), ("224",)),
        (text([7] * 224, complete=False), ("loop", "224")),
        (text([7] * 224, given=True), ()),  # the visitor's own words
        (text([7]), ()),
    ],
)
def test_loops_and_cut_texts_are_called_so(made, said):
    found = cautions(made)
    assert len(found) == len(said)
    assert all(word in clause for word, clause in zip(said, found, strict=True))


def test_the_share_that_repeats_is_said():
    assert "(98% of" in cautions(text([1, 2] * 50))[0]


def spelt(pieces, language="en"):
    tokens = tuple(range(len(pieces)))
    return Transcript(
        "", (1, 2), tokens, tuple(pieces), ("", ""), np.zeros(len(pieces) + 1), language, 0.0, False, True
    )


@pytest.mark.parametrize(
    ("pieces", "language", "labels"),
    [
        (
            [" We", "ase", "ls", ",", " “", "have", "”", " ill", "-", "dis", "posed", " phones", "."],
            "en",
            ["Weasels", "have", "ill-disposed", "phones"],
        ),
        (
            [" It", "'s", " $", "3", ".", "50", ",", " press", " #", " ..."],
            "en",
            ["It's", "$3.50", "press", "#"],
        ),
        (["今", "日", "は", "、", "", "晴", "れ"], "ja", ["今", "日", "は", "晴", "れ"]),
        (["今", "日"], "fr", ["今日"]),
    ],
)
def test_tokens_make_words_and_punctuation_is_none(pieces, language, labels):
    assert [word.label for word in text_words(spelt(pieces, language))] == labels
