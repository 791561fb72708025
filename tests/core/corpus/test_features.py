"""Hidden states of many recordings: the right frames, the right layers, and none of a visitor's on the disk."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from corpora import toy_corpus
from tiny_wav2vec2 import tiny_config, tiny_network
from transformers import Wav2Vec2FeatureExtractor

from methods.core import models
from methods.core.audio import Clip
from methods.core.cache import BoundedCache
from methods.core.corpus import Corpus, features
from methods.core.corpus.features import Features, acoustic, frames_of, of_model, only_layers, pooled
from methods.core.corpus.items import Items, phone_items
from methods.core.errors import UserError
from methods.core.frames import FrameGrid
from methods.core.models import load_model
from methods.core.progress import finish
from methods.core.speech import acoustics

# One pass in a batch of another shape sums in another order: float32 (6e-8 relative), states of order 1 to 10,
# a few hundred terms per sum and two blocks.
ROUNDING = 2e-4


@pytest.fixture(scope="module")
def toy():
    return toy_corpus()


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny-wav2vec2")
    tiny_network(tiny_config("wav2vec2", True), seed=3).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return load_model(str(folder))


@pytest.fixture(autouse=True)
def _fresh(monkeypatch, tmp_path):
    """An empty memory and an empty disk for each test."""
    monkeypatch.setattr(features, "_kept", BoundedCache(features.MEMORY))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def made(frames=10, offsets=(0, 4, 10)) -> Features:
    """Two layers of random numbers over two recordings, frames at 0, 20 … ms."""
    rng = np.random.default_rng(0)
    layers = tuple(rng.normal(size=(frames, dim)).astype(np.float32) for dim in (3, 5))
    grids = tuple(FrameGrid(0.0, 0.02, b - a) for a, b in pairwise(offsets))
    return Features(("a", "b"), layers, np.array(offsets), np.concatenate([g.times for g in grids]), grids)


def items(*rows: tuple[int, float, float]) -> Items:
    numbers, starts, ends = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.array([]),) * 3
    return Items(
        numbers.astype(int), starts.astype(float), ends.astype(float), np.array(["x"] * len(rows), dtype=str), {}
    )


# Pooling


def test_the_mean_is_over_the_frames_whose_centres_lie_inside():
    kept = made()
    found = pooled(kept, items((0, 0.0, 0.05), (1, 0.03, 0.11), (1, 0.041, 0.049), (0, 0.06, 0.08)))
    # Frame centres in [0, 0.05): 0, 20, 40 ms; in [0.03, 0.11): 40 to 100 ms of the second recording, which begins at
    # row 4; between two frames: the nearest to 45 ms is that at 40 ms; the last frame of the first recording.
    rows = [[0, 1, 2], [6, 7, 8, 9], [6], [3]]
    for layer, vectors in zip(kept.layers, found, strict=True):
        expected = [
            [sum(float(layer[r, d]) for r in chosen) / len(chosen) for d in range(layer.shape[1])] for chosen in rows
        ]
        np.testing.assert_allclose(vectors, expected, atol=1e-6)  # a sum of four float32 numbers of order 1
        assert vectors.dtype == np.float32


def test_the_centre_is_the_frame_nearest_the_middle_and_of_two_the_earlier():
    kept = made()
    asked = items((0, 0.0, 0.08), (0, 0.0, 0.05), (1, 0.01, 0.11), (1, 0.0, 0.02), (1, 0.0, 0.06))
    # Middles: 40 ms is frame 2; 25 ms is nearest 20 ms, frame 1; 60 ms is frame 3 (+ 4 rows); of the one frame, it;
    # 30 ms is half-way between frames 1 and 2: the earlier.
    for layer, vectors in zip(kept.layers, pooled(kept, asked, "centre"), strict=True):
        np.testing.assert_array_equal(vectors, layer[[2, 1, 7, 4, 5]])


def test_no_items_are_no_vectors_of_the_right_width():
    for pooling in features.POOLINGS:
        assert [vectors.shape for vectors in pooled(made(), items(), pooling)] == [(0, 3), (0, 5)]
    assert frames_of(made(), items()) == []
    with pytest.raises(UserError, match="no pooling “maximum”; choose one of mean, centre"):
        pooled(made(), items((0, 0.0, 0.1)), "maximum")


def test_frames_of_items_are_those_of_the_one_frame_rule(toy, tiny_model):
    states = acoustic(toy, tiny_model, "mfcc")
    asked = phone_items(toy)
    for number, segment, span in zip(asked.utterance, asked.segments, frames_of(states, asked), strict=True):
        own = models.frame_grid(toy.utterances[number].clip, tiny_model).span(segment)
        first = sum(models.frame_grid(u.clip, tiny_model).frames for u in toy.utterances[:number])
        assert span == range(first + own.start, first + own.stop)
        assert set(states.utterance[span.start : span.stop]) == {number}
        inside = states.times[span.start : span.stop]
        assert len(inside) and (len(inside) == 1 or (inside >= segment.start - 1e-6).all())
    assert states.utterance.tolist() == [0] * 25 + [1] * 37 + [2] * 16  # 20 ms each: 0.50, 0.73 and 0.31 s


# Whisper


def test_the_full_window_without_subtraction_is_what_encode_says(toy, tiny_model):
    states = finish(of_model(toy, tiny_model, window="full", subtract_silence=False))
    encoded = [models.encode(u.clip, tiny_model) for u in toy.utterances]
    assert states.names == encoded[0].layer_names
    for layer, values in enumerate(states.layers):
        expected = np.concatenate([e.hidden[layer] for e in encoded])
        np.testing.assert_allclose(values, expected, atol=ROUNDING, rtol=0)
        assert values.dtype == np.float32 and not values.flags.writeable
    np.testing.assert_array_equal(states.times, np.concatenate([e.times for e in encoded]))
    assert states.offsets.tolist() == [0, 25, 62, 78]
    assert states.note == ""


def test_subtraction_takes_away_silence_at_the_same_places(toy, tiny_model):
    states = finish(of_model(toy, tiny_model, window="full"))
    silence = models.encode(Clip(np.zeros(480_000), "silence"), tiny_model).hidden
    for layer, values in enumerate(states.layers):
        parts = [models.encode(u.clip, tiny_model).hidden[layer] for u in toy.utterances]
        expected = np.concatenate([part - silence[layer, : len(part)] for part in parts])
        np.testing.assert_allclose(values, expected, atol=2 * ROUNDING, rtol=0)
    assert states.note == "states of silence at the same positions subtracted"


def test_the_clip_window_is_a_smaller_encoder_and_says_so(toy, tiny_model):
    states = finish(of_model(toy, tiny_model, subtract_silence=False))
    assert states.note.startswith("Whisper was fed the clips alone")
    # An independent way: the same network told that its window is as long as the first clip, 0.50 s or 25 frames.
    network = load_model(tiny_model.id).network
    encoder = network.model.encoder
    mel = tiny_model.front_end(
        toy.utterances[0].clip.samples, sampling_rate=16_000, return_tensors="pt"
    ).input_features
    whole, sources = encoder.embed_positions, encoder.config.max_source_positions
    try:
        encoder.embed_positions = torch.nn.Embedding.from_pretrained(whole.weight[:25])
        encoder.config.max_source_positions = 25
        with torch.inference_mode():
            hidden = encoder(mel[..., :50], output_hidden_states=True).hidden_states
    finally:
        encoder.embed_positions, encoder.config.max_source_positions = whole, sources
    for layer, expected in enumerate(hidden):
        np.testing.assert_allclose(states.layers[layer][:25], expected[0].numpy(), atol=ROUNDING, rtol=0)
    full = finish(of_model(toy, tiny_model, window="full", subtract_silence=False))
    # The convolution sees padding beyond the clip only at its last frame, attention sees it everywhere.
    np.testing.assert_allclose(states.layers[0][:24], full.layers[0][:24], atol=ROUNDING)
    assert np.abs(states.layers[1][:24] - full.layers[1][:24]).max() > 100 * ROUNDING


def test_subtraction_in_the_clip_window_uses_silence_of_the_same_length(toy, tiny_model):
    plain = finish(of_model(toy, tiny_model, subtract_silence=False))
    both = finish(of_model(toy, tiny_model))
    silent = Corpus("silent", tuple(replace(u, clip=Clip(np.zeros_like(u.clip.samples), "s")) for u in toy.utterances))
    quiet = finish(of_model(silent, tiny_model, subtract_silence=False))
    for layer in range(len(both.layers)):
        np.testing.assert_allclose(both.layers[layer], plain.layers[layer] - quiet.layers[layer], atol=ROUNDING)
    assert "; " in both.note


def test_a_twin_has_states_of_its_own(toy, tiny_model):
    twin = models.random_twin(tiny_model, 1)
    first, second = (finish(of_model(toy, model)) for model in (tiny_model, twin))
    assert first.names == second.names
    assert np.abs(first.layers[1] - second.layers[1]).max() > 0.1


# The others


def test_wav2vec2_has_its_cnn_and_no_window(toy, wav2vec2):
    states = finish(of_model(toy, wav2vec2))
    encoded = [models.encode(u.clip, wav2vec2) for u in toy.utterances]
    assert states.names == ("CNN", *encoded[0].layer_names)
    assert states.layers[0].shape[1] == 8 and states.layers[1].shape[1] == 16
    np.testing.assert_array_equal(states.layers[0], np.concatenate([e.conv for e in encoded]))
    np.testing.assert_array_equal(states.layers[-1], np.concatenate([e.hidden[-1] for e in encoded]))
    assert states.note == ""
    other = finish(of_model(toy, wav2vec2, window="full", subtract_silence=False))
    assert other.layers[0] is states.layers[0]  # the same entry of the cache: nothing was run again


def test_steps_tell_what_is_done_and_a_second_run_has_none(toy, tiny_model):
    steps = []
    finish(of_model(toy, tiny_model), steps.append)
    assert [step.done for step in steps] == [0, 1 / 3, 2 / 3]
    assert steps[1].text.startswith("encoding 2 of 3 clips")
    again = []
    finish(of_model(replace(toy, name="other name"), tiny_model), again.append)
    assert again == []
    with pytest.raises(UserError, match="no window “half”; choose one of clip, full"):
        finish(of_model(toy, tiny_model, window="half"))


def test_acoustic_features_sit_on_the_models_frames(toy, wav2vec2):
    for kind, width in (("mfcc", 39), ("log-mel", 80)):
        states = acoustic(toy, wav2vec2, kind)
        assert (states.names, len(states.layers)) == ((kind,), 1)
        (layer,) = states.layers
        second = toy.utterances[1].clip
        expected = acoustics.of_kind(second, models.frame_grid(second, wav2vec2), kind)
        assert layer.shape == (states.offsets[-1], width)
        # float32 of numbers up to 25: half a unit in the last place is 1e-6.
        np.testing.assert_allclose(layer[states.offsets[1] : states.offsets[2]], expected, atol=1e-6, rtol=1e-6)


def test_parts_and_sums_of_features(toy, wav2vec2):
    ann, bob = toy.only(["ann"]), toy.only(["bob"])
    first, second, both = (finish(of_model(part, wav2vec2)) for part in (ann, bob, ann.joined(bob)))
    joined = features.joined(first, second)
    for a, b in zip(joined.layers, both.layers, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(joined.times, both.times)
    np.testing.assert_array_equal(joined.utterance, both.utterance)
    chosen = only_layers(both, (2, 0))
    assert chosen.names == (both.names[2], "CNN") and chosen.layers[1] is both.layers[0]
