"""The technique from end to end: on a tiny random model, on states made to order, and on real weights."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from spoken import Noise, phone_only, spoken, states

from methods import encoding_probe
from methods.core import corpus as corpora
from methods.core.corpus import features
from methods.core.errors import UserError
from methods.core.models import load_model
from methods.core.progress import finish
from methods.encoding_probe import analysis, figure


@pytest.fixture(scope="module")
def corpus():
    return spoken(speakers=("ann", "bob"))


def of_states(kept, corpus, model, monkeypatch, **options):
    """The result for states that are made to order."""

    def given(*_asked, **_how):
        return kept
        yield

    monkeypatch.setattr(features, "of_model", given)
    return encoding_probe.analyse(corpus, model, random_seeds=(), **options)


def test_from_end_to_end_with_partial_results(corpus, tiny_model):
    steps = []
    result = finish(encoding_probe.analyse.in_steps(corpus, tiny_model, random_seeds=(0, 1)), steps.append)
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    partial = [step.partial for step in steps if step.partial is not None]
    first, *partial = partial
    assert first.held_out < first.items and np.isnan([first.low, first.high, first.alone]).all()
    assert np.isfinite(first.unique).all() and first.controls is None and encoding_probe.plot(first)
    assert partial[0].held_out == partial[0].items and np.isnan(partial[0].alone).all()
    assert [p.controls is None for p in partial] == [True, True, False, False, False]
    partial = partial[1:]
    assert partial[1].controls.permuted is None and partial[2].controls.permuted is not None
    assert partial[2].controls.random_r2 is None and partial[3].controls.random_r2.shape == (1, 3)
    assert result.complete and not any(p.complete for p in partial)
    assert all(isinstance(encoding_probe.plot(p), Figure) for p in partial)
    layers, blocks, controls = len(result.layers), len(result.blocks), result.controls
    assert result.unique.shape == result.alone.shape == result.low.shape == (layers, blocks) == (3, 9)
    assert controls.random_unique.shape == (2, 3, 9) and controls.permuted.shape == (3, 9)
    np.testing.assert_allclose(result.shared + result.unique.sum(1), result.r2)
    np.testing.assert_allclose(result.shared_by, result.alone - result.unique)
    assert ((result.low <= result.unique) & (result.unique <= result.high)).all()
    assert "over the recordings tested" in result.interval_note
    # MFCC are in the block of acoustics, and what is left to the others is rounding by the penalty.
    assert controls.baseline_r2[0] > 0.999 and (np.abs(controls.baseline_unique[0, 1:]) < 0.001).all()
    table = result.table()
    assert len(table) == 2 * 3 + 4 * 27 + 2 * 10 + 27 + 2 * (3 + 27) and table.notna().all(axis=None)
    one = table[(table.features == "model") & (table.layer == result.layers[1]) & (table.block == "phone")]
    np.testing.assert_array_equal(one[one.score == "unique"].value, result.unique[1, 1])
    again = encoding_probe.analyse(corpus, tiny_model, random_seeds=(1,))
    np.testing.assert_array_equal(again.unique, result.unique)
    np.testing.assert_array_equal(again.controls.random_unique[0], controls.random_unique[1])
    np.testing.assert_array_equal(again.controls.permuted, controls.permuted)


def test_states_made_of_phones_and_speakers_are_explained_by_them(tiny_model, monkeypatch):
    corpus = spoken(40, 12, speakers=("ann", "bob"))

    def phone_and_voice(phone, word, place, speaker):
        return [*(3 * np.array(phone_only(phone, word, place, speaker))), 2.0 * (speaker == "bob"), 0.0]

    def word_only(_phone, word, *_):
        return [float(word == name) for name in ("pea", "see", "mat")]

    kept = states(corpus, phone_and_voice, word_only, noise=0.1)
    result = of_states(kept, corpus, tiny_model, monkeypatch)
    unique, alone = (dict(zip(result.blocks, line.T, strict=True)) for line in (result.unique, result.alone))
    # The speaker's column varies by 4 · p(1 − p), the phones' by 9 · Σ p(1 − p), the noise of three frames by .003.
    items = analysis.blocks.design(corpus, kept).items
    share = np.bincount(np.unique(items.label, return_inverse=True)[1]) / len(items)
    bob = np.mean(items.columns["speaker"] == "bob")
    phones, voice = 9 * (share * (1 - share)).sum(), 4 * bob * (1 - bob)
    # 110 other features overfit a voice in 1000 phones by a tenth of its variance.
    assert unique["speaker"][0] == pytest.approx(voice / (phones + voice), abs=0.02)
    assert alone["phone"][0] == pytest.approx(phones / (phones + voice), abs=0.03)
    assert unique["phone"][0] > 0.1 and result.r2[0] > 0.98
    # Phone, neighbours and place in the word tell these words too; the word alone tells all of it.
    assert alone["word"][1] > 0.9 and abs(unique["speaker"][1]) < 0.01 and abs(unique["phone"][1]) < 0.01
    assert (result.controls.permuted[0] < 0.02).all()


def test_what_is_drawn_are_the_results_own_numbers(corpus, tiny_model):
    result = encoding_probe.analyse(corpus, tiny_model, random_seeds=(0, 1))
    drawn = encoding_probe.plot(result, block="word")
    stack, block, trained, random = drawn.axes
    heights = np.array([bar.get_height() for bar in stack.patches]).reshape(2, 10, 3)
    np.testing.assert_allclose(heights[0], [result.shared, *result.unique.T])
    np.testing.assert_allclose(heights.sum(1), [result.r2, result.controls.random_r2.mean(0)])
    np.testing.assert_allclose(block.lines[0].get_ydata(), result.unique[:, 3])
    assert block.get_ylabel() == "unique share: word"
    mesh, twin = trained.collections[0], random.collections[0]
    np.testing.assert_allclose(mesh.get_array().reshape(9, 3), result.unique.T)
    np.testing.assert_allclose(twin.get_array().reshape(9, 3), result.controls.random_unique.mean(0).T)
    assert mesh.get_clim() == twin.get_clim()
    assert figure.chosen(result, None) == figure.chosen(result, "gone") == result.blocks.index("phone")


def test_one_voice_without_words_and_too_few_recordings(tiny_model):
    bare = [replace(u, words=(), tiers={}) for u in spoken(4, 20).utterances]
    few = replace(spoken(4, 20), utterances=tuple(bare))
    result = encoding_probe.analyse(few, tiny_model, random_seeds=())
    assert result.blocks == ("acoustics", "phone", "neighbours", "duration", "time")
    assert any("one speaker" in reason for reason in result.left_out)
    assert np.isnan(result.low).all() and "no interval" in result.interval_note
    assert isinstance(encoding_probe.plot(result, block="word"), Figure)
    with pytest.raises(UserError, match="2 group"):
        encoding_probe.analyse(spoken(2, 30), tiny_model)
    mute = replace(few, utterances=tuple(replace(u, phones=()) for u in few.utterances))
    with pytest.raises(UserError, match="has 0 phones and an encoding probe needs 100"):
        encoding_probe.analyse(mute, tiny_model)


def test_states_that_are_the_same_everywhere(corpus, tiny_model, monkeypatch):
    kept = states(corpus, Noise(3), lambda *_: [1.0, 2.0])
    with pytest.raises(UserError, match=r"Layer 1 of .* is the same at all"):
        of_states(kept, corpus, tiny_model, monkeypatch)


@pytest.mark.weights
@pytest.mark.slow
def test_what_a_trained_model_is_made_of():
    both = corpora.bundled("prompts").joined(corpora.bundled("voices"))
    result = encoding_probe.analyse(both, load_model("openai/whisper-tiny.en"), random_seeds=(0,))
    unique = dict(zip(result.blocks, result.unique.T, strict=True))
    # A prototype with scikit-learn, other words and another grid of penalties measured .013 → .071 → .027 for phones
    # at layers 0, 2 and 4, and −.007 → .024 → .063 for neighbours; random weights at most 0 for both.
    np.testing.assert_allclose(unique["phone"][[0, 2, 4]], [0.013, 0.071, 0.027], atol=0.01)
    np.testing.assert_allclose(unique["neighbours"][[0, 2, 4]], [-0.007, 0.024, 0.063], atol=0.015)
    random = dict(zip(result.blocks, result.controls.random_unique[0].T, strict=True))
    assert (random["phone"][1:] < 0).all() and (random["neighbours"] < 0).all()
    assert (np.diff(unique["acoustics"]) < 0).all() and unique["acoustics"][0] > 5 * unique["acoustics"][-1]
    assert (result.controls.permuted[:, : result.blocks.index("time")] < 0).all()
