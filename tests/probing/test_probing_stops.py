"""Training that can be stopped: between two steps no more is done than takes about a second."""

import numpy as np
import pytest
from spoken import spoken

from methods import acoustic_probing, probing
from methods.core.audio import Clip
from methods.core.corpus import Corpus, Utterance
from methods.core.progress import finish
from methods.core.speech import praat
from methods.core.statistics import linear_probe

MOST = (
    6  # probes of one fold each: a part of the recordings left out in five folds, a speaker's own folds and the whole
)


def tones():
    """Six recordings of a tone that rises, each from a pitch of its own."""
    times, utterances = np.arange(16_000) / 16_000, []
    for number in range(6):
        phase = np.cumsum(100 + 20 * number + 60 * times) / 16_000
        samples = sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 6))
        utterances.append(Utterance(Clip((0.2 * samples).astype(np.float32), f"tone {number}"), "ann"))
    return Corpus("tones", tuple(utterances))


@pytest.fixture
def done(monkeypatch):
    """How many probes were solved and recordings measured so far."""
    count = {"probes": 0, "recordings": 0}

    def counted(function, name):
        def run(*args, **options):
            count[name] += 1
            return function(*args, **options)

        return run

    for name in ("solved", "Fit"):
        monkeypatch.setattr(linear_probe, name, counted(getattr(linear_probe, name), "probes"))
    monkeypatch.setattr(praat, "f0", counted(praat.f0, "recordings"))
    return count


def between(steps, done):
    """The result, the steps' texts, and what was done between each two of them."""
    seen, texts = [dict(done)], []

    def look(step):
        seen.append(dict(done))
        texts.append(step.text)

    result = finish(steps, look)
    return result, texts, {name: np.diff([each[name] for each in seen]) for name in done}


def test_no_step_of_probing_trains_more_than_a_folds_probes(tiny_model, done):
    several = spoken(12, 6, speakers=("ann", "bob"))
    steps = probing.analyse.in_steps(several, tiny_model, random_seeds=(0,), transfer="voices", layers=(1, 2))
    result, texts, work = between(steps, done)
    # Two layers, MFCC, log-mel, two untrained layers: ten probes each in the folds, and fifty without parts for two.
    assert work["probes"].sum() > 6 * 10 + 2 * 50 and work["probes"].max() <= MOST
    assert result.controls.other.shape == (3, 2) and len(result.controls.speakers) >= 2
    for said in ("layer 1: training without fold 2 of 5", "layer 2 (final norm): training without part 3 of 10 of the",
                 "other speakers", "learning curve, 5 recordings", "training on ann"):  # fmt: skip
        assert any(text.startswith(said) for text in texts), said


def test_no_step_of_acoustic_probing_measures_more_than_a_recording(tiny_model, done):
    steps = acoustic_probing.analyse.in_steps(tones(), tiny_model, target="f0", random_seeds=(0,))
    _, texts, work = between(steps, done)
    assert work["recordings"].sum() == 6 and work["recordings"].max() == 1
    assert work["probes"].max() <= MOST
    assert "measuring F0 in voiced frames, 6 of 6 recordings" in texts
