"""CCA of a model's layers: every view and control is the plain computation on the same items."""

import dataclasses

import numpy as np
import pytest
from corpora import toy_corpus
from matplotlib.figure import Figure
from tiny_wav2vec2 import tiny_config, tiny_network

from methods import cca
from methods.cca import canonical
from methods.core import models
from methods.core.audio import Clip
from methods.core.corpus import Corpus, Utterance, bundled, features
from methods.core.corpus.articulation import Articulation
from methods.core.corpus.features import of_model
from methods.core.corpus.items import phone_items
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.progress import finish
from page.export import downloads
from page.tabs import cca as cca_tab

VALUES = {"view": "mel", "layer": -1}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Twelve recordings of noise with six phones and three words each."""
    rng, made = np.random.default_rng(0), []
    for number in range(12):
        phones = tuple(Segment(p, 0.1 + 0.1 * i, 0.2 + 0.1 * i) for i, p in enumerate(rng.permutation(list("smntkp"))))
        words = tuple(Segment(str(rng.choice(["a", "b"])), 0.1 + 0.2 * i, 0.3 + 0.2 * i) for i in range(3))
        clip = Clip((0.1 * rng.normal(size=12_800)).astype(np.float32), f"n{number}")
        made.append(Utterance(clip, "ann", "f", "en", words, phones))
    return Corpus("noise", tuple(made))


@pytest.fixture(scope="module")
def result(corpus, tiny_model):
    return cca.analyse(corpus, tiny_model, random_seeds=(0, 1))


def test_scores_are_those_of_the_phones_own_vectors(corpus, tiny_model, result):
    assert result.views == ("mel", "phone", "intra")
    assert len(result.left_out) == 1 and "CCA-word: “noise” has 36 words" in result.left_out[0]
    items = phone_items(corpus)
    one_hot = (items.label[:, None] == np.unique(items.label)[None]).astype(float)
    pooled = features.pooled(finish(of_model(corpus, tiny_model)), items)
    part = canonical.parts(items.utterance)
    for layer, vectors in enumerate(pooled):
        found = canonical.held_out(vectors, one_hot, part)
        assert result.score[1, layer] == pytest.approx(found.score, abs=1e-9)
        assert result.in_sample[1, layer] == pytest.approx(canonical.in_sample(vectors, one_hot), abs=1e-6)
    assert result.dims[1].tolist() == [16, 16, 16, 6] and result.items[1] == 72
    np.testing.assert_allclose(result.score[2, 0], 1, atol=1e-3)  # layer 0 with itself; the ridge takes a little
    assert result.ridge[2, 0] > 0


def test_shuffled_pairs_are_of_different_recordings(corpus, tiny_model, result):
    """Recordings of six phones each: the next one's stand in for them, the first one's for the last's."""
    items = phone_items(corpus)
    one_hot = (items.label[:, None] == np.unique(items.label)[None]).astype(float)
    part, pooled = canonical.parts(items.utterance), features.pooled(finish(of_model(corpus, tiny_model)), items)
    for layer, vectors in enumerate(pooled):
        found = canonical.held_out(vectors, np.roll(one_hot, -6, axis=0), part, ridges=[result.ridge[1, layer]])
        assert result.shuffled[1, layer] == pytest.approx(found.score, abs=1e-9)


def test_layer_0_is_what_the_first_block_reads_and_not_the_bare_cnn(corpus, tmp_path):
    tiny_network(tiny_config("wav2vec2"), seed=3).save_pretrained(tmp_path)
    found = cca.analyse(corpus, models.load_model(str(tmp_path)), views=("intra",), random_seeds=())
    assert found.layers[0] == "CNN"
    np.testing.assert_allclose(found.score[0, 1], 1, atol=1e-3)  # itself; the ridge takes a little
    assert found.dims[0, -1] == found.dims[0, 1] and found.score[0, 0] < 0.999


def test_result_is_frozen_and_reproducible(corpus, tiny_model, result):
    again = cca.analyse(corpus, tiny_model, random_seeds=(0, 1))
    for part, same in ((result, again), (result.controls, again.controls)):
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            if isinstance(value, np.ndarray):
                assert not value.flags.writeable, field.name
                np.testing.assert_array_equal(value, getattr(same, field.name))
    for name in ("score", "shuffled", "in_sample", "shuffled_in_sample", "random"):
        assert np.isfinite(getattr(result, name)).all(), name
    # Log-mel with itself says nothing, and 39 MFCCs have fewer directions than its 80 bands.
    assert np.isnan(result.controls.baseline[0]).all() and np.isfinite(result.controls.baseline[1]).all()


def test_in_sample_is_refused_where_it_would_be_an_illusion(corpus, tiny_model):
    found = cca.analyse(corpus, tiny_model, scoring="in-sample", random_seeds=(), most=400)
    assert found.views == ("mel", "phone", "intra")
    np.testing.assert_array_equal(found.score, found.in_sample)
    with pytest.raises(UserError, match="16 and 80 dimensions, and scoring in sample needs more than 96"):
        cca.analyse(corpus, tiny_model, scoring="in-sample", views=("mel",), most=90)


def test_movements_are_a_view(corpus, tiny_model):
    tracks = tuple(np.random.default_rng(i).normal(size=(90, 2)) for i in range(12))
    moved = Articulation(corpus, ("TT-x", "TT-z"), tracks, 100.0, "made up")
    found = cca.analyse(moved, tiny_model, views=("articulation",), random_seeds=())
    assert found.views == ("articulation",) and found.dims[0, -1] == 2
    with pytest.raises(UserError, match="No view was chosen"):
        cca.analyse(corpus, tiny_model, views=("articulation",))


@pytest.mark.parametrize("measure", ["mean", "svcca"])
def test_other_measures(corpus, tiny_model, measure):
    found = cca.analyse(corpus, tiny_model, measure=measure, views=("mel",), random_seeds=())
    assert found.score.shape == (1, 3) and np.isfinite(found.score).all()


def test_partial_results_can_be_drawn(corpus, tiny_model):
    partial = [s.partial for s in cca.analyse.in_steps(corpus, tiny_model, random_seeds=(0,)) if s.partial is not None]
    assert np.isfinite(partial[0].score).all() and [partial[0].has(view) for view in range(3)] == [True, False, False]
    assert partial[0].controls is None and not any(one.complete for one in partial)
    assert "CCA-intra (layer 0) is not computed yet" in cca_tab.view_told(partial[0], 2)
    assert all("<svg" in drawn for drawn in cca_tab.drawn(partial[0], {"view": "intra", "layer": -1}))
    for one in (partial[0], partial[-1]):
        values = cca_tab.fitted(one, {"view": "nonsense", "layer": 99})
        assert values == {"view": "mel", "layer": 2}
        assert "".join(cca_tab.drawn(one, values)).count("<svg") == 3
        assert "p = 16, q = 80" in cca_tab.status_line(one, values)
        assert isinstance(cca.plot(one, view="phone", layer=1), Figure)


def test_table_downloads_and_status(result):
    table = result.table()
    assert len(table[table.score == "score"]) == 3 * 3 + 2 * 3 * 3 + 3 * 2
    assert result.provenance["corpus_sha256"].encode() in downloads.csv(result)
    assert len(downloads.npz(result)) > 1000
    said = cca_tab.status_line(result, cca_tab.fitted(result, VALUES))
    assert "p = 16, q = 80" in said and "left out: CCA-word" in said


def test_too_little_is_refused(tiny_model, corpus):
    with pytest.raises(UserError, match="needs at least 60"):
        cca.analyse(toy_corpus(), tiny_model, views=("phone",))
    with pytest.raises(UserError, match="no “glove” for “views”"):
        cca.analyse(corpus, tiny_model, views=("glove",))
    with pytest.raises(UserError, match="for “scoring”"):
        cca.analyse(corpus, tiny_model, scoring="cheating")


@pytest.mark.weights
def test_whisper_tiny_keeps_sounds_low_and_phones_high():
    found = cca.analyse(
        bundled("prompts"), models.load_model("openai/whisper-tiny.en"), views=("mel", "phone"), random_seeds=()
    )
    mel, phone = found.score
    assert mel.argmax() <= 1 and mel[4] < mel[0]
    assert (
        phone.argmax() in (2, 3)
        and phone.max() > phone[0] + 0.05
        and phone.max() > found.controls.baseline[1, 0] + 0.1
    )
    assert np.abs(found.shuffled).max() < 0.1
