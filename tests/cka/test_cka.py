"""CKA of a model's layers: the plain definition's numbers on the same frames, and every control."""

import dataclasses

import numpy as np
import pytest
import reference_spaces as reference
from corpora import toy_corpus
from matplotlib.figure import Figure

from methods import cka
from methods.cka import figure
from methods.core import models
from methods.core.audio import Clip
from methods.core.corpus import Corpus, Utterance, bundled, features, spaces
from methods.core.corpus import items as views
from methods.core.corpus.articulation import Articulation
from methods.core.corpus.features import of_model
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.progress import finish
from page.export import downloads
from page.tabs.cka import drawn, fitted, same_told, status_line, told

CLOSE = 1e-5  # float32 features, sums of n² = 4e3 products


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Five recordings of noise bursts, three phones each."""
    rng, made = np.random.default_rng(0), []
    for number in range(5):
        phones = tuple(
            Segment(label, 0.1 + 0.2 * i, 0.3 + 0.2 * i) for i, label in enumerate(("s", "iy", "m")[: 2 + number % 2])
        )
        words = (Segment("see" if number % 2 else "sea", 0.1, 0.5),)
        clip = Clip((0.1 * rng.normal(size=16_000)).astype(np.float32), f"n{number}")
        made.append(Utterance(clip, "ann", "f", "en", words, phones))
    return Corpus("noise", tuple(made))


@pytest.fixture(scope="module")
def result(corpus, tiny_model):
    return cka.analyse(corpus, tiny_model, most=60, random_seeds=(0, 1))


def plain(corpus, model, items, subtract=True):
    """Layers at the chosen frames, by hand."""
    states = finish(of_model(corpus, model, subtract_silence=subtract))
    at = np.concatenate(
        [
            np.flatnonzero((states.utterance == u) & np.isin(np.round(states.times, 6), np.round(t, 6)))
            for u, t in items
        ]
    )
    return [layer[at].astype(np.float64) for layer in states.layers]


def where(corpus, model, most=60):
    states = finish(of_model(corpus, model))
    items = spaces.chosen(corpus, states, "frames", most, 20).items
    return [(u, items.start[items.utterance == u]) for u in np.unique(items.utterance)]


def test_maps_are_those_of_the_plain_loop_on_the_same_frames(corpus, tiny_model, result):
    places = where(corpus, tiny_model)
    layers = plain(corpus, tiny_model, places)
    assert result.items == len(layers[0]) == 60 and result.recordings == 5
    np.testing.assert_allclose(result.debiased, reference.naive_grid(layers, layers), atol=CLOSE)
    np.testing.assert_allclose(result.biased, reference.naive_grid(layers, layers, debiased=False), atol=CLOSE)
    raw = plain(corpus, tiny_model, places, subtract=False)
    np.testing.assert_allclose(result.controls.unsubtracted, reference.naive_grid(raw, raw), atol=CLOSE)
    for number, seed in enumerate((0, 1)):
        twin = plain(corpus, models.random_twin(tiny_model, seed), places)
        np.testing.assert_allclose(result.controls.random[number], reference.naive_grid(twin, twin), atol=CLOSE)
        same = np.diag(reference.naive_grid(layers, twin))
        np.testing.assert_allclose(result.controls.random_same[number], same, atol=CLOSE)


def test_targets_are_what_the_frames_are(corpus, tiny_model, result):
    assert result.targets == ("log-mel", "mfcc", "phone", "classes")  # nothing was moved
    assert result.target_dims.tolist()[:3] == [80, 39, 3]
    layers = plain(corpus, tiny_model, where(corpus, tiny_model))
    states = finish(of_model(corpus, tiny_model))
    phones = spaces.chosen(corpus, states, "frames", 60, 20).items.columns["phone"]
    one_hot = np.array([[phone == name for name in ("iy", "m", "s")] for phone in phones], dtype=float)
    expected = reference.naive_grid([one_hot], layers)[0]
    np.testing.assert_allclose(result.target_debiased[2], expected, atol=CLOSE)
    assert result.among[2, 2] == pytest.approx(1, abs=CLOSE)


def test_result_is_frozen_finite_and_reproducible(corpus, tiny_model, result):
    again = cka.analyse(corpus, tiny_model, most=60, random_seeds=(0, 1))
    for part, same in ((result, again), (result.controls, again.controls)):
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            if isinstance(value, np.ndarray):
                assert not value.flags.writeable and np.isfinite(value).all(), field.name
                np.testing.assert_array_equal(value, getattr(same, field.name))
    assert (result.controls.low <= result.debiased + CLOSE).mean() > 0.9


def test_partial_results_come_before_the_controls_and_can_be_drawn(corpus, tiny_model):
    partial = [s.partial for s in cka.analyse.in_steps(corpus, tiny_model, random_seeds=(0,)) if s.partial is not None]
    assert partial[0].controls is None and not any(one.complete for one in partial)
    assert [one.controls.random is not None for one in partial[1:]] == [False, False, True]
    for one in (partial[0], partial[-1]):
        values = fitted(one, {"estimator": "nonsense"})
        assert "<svg" in "".join(drawn(one, values)) and "with itself on noise" in status_line(one, values)
        assert isinstance(cka.plot(one), Figure) and isinstance(cka.plot(one, estimator="biased"), Figure)


def test_table_has_every_number_and_downloads_their_origin(result):
    table, layers = result.table(), len(result.layers)
    assert len(table[table.weights == "trained"]) == 6 * (layers**2 + 4 * layers)
    assert len(table[table.weights == "random weights 1"]) == layers**2 + layers + 4 * layers
    assert result.provenance["corpus_sha256"].encode() in downloads.csv(result)
    assert len(downloads.npz(result)) > 1000


def test_phones_words_and_gaussian_kernels(corpus, tiny_model):
    words = Corpus("more", corpus.utterances * 5)
    found = cka.analyse(words, tiny_model, unit="phones", kernel="rbf", tau=0.8, random_seeds=())
    states = finish(of_model(words, tiny_model))
    vectors = features.pooled(states, views.phone_items(words))
    grams = [reference.rbf_kernel(x.astype(float), 0.8) for x in vectors]
    expected = [reference.u_centred_cka(grams[0], other) for other in grams]
    np.testing.assert_allclose(found.debiased[0], expected, atol=CLOSE)
    assert cka.analyse(words, tiny_model, unit="words", random_seeds=()).items == 25


def test_movements_of_the_vocal_tract_are_a_target(corpus, tiny_model):
    rng = np.random.default_rng(1)
    tracks = [rng.normal(size=(110, 2)) for _ in corpus.utterances]
    tracks[0][30:60] = np.nan
    moved = Articulation(corpus, ("TT-x", "TT-z"), tuple(tracks), 100.0, "made up")
    found = cka.analyse(moved, tiny_model, targets=("articulation",), random_seeds=())
    whole = cka.analyse(corpus, tiny_model, targets=("articulation",), random_seeds=())
    assert found.targets == ("articulation",) and whole.targets == ()
    assert found.items < whole.items
    assert isinstance(cka.plot(whole), Figure)


def test_another_model_for_the_columns_is_compared_at_the_same_times(corpus, tiny_model, monkeypatch):
    twin = models.random_twin(tiny_model, 7)
    monkeypatch.setattr(models, "load_model", lambda _name: twin)
    found = cka.analyse(corpus, tiny_model, other="a twin", most=60, random_seeds=())
    places = where(corpus, tiny_model)
    first, second = plain(corpus, tiny_model, places), plain(corpus, twin, places)
    np.testing.assert_allclose(found.debiased, reference.naive_grid(first, second), atol=CLOSE)
    # As many layers as its own, and yet the curve is not about its own layer 0.
    assert figure.first_column(found) == "layer 0 of a twin" and "with layer 0 of a twin" in same_told(found)
    axes = Figure().subplots()
    figure.draw_same(axes, found)
    assert axes.get_legend_handles_labels()[1][0] == "with layer 0 of a twin"


def test_too_little_is_refused_with_the_number_needed(tiny_model):
    with pytest.raises(UserError, match="has 3 words and this comparison needs at least 20"):
        cka.analyse(toy_corpus(), tiny_model, unit="words")
    with pytest.raises(UserError, match="for “unit”"):
        cka.analyse(toy_corpus(), tiny_model, unit="letters")
    with pytest.raises(UserError, match="for “targets”"):
        cka.analyse(toy_corpus(), tiny_model, targets=("ema",))


def test_numbers_of_a_map_are_told(result):

    text = told(figure.maps(result)[0])
    assert same_told(result).startswith("Each layer with layer 0: 1.00")
    assert "layer 0: 1.00" in text


@pytest.mark.weights
def test_whisper_tiny_in_its_known_order():
    """Silence subtracted: similarity to layer 0 falls with depth, and phones are plainest in layer 3 (data.md 3)."""
    found = cka.analyse(bundled("prompts"), models.load_model("openai/whisper-tiny.en"), most=1500, random_seeds=())
    # data.md: other prompts of the same speaker, all their frames, the exact window.
    np.testing.assert_allclose(found.debiased[0, 1:], [0.80, 0.61, 0.53, 0.39], atol=0.1)
    assert (np.diff(found.target_debiased[found.targets.index("log-mel")]) < 0).all()
    phone = found.target_debiased[found.targets.index("phone")]
    assert phone.argmax() in (2, 3) and phone[4] < phone[0]
    assert found.controls.unsubtracted[0, 4] == pytest.approx(0.78, abs=0.05)
    assert found.controls.unsubtracted[0, 4] > found.debiased[0, 4] + 0.2  # position, which all layers share
