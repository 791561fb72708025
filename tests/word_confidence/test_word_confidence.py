"""Word confidence: the numbers are the plain network's, evidence is what its definition says, and guesses are seen."""

import dataclasses
import io
import re

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from scipy.stats import entropy
from tiny_wav2vec2 import tiny_config, tiny_network

from methods import word_confidence
from methods.core import models
from methods.core.audio import Clip, load_clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.lenses import decoder
from methods.core.models import load_model
from methods.word_confidence.pieces import entropy_bits
from page.export import downloads
from page.session import Session
from page.tabs import word_confidence as tab
from page.top import transcript
from page.widgets import shaded_words

# The same float32 sums in another order: errors of some eps (1.2e-7) of logits of order 10 to 30, through few layers.
ROUNDING = 5e-5
EXAMPLES = "examples_audio"
WEASELS = f"{EXAMPLES}/cc-by-sa-3.0/en_f_weasels.wav"


@pytest.fixture(scope="module")
def tiny(clip, tiny_model):
    return word_confidence.analyse(clip, tiny_model, transcript="ab cd", language="en", random_seeds=(0, 1))


@pytest.fixture(scope="module")
def text(clip, tiny_model):
    return models.transcribe(clip, tiny_model, text="ab cd", language="en")


@torch.no_grad()
def plain(model, samples, text, change=lambda states: states):
    """(tokens + 1, vocabulary) float64 log-probabilities of transformers' network, its encoder's output changed."""
    features = model.front_end(samples, sampling_rate=16_000, return_tensors="pt").input_features
    states = change(model.network.model.encoder(features).last_hidden_state.clone())
    ids = torch.tensor([text.prompt + text.tokens])
    logits = model.network(encoder_outputs=(states,), decoder_input_ids=ids).logits[0, len(text.prompt) - 1 :]
    return log_softmax(logits.double().numpy(), axis=-1)


def of(logs, model, text):
    wanted = [*text.tokens, model.decoding.end]
    return logs[np.arange(len(wanted)), wanted]


# Against the plain network


def test_probability_entropy_and_alternatives_are_the_plain_networks(clip, tiny_model, tiny, text):
    logs = plain(tiny_model, clip.samples, text)
    np.testing.assert_allclose(tiny.logprobs, of(logs, tiny_model, text), atol=ROUNDING)
    # d(entropy)/d(log p) is at most 1 + |log p| < 20 per unit of probability, in bits 1.44 times that.
    np.testing.assert_allclose(tiny.entropy, entropy(np.exp(logs), axis=-1, base=2), atol=30 * ROUNDING)
    for row, own, found, names in zip(
        logs, [*text.tokens, tiny_model.decoding.end], tiny.alternative_logprobs, tiny.alternatives, strict=True
    ):
        others = sorted(set(range(len(row))) - {own}, key=lambda token: -row[token])[:5]
        np.testing.assert_allclose(found, row[others], atol=ROUNDING)
        spelled = [tiny_model.tokenizer.decode([token]) for token in others]
        assert all(name in (said, "(end)", "(space)") for name, said in zip(names, spelled, strict=True))


def test_the_sum_is_that_of_transcribe(clip, tiny_model, tiny, text):
    np.testing.assert_allclose(tiny.logprobs, text.logprobs, atol=ROUNDING)
    assert tiny.total == pytest.approx(text.logprobs.sum(), abs=len(text.logprobs) * ROUNDING)
    assert tiny.no_speech == text.no_speech


def test_both_baselines_are_the_plain_network_without_the_sound(clip, tiny_model, tiny, text):
    silent = plain(tiny_model, np.zeros(16_000, np.float32), text)
    own = models.frame_grid(clip, tiny_model).frames

    def average(states):
        states[:, :own] = states[:, :own].mean(1, keepdim=True)
        return states

    even = plain(tiny_model, clip.samples, text, average)
    np.testing.assert_allclose(tiny.silence_logprobs, of(silent, tiny_model, text), atol=ROUNDING)
    np.testing.assert_allclose(tiny.mean_logprobs, of(even, tiny_model, text), atol=ROUNDING)
    np.testing.assert_array_equal(tiny.evidence(), tiny.logprobs - tiny.silence_logprobs)
    np.testing.assert_array_equal(tiny.evidence("mean"), tiny.logprobs - tiny.mean_logprobs)
    assert np.abs(tiny.evidence() - tiny.evidence("mean")).max() > 100 * ROUNDING  # they are two questions


def test_a_twin_is_asked_the_same(clip, tiny_model, tiny, text):
    twin = models.random_twin(tiny_model, 1)
    np.testing.assert_allclose(
        tiny.controls.logprobs[1], of(plain(twin, clip.samples, text), twin, text), atol=ROUNDING
    )
    assert tiny.random_evidence().shape == tiny.random_evidence("mean").shape == (2, len(tiny.pieces))


# Laws


def test_silence_has_exactly_no_evidence(clip, tiny_model):
    silent = Clip(np.zeros_like(clip.samples), "silence")
    result = word_confidence.analyse(silent, tiny_model, transcript="ab cd", language="en", random_seeds=())
    np.testing.assert_array_equal(result.evidence(), 0)
    assert result.no_speech == pytest.approx(result.silence_no_speech, rel=1e-5)


def test_all_that_could_be_written_has_a_probability_of_1(clip, tiny_model, text):
    states = models.encoder_states(clip, tiny_model).output[0]
    logs = decoder.forced_distributions(tiny_model, states, text.prompt, text.tokens)
    assert logs.shape == (len(text.tokens) + 1, 64)
    np.testing.assert_allclose(np.exp(logs.astype(float)).sum(1), 1, atol=64 * 1.2e-7)  # a rounding for each token


def test_words_are_sums_over_their_own_pieces(tiny):
    assert [word.label for word in tiny.words] == ["ab", "cd"]
    written = ["".join(tiny.pieces[word.pieces]).strip() for word in tiny.words]
    assert written == ["ab", "cd"]
    parts = [tiny.logprobs[i] for i in range(len(tiny.pieces)) if tiny.word_of_pieces()[i] == 1]
    assert tiny.word_logprobs()[1] == pytest.approx(sum(parts))
    assert tiny.word_probabilities()[1] == pytest.approx(np.prod(np.exp(parts)))
    np.testing.assert_allclose(tiny.word_evidence().sum() + tiny.evidence()[-1], tiny.evidence().sum())


def test_entropy_of_known_distributions():
    with np.errstate(divide="ignore"):
        logs = np.log([[0.5, 0.5, 0, 0], [0.25] * 4, [1, 0, 0, 0], softmax([1, 2, 3, 4])])
    expected = [1, 2, 0, entropy(softmax([1, 2, 3, 4]), base=2)]
    np.testing.assert_allclose(entropy_bits(logs), expected, atol=1e-12)


def test_times_are_those_of_the_text_or_none(clip, tiny_model):
    cut = (Segment("ab", 0.1, 0.4), Segment("cd", 0.5, 0.9))
    asked = {"transcript": "ab cd", "language": "en", "random_seeds": ()}
    timed = word_confidence.analyse(clip, tiny_model, segments=cut, **asked)
    assert [(w.start, w.end) for w in timed.words] == [(0.1, 0.4), (0.5, 0.9)]
    other = word_confidence.analyse(clip, tiny_model, segments=cut[:1], **asked)
    assert all(np.isnan(word.start) for word in other.words)
    assert "could not be placed" in tab.status_line(other, {})
    assert "could not be placed" not in tab.status_line(timed, {})


# The result on the page and in files


def test_table_plot_and_files(tiny):
    table = tiny.table()
    np.testing.assert_array_equal(table["evidence_mean"], tiny.evidence("mean"))
    np.testing.assert_array_equal(table["random_1_evidence_silence"], tiny.random_evidence()[1])
    assert table["word"].tolist()[-1] == "" and np.isnan(table["word_logprob"].iloc[-1])
    figure = word_confidence.plot(tiny)
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    np.testing.assert_allclose(heights, np.exp(tiny.logprobs))
    dots = [line.get_ydata() for line in figure.axes[1].lines[:-1]]
    np.testing.assert_allclose(np.stack(dots), [*tiny.random_evidence(), *tiny.random_evidence("mean")])
    kept = np.load(io.BytesIO(downloads.npz(tiny)), allow_pickle=False)
    np.testing.assert_array_equal(kept["silence_logprobs"], tiny.controls.silence_logprobs)


def test_what_a_model_wrote_is_text_on_the_page(tiny):
    evil = "<script>alert('1')</script>"
    named = tuple((evil, *names[1:]) for names in tiny.alternatives)
    pieces = (f" {evil}", *tiny.pieces[1:])
    words = (dataclasses.replace(tiny.words[0], label=evil), *tiny.words[1:])
    result = dataclasses.replace(tiny, pieces=pieces, alternatives=named, words=words)
    for made in (shaded_words.shaded_text(result), tab.piece_table(result), shaded_words.plain_text(evil)):
        assert "<script" not in made and "alert('1')" not in made and "&lt;script&gt;" in made


def test_the_text_of_the_page_is_the_text(tiny):
    shown = re.sub(r"<[^>]*>", "", shaded_words.shaded_text(tiny).partition("</p>")[0])
    assert shown.strip() == tiny.text


@pytest.mark.parametrize("p", [0.0, 0.0004, 0.5, 0.9996, 1.0])
def test_no_probability_is_said_to_be_all_or_nothing(p):
    assert shaded_words.percent(p) == {0.5: "50%"}.get(p, "<0.1%" if p < 0.5 else ">99.9%")


def test_before_there_is_a_control_the_view_is_drawn(tiny):
    bare = dataclasses.replace(tiny, controls=None)
    for result, rows in ((bare, 2), (tiny, 4)):
        view = tab.sound_view(result, {"against": "mean"})
        assert len(view["rows"][-1]["rows"]) == rows
    assert "random weights, mean of 2 seeds" in str(tab.sound_view(tiny, {"against": "mean"}))


def test_a_model_that_writes_nothing(clip, tmp_path):
    tiny_network(tiny_config("wav2vec2")).save_pretrained(tmp_path)
    silent = load_model(str(tmp_path))
    with pytest.raises(UserError, match="no CTC head, so there is no word"):
        word_confidence.analyse(clip, silent)
    assert transcript.sure_html(Session(clip, None), silent) is None


# Known answers


@pytest.fixture(scope="module")
def answers():
    clips = {
        name: load_clip(f"{EXAMPLES}/{name}.wav") for name in ("cc0-1.0/no_speech_noise", "cc0-1.0/no_speech_tune")
    }
    clips["weasels"] = load_clip(WEASELS)
    model = load_model("openai/whisper-tiny.en")
    return {
        name: word_confidence.analyse(clip, model, random_seeds=(0,) if name == "weasels" else ())
        for name, clip in clips.items()
    }


@pytest.mark.weights
def test_the_model_listens_to_speech_and_guesses_without(answers):
    heard = answers["weasels"]
    assert [word.label for word in heard.words] == ["Weasles", "have", "eaten", "our", "phone", "system"]
    for baseline in word_confidence.BASELINES:
        assert (heard.word_evidence(baseline) > 3).all()
        assert np.abs(heard.random_evidence(baseline)).max() < 0.5  # random weights do not listen
    assert not heard.unheard().any()
    for name in ("cc0-1.0/no_speech_noise", "cc0-1.0/no_speech_tune"):
        made_up = answers[name]
        assert made_up.words and made_up.unheard().all()
        assert (made_up.word_evidence() < 0).all()
        assert 0.7 < made_up.no_speech < 0.95  # the model suspects it, and writes


@pytest.mark.weights
def test_the_misheard_word_is_the_doubtful_one(answers):
    """“Weasels”, which the model spells “Weasles”, is the only word under 50%."""
    assert (answers["weasels"].certainty() < 0.5).tolist() == [True] + [False] * 5
