"""Reading a CTC head: the collapse rules, the spelled text, and where each label stands."""

import numpy as np
import pytest

from methods.core import models
from methods.core.audio import load_clip
from methods.core.errors import UserError
from methods.core.lenses import ctc
from methods.core.models import load_model
from methods.core.models.speech_model import Vocabulary


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ([5, 5, 6], ((5, range(2)), (6, range(2, 3)))),  # repeats are one label
        ([5, 0, 5], ((5, range(1)), (5, range(2, 3)))),  # unless a blank parts them
        ([0, 5, 0, 0], ((5, range(1, 2)),)),
        ([0, 0, 0], ()),
        ([7], ((7, range(1)),)),
        ([0], ()),
        ([], ()),
    ],
)
def test_ctc_runs(path, expected):
    assert ctc.runs(path, blank=0) == expected


def test_spelling_of_letters_and_of_phones():
    letters = Vocabulary(("-", "|", "a", "b"), blank=0, space=1, joint="")
    assert letters.spell([1, 2, 3, 1, 2, 1]) == "ab a"
    phones = Vocabulary(("-", "<wb>", "a", "b"), blank=0, space=1, joint=" ")
    assert phones.spell([1, 2, 3, 1, 1, 2, 1]) == "a b | a"


def test_rows_are_probabilities(clip):
    scores = models.ctc_log_probabilities(clip, load_model("hama-ctc"))
    np.testing.assert_allclose(np.exp(scores).sum(-1), 1, rtol=1e-5)


def test_a_clear_sentence_gives_plausible_phones():
    reading = ctc.read(load_clip("examples_audio/cc-by-sa-3.0/en_f_weasels.wav"), load_model("hama-ctc"))
    assert reading.text == "w i z ə l z | h eɪ v i t | n aʊ ɹ | f oʊ n | s ɪ s t ə m"  # Weasels have eaten our …


def test_the_phones_of_a_word_lie_where_it_is_spoken():
    clip = load_clip("examples_audio/cc-by-sa-3.0/en_f_digits_3_1_4_1_5.wav")  # with pauses; the last word is "five"
    last = ctc.read(clip, load_model("hama-ctc")).marks[-1]
    loud = np.flatnonzero(np.abs(clip.samples) > 0.05) / 16_000
    begin = loud[np.flatnonzero(np.diff(loud) > 0.2)[-1] + 1]  # of the last word, after the last pause
    assert last.label == "v"
    assert begin < last.start < last.end < loud[-1] + 0.05


def test_a_model_without_a_ctc_head_says_so(clip, tiny_model):
    with pytest.raises(UserError, match="no CTC head"):
        ctc.read(clip, tiny_model)
