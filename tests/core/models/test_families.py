"""Attention and value zeroing as a user calls them, on every family of model: loaded from a folder, with controls."""

import numpy as np
import pytest
import transformers
from tiny_wav2vec2 import KINDS, tiny_config, tiny_network

from methods import attention, value_zeroing
from methods.core import models
from methods.core.errors import UserError
from methods.core.models import encode, load_model

TECHNIQUES = pytest.mark.parametrize("technique", [attention, value_zeroing], ids=["attention", "value_zeroing"])


@pytest.fixture(
    scope="module", params=KINDS, ids=[f"{family}-{'pre' if stable else 'post'}-norm" for family, stable in KINDS]
)
def model(request, tmp_path_factory):
    family, stable = request.param
    folder = tmp_path_factory.mktemp(f"{family}-{stable}")
    tiny_network(tiny_config(family, stable), seed=2).save_pretrained(folder)
    return load_model(str(folder))


@TECHNIQUES
def test_every_family_has_maps_and_controls(technique, clip, segments, model):
    result = technique.analyse(clip, model, segments=segments, random_seeds=(0, 1))
    assert result.encoder.shape[0] == models.layer_count(model) == 2
    assert result.encoder.shape[-2:] == (4, 4)
    assert result.decoder is None and result.cross is None and result.tokens == ()
    shares = result.shares("encoder")
    np.testing.assert_allclose(shares.sum(-1), 1)
    assert not np.allclose(shares, result.random[0].shares("encoder"), atol=1e-3)
    assert set(result.table()["attention"]) == {"encoder"}
    technique.plot(result, layer=1)
    with pytest.raises(UserError, match="no decoder"):
        technique.plot(result, stack="cross")


def test_frames_and_names_are_the_familys_own(clip, model):
    states = encode(clip, model)
    assert states.hidden.shape == (3, 64, 16)  # floor((20,800 - 400) / 320) + 1
    assert states.times[0] == pytest.approx(0.0125)
    assert states.conv.shape == (64, 8)
    normed = model.network.config.model_type != "data2vec-audio" and model.network.config.do_stable_layer_norm
    assert (states.raw_last is not None) == normed
    assert states.layer_names[-1] == ("2 (final norm)" if normed else "2")


@TECHNIQUES
def test_the_offline_ctc_model_works_like_any_other(technique, clip, segments):
    result = technique.analyse(clip, load_model("hama-ctc"), segments=segments, random_seeds=(0,))
    assert result.encoder.shape[0] == 4
    np.testing.assert_allclose(result.shares("encoder").sum(-1), 1)


def test_a_model_that_writes_no_text_needs_segments(clip, model):
    with pytest.raises(UserError, match="writes no text"):
        value_zeroing.analyse(clip, model)


def test_ctc_and_classes_from_folders(clip, tmp_path):
    config = tiny_config("wav2vec2", id2label={0: "yes", 1: "no"}, label2id={"yes": 0, "no": 1})
    tiny_network(config, transformers.Wav2Vec2ForSequenceClassification).save_pretrained(tmp_path)
    model = load_model(str(tmp_path))
    scores = models.class_probabilities(clip, model)["class"]
    assert set(scores) == {"yes", "no"} and sum(scores.values()) == pytest.approx(1)
    assert models.ctc_vocabulary(model) is None
