"""The tab of cue contribution: every spelling of a homophone is asked for, and a pair needs a model that writes it."""

from types import SimpleNamespace

import numpy as np
import pytest

from methods import cue_contribution
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.progress import finish
from page.session import Session
from page.tabs import cue_contribution as tab

BOUNDS = ((0.0, 0.3), (0.3, 0.6), (0.6, 0.9), (0.9, 1.3))
WORDS = tuple(Segment(word, *bounds) for word, bounds in zip(("it", "is", "over", "there"), BOUNDS, strict=True))
VALUES = {"pair": tab.OWN, "cue": "2", "target": "4", "prompt": "yes"}


def test_every_spelling_of_a_homophone_is_asked_for(clip, tiny_model):
    session = Session(clip, None, text="it is over there", words=WORDS)
    result = finish(tab._steps(session, tiny_model, "words", VALUES))
    assert result.spellings == ("there", "their", "they're") and result.logprobs.shape == (4, 3)
    one = cue_contribution.analyse(
        clip, tiny_model, cue="is", target="there", alternative="they're", segments=WORDS,
        transcript="it is over there", random_seeds=(),
    )  # fmt: skip
    np.testing.assert_array_equal(one.logprobs, result.logprobs[:, [0, 2]])
    assert "they&#x27;re" in tab.probabilities(result) or "they're" in tab.probabilities(result)


def test_a_word_without_a_twin_has_one_spelling(clip, tiny_model):
    session = Session(clip, None, text="it is over there", words=WORDS)
    result = finish(tab._steps(session, tiny_model, "words", VALUES | {"target": "3"}))
    assert result.spellings == ("over",)


def test_a_french_pair_needs_a_model_that_writes_french(clip):
    english = SimpleNamespace(writes_text=True, id="english", decoding=SimpleNamespace(languages={}))
    with pytest.raises(UserError, match="writes no French"):
        tab._steps(Session(clip, None), english, "words", VALUES | {"pair": "fr_f_votre_message"})
