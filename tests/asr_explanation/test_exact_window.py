"""Sufficient sound in the quick window: what it explains is the exact window's text, and there its sets are heard."""

import numpy as np
import pytest

from methods import asr_explanation
from methods.asr_explanation import analysis
from methods.asr_explanation.transcriber import Transcriber
from methods.core.audio import clip_from_samples
from methods.core.errors import UserError
from page.tabs import asr_explanation as asr_explanation_tab


class Misspelling(Transcriber):
    """Hears a word of three where the middle of its third of the clip sounds, for “eaten” most of it in 30 s.

    It spells one of them otherwise in the quick window.
    """

    transcript, batch = None, 8

    def heard(self, sounds):
        quick, said = self.window == "clip", []
        for samples in sounds:
            first, second, third = (np.abs(part).reshape(-1, 80).max(1) > 0 for part in np.split(samples, 3))
            last = third[25:35].any() if quick else third[10:50].all()  # of 60 pieces of 5 ms, ten to a frame
            audible = (first[25:35].any(), second[25:35].any(), last)
            words = ("wesils" if quick else "weasels", "have", "eaten")
            said.append(tuple(word for word, there in zip(words, audible, strict=True) if there))
        return said

    def passing(self, sounds, least):
        return [self.likeness(said) >= least for said in self.heard(sounds)]


@pytest.mark.parametrize("window", ["clip", "full"])
def test_the_quick_windows_sets_are_compared_with_the_exact_windows_text_and_heard_in_it(
    window, tiny_model, monkeypatch
):
    monkeypatch.setattr(analysis, "Transcriber", Misspelling)
    noise = 0.1 * np.random.default_rng(0).choice([-1.0, 1.0], 14_400)
    result = asr_explanation.analyse(clip_from_samples(noise, 16_000), tiny_model, mutants=40, causal_budget=40,
                                     window=window)  # fmt: skip
    assert result.text == "weasels have eaten" and result.unit == "words"
    line = asr_explanation_tab.status_line(result, {"ranking": "causal"})
    sizes = asr_explanation_tab.sizes_table(result)
    sounds = asr_explanation_tab.listen(result, {"ranking": "causal"})
    both = f"“{result.heard}”; in 30 s: “{result.text}”"  # the page's own words are in no quotation marks
    assert (both in sounds) == (window == "clip")
    pruned = [each for each in result.explanations if each.minimal is not None]
    assert len(pruned) == 5
    for each in pruned:
        thirds = np.split(each.minimal, 3)
        if window == "clip":  # two words of three are right, as in the unchanged clip: one frame for each
            assert [part.sum() for part in thirds] == [0, 1, 1]
            assert (each.heard_minimal, each.exact_minimal) == ("have eaten", "have")
            assert each.exact_similarity == pytest.approx(1 / 3)
            assert each.exact_without == "weasels have"
        else:
            assert [part.sum() for part in thirds] == [1, 1, 4]
            assert each.heard_minimal == each.exact_minimal == result.text and each.exact_similarity == 1
    if window == "clip":
        assert result.heard == "wesils have eaten" and result.threshold == pytest.approx(2 / 3)
        assert result.exact_passes() == (0, 5)
        assert "in this window the model writes “wesils have eaten”" in line
        assert "0 of 5 minimal sets pass in the exact window of 30 s" in line
        assert sizes.count("33%") == 5
    else:
        assert result.threshold == 1 and result.heard == result.text and result.exact_passes() == (5, 5)
        assert "in this window" not in line and "minimal sets pass" not in line


def test_a_quick_window_that_misses_half_of_the_text_is_a_sentence(tiny_model, monkeypatch):
    misheard = {"clip": ("whistles", "eaten"), "full": ("weasels", "have", "eaten")}
    monkeypatch.setattr(Misspelling, "heard", lambda self, sounds: [misheard[self.window]] * len(sounds))
    monkeypatch.setattr(analysis, "Transcriber", Misspelling)
    sound = clip_from_samples(0.1 * np.random.default_rng(0).normal(size=14_400), 16_000)
    with pytest.raises(UserError, match="writes “whistles eaten” and not, as in its exact one, “weasels have eaten”"):
        asr_explanation.analyse(sound, tiny_model)
