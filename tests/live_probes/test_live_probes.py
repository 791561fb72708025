"""Ready-made probes: the softmax in plain loops, the stretches of a tier, and the files that come with the app."""

import copy
import dataclasses
import hashlib
import html
import json
import math
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from safetensors import safe_open
from safetensors.numpy import save_file

from methods import live_probes
from methods.core import models
from methods.core.corpus import bundled
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models import load_model
from methods.core.models.weights import WeightsError
from methods.core.progress import finish
from methods.core.speech import acoustics, phonology, praat
from methods.live_probes import analysis, probe_set
from methods.live_probes.probe_set import FILES, ProbeSet, probes_for
from page.tabs import live_probes as live_probes_tab

CLASSES = {
    "phone": ("ae", "iy", "m", "sil", "t"),
    "manner": ("nasal", "plosive", "sil", "vowel"),
    "voicing": ("sil", "voiced", "voiceless"),
}
LAYERS = ("MFCC", "0 (conv + positions)", "1", "2 (final norm)")
SCORED = {"trained": 0.8, "other": 0.5, "random": 0.3}
PHONES = (Segment("T", 0.1, 0.3), Segment("IY1", 0.3, 0.5), Segment("sp", 0.5, 0.7), Segment("AE0", 0.7, 1.0))


def made(model, seed=0) -> ProbeSet:
    """Random probes of the right shapes for a tiny model."""
    rng, weights = np.random.default_rng(seed), {}
    for prefix in ("", "random/"):
        for target in live_probes.TARGETS:
            for layer in range(4):
                dim, outputs = (39 if layer == 0 else 16), len(CLASSES.get(target, "1"))
                weights[f"{prefix}{target}/{layer}"] = rng.normal(size=(dim + 1, outputs)).astype(np.float32) * 0.3
    card = {
        "weights_sha256": model.weights_sha256,
        "layers": list(LAYERS),
        "classes": {t: list(n) for t, n in CLASSES.items()},
    }
    for side, score in SCORED.items():
        card[side] = [
            [target, layer, score - 2 * (target == "f0")] for target in live_probes.TARGETS for layer in range(4)
        ]
    return ProbeSet(LAYERS, CLASSES, weights, card)


@pytest.fixture
def _made_to_order(tiny_model, monkeypatch):
    monkeypatch.setattr(probe_set, "probes_for", lambda model: made(tiny_model))


@pytest.fixture(scope="module")
def result(clip, tiny_model):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe_set, "probes_for", lambda model: made(tiny_model))
        return live_probes.analyse(clip, tiny_model, phones=PHONES)


# The set of probes


def test_probabilities_are_a_softmax_of_an_affine_map(tiny_model):
    probes = made(tiny_model)
    states = np.random.default_rng(1).normal(size=(7, 16)).astype(np.float32) * 3
    for prefix in ("", "random/"):
        kept = probes.weights[f"{prefix}manner/2"].astype(float)
        found = probes.apply("manner", 2, states, random=bool(prefix))
        for frame in range(7):
            scores = [sum(float(states[frame, d]) * kept[d, c] for d in range(16)) + kept[16, c] for c in range(4)]
            whole = sum(math.exp(score) for score in scores)
            np.testing.assert_allclose(found[frame], [math.exp(score) / whole for score in scores], rtol=1e-9)
    kept = probes.weights["f0/1"].astype(float)
    expected = [sum(float(states[f, d]) * kept[d, 0] for d in range(16)) + kept[16, 0] for f in range(7)]
    np.testing.assert_allclose(probes.apply("f0", 1, states), expected, rtol=1e-9)


def test_large_scores_do_not_overflow(tiny_model):
    states = np.full((2, 16), 1e4, dtype=np.float32)
    found = made(tiny_model).apply("phone", 1, states)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(1), 1)


def test_other_models_and_other_weights_are_refused(tiny_model, monkeypatch):
    with pytest.raises(
        UserError, match=r"no ready-made probes for .*; choose openai/whisper-tiny.en, .* or train your own"
    ):
        probes_for(tiny_model)
    assert not probe_set.has_probes(tiny_model)
    monkeypatch.setattr(probe_set, "FILES", {tiny_model.id: ("x.safetensors", "")})
    monkeypatch.setattr(probe_set, "_read", lambda identifier: made(tiny_model))
    assert probes_for(tiny_model).layers == LAYERS
    with pytest.raises(UserError, match=r"trained on other weights than these of .*; train your own"):
        probes_for(models.random_twin(tiny_model, 0))


def test_the_same_weights_used_in_another_way_are_refused(tiny_model, monkeypatch):
    monkeypatch.setattr(probe_set, "FILES", {tiny_model.id: ("x.safetensors", "")})
    monkeypatch.setattr(probe_set, "_read", lambda identifier: made(tiny_model))
    monkeypatch.setattr(probe_set, "_fitting", set())
    kept = {tiny_model.id: probe_set.test_states(tiny_model).round(5).tolist()}
    monkeypatch.setattr(probe_set, "_test_sound", lambda: kept)
    assert probes_for(tiny_model).layers == LAYERS
    config = copy.deepcopy(tiny_model.network.config)
    config.encoder_attention_heads //= 2
    other = type(tiny_model.network)(config).eval()
    other.load_state_dict(tiny_model.network.state_dict())
    wider = type(tiny_model.front_end)(**tiny_model.front_end.to_dict() | {"n_fft": 512})
    for changed in ({"network": other}, {"front_end": wider}):
        strange = dataclasses.replace(tiny_model, **changed)
        assert strange.weights_sha256 == tiny_model.weights_sha256
        with pytest.raises(UserError, match="its configuration or preprocessor is another one; train your own"):
            probes_for(strange)


def test_every_bundled_file_has_its_states():
    kept = probe_set._test_sound()
    assert set(kept) == set(FILES)
    for identifier, states in kept.items():
        layers = json.loads(_metadata(identifier))["layers"]
        assert np.shape(states) == (len(layers) - 1, len(probe_set.FRAMES), probe_set.PLACES)


def _metadata(identifier):
    with safe_open(probe_set.FOLDER / FILES[identifier][0], "numpy") as file:
        return file.metadata()["card"]


def test_a_file_is_read_only_if_it_is_ours(tiny_model, tmp_path, monkeypatch):
    wanted = made(tiny_model)
    kept = {name: values.astype(np.float16) for name, values in wanted.weights.items()}
    save_file(kept, tmp_path / "tiny.safetensors", metadata={"card": json.dumps(wanted.card)})
    digest = hashlib.sha256((tmp_path / "tiny.safetensors").read_bytes()).hexdigest()
    monkeypatch.setattr(probe_set, "FOLDER", tmp_path)
    monkeypatch.setattr(
        probe_set, "FILES", {"ours": ("tiny.safetensors", digest), "theirs": ("tiny.safetensors", "0")}
    )
    found = probe_set._read("ours")
    assert found.layers == LAYERS and found.classes == CLASSES and found.card == wanted.card
    for name, values in wanted.weights.items():
        np.testing.assert_allclose(found.weights[name], values, rtol=1e-3, atol=1e-6)  # kept in half precision
    with pytest.raises(
        WeightsError, match=r"tiny.safetensors has SHA-256 .* instead of 0…; it was damaged or trained anew"
    ):
        probe_set._read("theirs")
    probe_set._read.cache_clear()


# What they read


def test_every_layer_is_read_at_every_frame(result, clip, tiny_model):
    probes, encoded = made(tiny_model), models.encode(clip, tiny_model)
    grid = models.frame_grid(clip, tiny_model)
    states = [acoustics.mfcc(clip, grid), *encoded.hidden]
    for number, values in enumerate(states):
        for target in ("phone", "manner", "voicing", "f0", "intensity"):
            np.testing.assert_allclose(
                getattr(result, target)[number], probes.apply(target, number, values), rtol=1e-5
            )
    twin = models.encode(clip, models.random_twin(tiny_model, 0)).hidden
    np.testing.assert_allclose(result.random_phone[3], probes.apply("phone", 3, twin[2], random=True), rtol=1e-5)
    for name in ("phone", "manner", "voicing", "random_phone"):
        np.testing.assert_allclose(getattr(result, name).sum(-1), 1)
    assert result.layers == LAYERS and result.phone.shape == (4, 65, 5)
    voiced = praat.f0(clip, grid.times)
    np.testing.assert_allclose(result.measured_f0, 12 * np.log2(voiced / 100))
    np.testing.assert_array_equal(result.best("manner"), result.manner.argmax(-1))
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        assert not isinstance(value, np.ndarray) or not value.flags.writeable


def test_labels_are_the_clips_own_phones(result):
    # Frames of 20 ms: 100 to 300 ms are frames 5 to 14, and so on; "sp" is silence like what lies between phones.
    expected = ["sil"] * 5 + ["t"] * 10 + ["iy"] * 10 + ["sil"] * 10 + ["ae"] * 15 + ["sil"] * 15
    assert list(result.labels) == expected


@pytest.mark.parametrize("labels", [(), ("ʃ", "iː"), ("S", "s", "i:"), ("s", "ʃ"), ("sil", "sp")])
def test_phones_of_another_alphabet_are_no_truth(clip, tiny_model, labels):
    grid = models.frame_grid(clip, tiny_model)
    phones = tuple(Segment(label, 0.1 * i, 0.1 * i + 0.1) for i, label in enumerate(labels))
    assert analysis._labels(grid, phones) == ()


def test_right_is_the_share_of_labelled_frames(result):
    for target, wanted in (
        ("phone", lambda p: p),
        ("manner", lambda p: phonology.feature(p, "manner")),
        ("voicing", lambda p: phonology.feature(p, "voicing")),
    ):
        truth = [label if label == "sil" else wanted(label) for label in result.labels]
        for layer in range(4):
            said = [result.classes(target)[code] for code in result.best(target)[layer]]
            share = sum(a == b for a, b in zip(said, truth, strict=True)) / 65
            assert result.right(target)[layer] == pytest.approx(share)
    assert dataclasses.replace(result, labels=()).right("phone") is None


@pytest.mark.parametrize("target", ["phone", "manner", "voicing"])
def test_runs_cover_the_clip_once(result, target):
    for layer in range(4):
        runs = live_probes.runs(result, target, layer)
        assert runs[0][1] == 0 and runs[-1][2] <= result.provenance["seconds"] == 1.3
        assert result.provenance["seconds"] - runs[-1][2] <= result.step
        for (name, _, end, _), (other, start, _, _) in pairwise(runs):
            assert end == pytest.approx(start) and name != other
        for name, start, end, probability in runs:
            inside = (result.times >= start - 1e-9) & (result.times < end - 1e-9)
            column = result.classes(target).index(name)
            assert (result.best(target)[layer, inside] == column).all()
            assert probability == pytest.approx(getattr(result, target)[layer, inside, column].mean())


def test_curves_show_the_card_and_this_clip(result):
    curves = {curve.name: curve.values for curve in live_probes.curves(result, "phone")}
    assert list(curves) == ["this clip", *live_probes.SIDES.values()]
    np.testing.assert_array_equal(curves["this clip"], result.right("phone"))
    assert curves["held-out recordings"].tolist() == [0.8] * 4
    assert live_probes.curves(result, "f0")[1].values.tolist() == [live_probes.LOWEST] * 4  # -1.5 is drawn at the edge
    assert len(live_probes.curves(result, "f0")) == 3


def test_chance_is_dotted_and_said(result):
    # 65 frames: 30 of silence, 10 t, 10 iy, 15 ae; voiced are the 25 of vowels.
    assert result.majority("phone") == result.majority("voicing") == ("sil", 30 / 65)
    assert result.counted("phone") == (65, 30)
    spoken = dataclasses.replace(result, labels=tuple("ae" if label == "sil" else label for label in result.labels))
    assert spoken.majority("voicing") == ("voiced", 55 / 65) and spoken.counted("voicing") == (65, 0)

    def dotted(result, target):
        lines = live_probes.plot(result, target=target).axes[1].lines
        return {line.get_label(): line.get_ydata()[0] for line in lines if line.get_linestyle() == ":"}

    assert dotted(result, "phone") == {"always sil, this clip": 30 / 65}
    assert dotted(result, "f0") == {"always the mean": 0}  # R² of a constant
    assert dotted(dataclasses.replace(result, labels=()), "phone") == {}
    told = live_probes_tab.status_line(result, {"target": "phone", "layer": 1})
    assert "of this clip's 65 labelled frames, 30 of silence counted" in told and "always “sil” 46%" in told
    picture = live_probes_tab.drawn(result, {"target": "manner", "layer": 1})[1]
    assert "Always saying sil is right in 0.46 of this clip's frames." in html.unescape(picture)


@pytest.mark.parametrize("target", live_probes.TARGETS)
def test_plot_draws_the_layer(result, target):
    figure = live_probes.plot(result, target=target, layer=2)
    assert isinstance(figure, Figure)
    if target in CLASSES:
        drawn = figure.axes[0].collections[0].get_array().reshape(len(CLASSES[target]), 65)
        np.testing.assert_allclose(drawn, getattr(result, target)[2].T)
    else:
        lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
        np.testing.assert_array_equal(lines["layer 1"], getattr(result, target)[2])
        np.testing.assert_array_equal(lines["Praat"], getattr(result, f"measured_{target}"))


def test_the_table_is_tidy(result):
    table = result.table()
    assert len(table) == 4 * 65 * (5 + 4 + 3) + 2 * 5 * 65 + 3 * (4 + 1)
    right = table[(table.target == "manner") & (table["class"] == "(right)")]
    np.testing.assert_array_equal(right.value, result.right("manner"))
    chance = table[(table.target == "manner") & (table.layer == "most frequent class")]
    # 25 frames of vowels (iy 10, ae 15), 10 of a plosive, 30 of silence.
    assert chance["class"].tolist() == ["sil"] and chance.value.tolist() == [30 / 65]
    row = table[(table.target == "manner") & (table.layer == "1") & (table["class"] == "vowel")]
    unlabelled = dataclasses.replace(result, labels=()).table()
    assert unlabelled.time.notna().all() and len(unlabelled) == len(table) - 15
    np.testing.assert_array_equal(row.value, result.manner[2, :, 3])
    np.testing.assert_array_equal(row.time, result.times)
    assert result.provenance["options"]["phones"][1] == ["IY1", 0.3, 0.5]


@pytest.mark.usefixtures("_made_to_order")
def test_steps_come_before_the_work(clip, tiny_model):
    steps = []
    finish(live_probes.analyse.in_steps(clip, tiny_model), steps.append)
    assert [step.done for step in steps] == sorted(step.done for step in steps) and len(steps) == 2


# The files that come with the app


@pytest.mark.parametrize("identifier", FILES)
def test_the_files_are_whole(identifier):
    probes = probe_set._read(identifier)
    assert probes.layers[0] == "MFCC" and len(probes.card["weights_sha256"]) == 64
    assert set(probes.classes["phone"]) - {"sil"} <= phonology.PHONES
    for target in live_probes.TARGETS:
        outputs = len(probes.classes.get(target, "1"))
        for layer in range(len(probes.layers)):
            for prefix in ("", "random/"):
                values = probes.weights[f"{prefix}{target}/{layer}"]
                assert values.shape[1] == outputs and np.isfinite(values).all()
        for side in live_probes.SIDES:
            scored = [[number, score] for asked, number, score in probes.card[side] if asked == target]
            assert [number for number, _ in scored] == list(range(len(probes.layers)))
            assert all(score <= 1 for _, score in scored)
    held = np.array([score for asked, _, score in probes.card["trained"] if asked == "phone"])
    chance = np.array([score for asked, _, score in probes.card["random"] if asked == "phone"])
    assert held.max() > held[0] + 0.1 and (held[1:] > chance[1:]).all()  # above MFCC, and above random weights


@pytest.mark.weights
def test_they_read_a_prompt():
    model, prompts = load_model("openai/whisper-tiny.en"), bundled("prompts")
    utterance = prompts.utterances[0]
    result = live_probes.analyse(utterance.clip, model, phones=utterance.phones)
    # Trained on this very recording, among others, with states of this very window: above what is held out.
    held = np.array([score for asked, _, score in result.card["trained"] if asked == "phone"])
    assert (result.right("phone")[1:] > held[1:] - 0.05).all()
    assert result.right("voicing").min() > 0.7
    voiced = np.isfinite(result.measured_f0)
    assert np.corrcoef(result.f0[1, voiced], result.measured_f0[voiced])[0, 1] > 0.9
    said = np.array(result.phones)[result.random_phone[1:].argmax(-1)]
    assert (said == np.array(result.labels)).mean() < result.right("phone")[1:].min()
