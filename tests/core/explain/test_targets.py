"""Targets: against transformers' own networks and feature extractor, a sum over all CTC paths, and transcripts."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from reference_attribution import ctc_by_paths
from tiny_intents import tiny_intents
from tiny_wav2vec2 import tiny_config, tiny_network
from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC, Wav2Vec2ForSequenceClassification

from methods.core import models
from methods.core.audio import clip_from_samples
from methods.core.errors import UserError
from methods.core.explain import target_kinds, targets
from methods.core.models import stages
from methods.core.models.speech_model import SpeechModel, Vocabulary
from methods.core.models.whisper import short_window
from methods.core.models.whisper.log_mel import log_mel, padding_value

TEXT = "ab cd abc"
# Log-probabilities of order 10 in float32 (eps 1.2e-7), through some thousand sums: 1e-4 leaves a factor of ten.
NATS = 1e-4


@pytest.fixture(scope="module")
def noisy():
    """Noise of 0.7 s with a silent stretch, whose cells lie under the clamp."""
    samples = 0.1 * np.random.default_rng(0).standard_normal(11_200)
    samples[4000:7000] = 0
    return clip_from_samples(samples, 16_000)


def build(clip, model, kind, **options):
    return targets.build(clip, model, kind, transcript=TEXT, language="en", **options)


# The front end


@pytest.mark.parametrize("length", [1600, 11_111, 160_001, 480_000, 500_000])
def test_log_mel_is_the_feature_extractors(tiny_model, length):
    samples = (0.2 * np.random.default_rng(1).standard_normal(length)).astype(np.float32)
    samples[length // 3 : length // 2] = 0
    expected = tiny_model.front_end(samples, sampling_rate=16_000, return_tensors="pt").input_features
    ours = log_mel(tiny_model.front_end, torch.tensor(samples)[None])
    # Log10 power / 4 in float32: one unit in the last place of values near 1 is 1.2e-7; sums of 201 bins.
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)


def test_log_mel_of_digital_silence_is_its_floor(tiny_model):
    mel = log_mel(tiny_model.front_end, torch.zeros(1, 1600))
    assert mel.unique().tolist() == pytest.approx([-1.5])  # (log10(1e-10) + 4) / 4
    assert padding_value(mel) == pytest.approx(-1.5)


def test_padding_value_is_what_stands_behind_the_clip(tiny_model, noisy):
    mel = log_mel(tiny_model.front_end, torch.tensor(noisy.samples.copy())[None])
    assert padding_value(mel) == pytest.approx(float(mel[0, 0, -1]), abs=1e-6)
    assert padding_value(mel) == pytest.approx(float(mel.max()) - 2.0, abs=1e-6)  # 8 log10 units, divided by 4


def test_log_mel_knows_its_gradient(tiny_model):
    """Central differences in float64, at samples that are heard and in the loudest cell, which moves the clamp."""
    samples = torch.tensor(0.3 * np.random.default_rng(2).standard_normal((1, 1600)))
    samples[:, 600:1100] *= 1e-6
    weights = torch.randn(1, 80, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def value(given):
        return (log_mel(tiny_model.front_end, given, 20) * weights).sum()

    moving = samples.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(moving), moving)
    for place in (3, 480, 1400):
        step = torch.zeros_like(samples)
        step[0, place] = 1e-6
        slope = (value(samples + step) - value(samples - step)) / 2e-6
        # Central differences are right to step² × third derivative, and to eps × |value| / step = 1e-8.
        assert float(gradient[0, place]) == pytest.approx(float(slope), rel=1e-4, abs=1e-5)


# Whisper


def test_levels_lead_to_the_encoders_own_output(tiny_model, noisy):
    steps = models.stages_of(noisy, tiny_model)
    features = tiny_model.front_end(noisy.samples, sampling_rate=16_000, return_tensors="pt").input_features
    with torch.no_grad():
        expected = tiny_model.network.model.encoder(features).last_hidden_state
        for level in steps:
            entering = stages.at(steps, level, torch.tensor(noisy.samples.copy())[None])
            torch.testing.assert_close(stages.onward(steps, level, entering), expected, rtol=1e-4, atol=1e-4)
    assert list(steps) == ["waveform", "log-mel", "embedding"]
    with pytest.raises(ValueError, match="no level 'CNN'"):
        stages.at(steps, "CNN", torch.zeros(1, 1600))


def test_clip_only_window_is_that_of_short_window(tiny_model, noisy):
    steps = models.stages_of(noisy, tiny_model, window="clip")
    samples = torch.tensor(noisy.samples.copy())[None]
    with torch.no_grad():
        expected = short_window.states(tiny_model.network, log_mel(tiny_model.front_end, samples), 35)[:, -1]
        torch.testing.assert_close(stages.onward(steps, "waveform", samples), expected, rtol=0, atol=0)
    assert build(noisy, tiny_model, "word", window="clip").base != build(noisy, tiny_model, "word").base


def whole_logprobs(model, clip, text):
    """(tokens + 1,) from transformers' own forward pass."""
    features = model.front_end(clip.samples, sampling_rate=16_000, return_tensors="pt").input_features
    with torch.no_grad():
        logits = model.network(features, decoder_input_ids=torch.tensor([text.ids])).logits[0].log_softmax(-1)
    following = [*text.ids[1:], model.decoding.end]
    return logits[torch.arange(len(following)), torch.tensor(following)].numpy()


def test_word_token_and_transcript_are_sums_of_the_librarys_log_probabilities(tiny_model, noisy):
    text = models.transcribe(noisy, tiny_model, text=TEXT, language="en")
    logs, first = whole_logprobs(tiny_model, noisy, text), len(text.prompt) - 1
    assert build(noisy, tiny_model, "transcript").base == pytest.approx(logs[first:].sum(), abs=NATS)
    # The tokeniser spells by letters, " ab cd abc": positions 0-2, 3-5, 6-9.
    word = build(noisy, tiny_model, "word", wanted="cd")
    assert word.base == pytest.approx(logs[first + 3 : first + 6].sum(), abs=NATS)
    assert (word.label, word.word, word.unit) == ("“cd”", "cd", "nats")
    assert build(noisy, tiny_model, "word").word == "abc"  # the longest
    token = build(noisy, tiny_model, "token", wanted="c", occurrence=2)
    assert token.base == pytest.approx(logs[first + 9], abs=NATS)
    assert build(noisy, tiny_model, "word", wanted="ab cd").base == pytest.approx(
        logs[first : first + 6].sum(), abs=NATS
    )


def test_contrast_is_the_difference_of_two_forced_spellings(tiny_model, noisy):
    text = models.transcribe(noisy, tiny_model, text=TEXT, language="en")
    other = models.transcribe(noisy, tiny_model, text="ab xy", language="en")
    first = len(text.prompt) - 1
    spelled = whole_logprobs(tiny_model, noisy, text)[first + 3 : first + 6].sum()
    rival = whole_logprobs(tiny_model, noisy, other)[first + 3 : first + 6].sum()
    contrast = build(noisy, tiny_model, "contrast", wanted="cd", against="xy")
    assert contrast.base == pytest.approx(spelled - rival, abs=NATS)
    assert contrast.label == "“cd” rather than “xy”"


def test_contrast_with_a_longer_spelling_counts_what_ends_the_word(tiny_model, noisy):
    """“cd” begins “cde”: only the token after it (a space here) tells them apart."""
    text = models.transcribe(noisy, tiny_model, text="ab cd abc", language="en")
    longer = models.transcribe(noisy, tiny_model, text="ab cde abc", language="en")
    first = len(text.prompt) - 1
    short = whole_logprobs(tiny_model, noisy, text)[first + 3 : first + 7].sum()
    long = whole_logprobs(tiny_model, noisy, longer)[first + 3 : first + 8].sum()
    contrast = build(noisy, tiny_model, "contrast", wanted="cd", against="cde")
    assert contrast.base == pytest.approx(short - long, abs=NATS)


def test_language_is_the_log_odds_at_the_opening(tiny_model, noisy):
    features = tiny_model.front_end(noisy.samples, sampling_rate=16_000, return_tensors="pt").input_features
    with torch.no_grad():
        start = torch.tensor([[tiny_model.decoding.start]])
        scores = tiny_model.network(features, decoder_input_ids=start).logits[0, -1]
    two = replace(tiny_model.decoding, languages={"en": 5, "fr": 9, "de": 11})
    model = replace(tiny_model, decoding=two)
    odds = targets.build(noisy, model, "language", wanted="fr")
    p = scores[[5, 9, 11]].softmax(0)[1]
    assert odds.base == pytest.approx(float((p / (1 - p)).log()), abs=NATS)
    pair = targets.build(noisy, model, "language", wanted="fr", against="de")
    assert pair.base == pytest.approx(float(scores[9] - scores[11]), abs=NATS)
    assert odds.answer(noisy.samples) == ["en", "fr", "de"][int(scores[[5, 9, 11]].argmax())]
    with pytest.raises(UserError, match="against itself"):
        targets.build(noisy, model, "language", wanted="fr", against="fr")


def test_score_follows_the_sound_and_knows_its_gradient_at_every_level(tiny_model, noisy):
    target = build(noisy, tiny_model, "word", wanted="cd")
    assert target.score(noisy.samples[:8000]) != target.base  # another length is welcome
    for level in target.levels:
        entering = target.entering(level).requires_grad_()
        value = target.value(level, entering)
        assert value.item() == pytest.approx(target.base, abs=NATS)
        (gradient,) = torch.autograd.grad(value, entering)
        assert gradient.shape == entering.shape and float(gradient.abs().sum()) > 0
        assert target.score_at(level, entering.detach()[0].numpy()) == pytest.approx(target.base, abs=NATS)
    silent = target.entering("log-mel", np.zeros_like(noisy.samples))
    later = target.onto("embedding", "log-mel", silent)
    torch.testing.assert_close(later, target.entering("embedding", np.zeros_like(noisy.samples)))


def test_twin_asks_the_same_of_random_weights(tiny_model, noisy):
    target = build(noisy, tiny_model, "word", wanted="cd")
    assert target.twin(0).label == target.label
    assert target.twin(0).base == target.twin(0).base != target.base


def test_answer_is_the_greedy_transcript(tiny_model, noisy):
    target = targets.build(noisy, tiny_model, "transcript", language="en")
    heard = models.transcribe(noisy, tiny_model, language="en")
    assert target.answer(noisy.samples).removesuffix(" …") == heard.text


# CTC


@pytest.fixture(scope="module")
def ctc_model():
    """A random CTC model of seven letters, with a space and a blank."""
    network = tiny_network(tiny_config("wav2vec2", vocab_size=9), Wav2Vec2ForCTC, seed=2)
    letters = Vocabulary(("<b>", "|", *"abcdefg"), blank=0, space=1, joint="")
    return SpeechModel("tiny-ctc", "wav2vec2", network, Wav2Vec2FeatureExtractor(do_normalize=True), letters, "0" * 64)


def test_string_likelihood_is_the_sum_over_all_paths():
    scores = torch.randn(5, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    logs = scores.log_softmax(-1).numpy()
    for labels in ((1, 2), (1, 1), (3,), (1, 2, 1)):
        ours = target_kinds._likelihood(scores, labels, 0)
        assert float(ours) == pytest.approx(ctc_by_paths(logs, labels, 0), abs=1e-10)


def test_ctc_targets_compare_strings(ctc_model, noisy):
    logs = models.ctc_log_probabilities(noisy, ctc_model)

    def likelihood(*labels):
        return float(target_kinds._likelihood(torch.tensor(logs, dtype=torch.float64), labels, 0))

    options = {"transcript": "ab cd"}  # ids 2 3 | 4 5
    assert targets.build(noisy, ctc_model, "ctc", **options).base == pytest.approx(likelihood(2, 3, 1, 4, 5), abs=1e-3)
    word = targets.build(noisy, ctc_model, "ctc", wanted="cd", **options)
    assert word.base == pytest.approx(likelihood(2, 3, 1, 4, 5) - likelihood(2, 3), abs=1e-3)
    rival = targets.build(noisy, ctc_model, "contrast", wanted="cd", against="ce", **options)
    assert rival.base == pytest.approx(likelihood(2, 3, 1, 4, 5) - likelihood(2, 3, 1, 4, 6), abs=1e-3)
    assert targets.kinds(ctc_model) == ("ctc", "contrast")
    with pytest.raises(UserError, match="symbols that tiny-ctc does not know"):
        targets.build(noisy, ctc_model, "ctc", transcript="xyz")


# Classes


@pytest.fixture(scope="module")
def classifier():
    config = tiny_config("wav2vec2", num_labels=3, id2label={0: "yes", 1: "no", 2: "stop"})
    network = tiny_network(config, Wav2Vec2ForSequenceClassification, seed=3)
    return SpeechModel("tiny-cls", "wav2vec2", network, Wav2Vec2FeatureExtractor(do_normalize=True), None, "1" * 64)


def test_class_scores_are_the_librarys(classifier, noisy):
    values = classifier.front_end(noisy.samples, sampling_rate=16_000, return_tensors="pt").input_values
    with torch.no_grad():
        logits = classifier.network(values).logits[0]
    for name, number in (("yes", 0), ("Stop", 2)):
        assert targets.build(noisy, classifier, "class", wanted=name).base == pytest.approx(
            float(logits[number]), abs=1e-4
        )
    chosen = targets.build(noisy, classifier, "class", scale="log-probability")
    assert chosen.base == pytest.approx(float(logits.log_softmax(-1).max()), abs=1e-4)
    assert (chosen.unit, targets.build(noisy, classifier, "class").unit) == ("nats", "logit")
    pair = targets.build(noisy, classifier, "class", wanted="yes", against="no")
    assert pair.base == pytest.approx(float(logits[0] - logits[1]), abs=1e-4)
    assert chosen.answer(noisy.samples) == ["yes", "no", "stop"][int(logits.argmax())]
    with pytest.raises(UserError, match="no class “maybe”; choose one of yes, no, stop"):
        targets.build(noisy, classifier, "class", wanted="maybe")


def test_the_class_finds_its_own_head(noisy):
    """Logits from the library's encoder and each head's own matrix."""
    model = tiny_intents()
    values = model.front_end(noisy.samples, sampling_rate=16_000, return_tensors="pt").input_values
    with torch.no_grad():
        pooled = model.network.wav2vec2(values).last_hidden_state.mean(1)[0]
        objects, locations = model.network.classifier2(pooled), model.network.classifier3(pooled)
    kitchen = targets.build(noisy, model, "class", wanted="Kitchen")
    assert kitchen.base == pytest.approx(float(locations[1]), abs=1e-4) and kitchen.label == "location “kitchen”"
    for head, scores, number in (("object", objects, 10), ("location", locations, 2)):
        nothing = targets.build(noisy, model, "class", wanted="none", head=head)
        assert nothing.base == pytest.approx(float(scores[number]), abs=1e-4)
    pair = targets.build(noisy, model, "class", wanted="none", against="bedroom")  # only a location has both
    assert pair.base == pytest.approx(float(locations[2] - locations[0]), abs=1e-4)
    assert targets.build(noisy, model, "class").label.startswith("action")
    assert targets.build(noisy, model, "class", against="music").label.startswith("object")
    with pytest.raises(UserError, match="“none” may be meant of object or location in tiny-intents; name one"):
        targets.build(noisy, model, "class", wanted="none")
    with pytest.raises(
        UserError, match=r"has “loo” among its classes; choose .* \(action: .*; location: bedroom, kit"
    ):
        targets.build(noisy, model, "class", wanted="loo")
    with pytest.raises(UserError, match="has “kitchen” and “music” among its classes"):
        targets.build(noisy, model, "class", wanted="kitchen", against="music")
    with pytest.raises(UserError, match="no classifier “place”; choose action or object or location"):
        targets.build(noisy, model, "class", head="place")


def test_a_perturbed_clip_keeps_the_scale_of_the_whole_one(classifier, noisy):
    """Half of it silenced: what is left enters as before, unless the clip is scaled anew."""
    halved = noisy.samples.copy()
    halved[5600:] = 0
    conv, heard = classifier.network.base_model.feature_extractor, []
    hook = conv.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0].clone()))
    for renormalise in (False, True):
        target = targets.build(noisy, classifier, "class", wanted="yes", renormalise=renormalise)
        target.entering("embedding")
        target.entering("embedding", halved)
    hook.remove()
    values = classifier.front_end(noisy.samples, sampling_rate=16_000, return_tensors="pt").input_values
    anew = classifier.front_end(halved, sampling_rate=16_000, return_tensors="pt").input_values
    _, whole, fixed, _, same, scaled = heard  # building asks for the likeliest class first
    # Samples over their spread, 1 to 4, in float32 (eps 1.2e-7).
    torch.testing.assert_close(whole, values, rtol=0, atol=2e-6)
    torch.testing.assert_close(same, values, rtol=0, atol=2e-6)
    torch.testing.assert_close(fixed[:, :5600], values[:, :5600], rtol=0, atol=2e-6)
    torch.testing.assert_close(scaled, anew, rtol=0, atol=2e-6)
    assert list(target.steps) == ["waveform", "embedding"]
    assert "forward" not in vars(conv)  # the stand-in is gone


# What cannot be explained


def test_what_is_not_there_is_one_sentence(tiny_model, noisy, ctc_model):
    with pytest.raises(UserError, match="“zzz”, the target, is not among the words"):
        build(noisy, tiny_model, "word", wanted="zzz")
    with pytest.raises(UserError, match="A contrast needs two words"):
        build(noisy, tiny_model, "contrast", wanted="cd")
    with pytest.raises(UserError, match="against itself is always 0"):
        build(noisy, tiny_model, "contrast", wanted="cd", against="cd")
    with pytest.raises(UserError, match="has no “class” that could be explained; it has: word, token"):
        build(noisy, tiny_model, "class")
    with pytest.raises(UserError, match="has no “word” that could be explained; it has: ctc, contrast"):
        targets.build(noisy, ctc_model, "word")
    bare = replace(ctc_model, network=ctc_model.network.wav2vec2, tokenizer=None, lock=threading.RLock())
    assert targets.kinds(bare) == ()
    with pytest.raises(UserError, match="choose a Whisper, CTC or classification model"):
        targets.build(noisy, bare, "ctc")
