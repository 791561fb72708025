"""Every technique with its model on a second device: the same numbers, and no tensor made on the wrong one."""

import dataclasses
import importlib
import json

import numpy as np
import pytest
import torch
from other_device import ELSEWHERE, Elsewhere, SecondDevice
from tiny_intents import tiny_intents
from tiny_wav2vec2 import tiny_config, tiny_network
from transformers import Wav2Vec2ForCTC

from methods import TECHNIQUES
from methods.core.audio import clip_from_samples
from methods.core.cache import BoundedCache
from methods.core.corpus import Corpus, Utterance
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models import devices, load_model, loading, passes, whisper

WORDS = (("x", 0.0, 0.22), ("ab", 0.22, 0.3), ("cd", 0.5, 0.95), ("abc", 0.95, 1.3))
SOUNDS = (("s", 0.0, 0.2), ("iy", 0.2, 0.4), ("s", 0.4, 0.7), ("iy", 0.7, 1.0), ("s", 1.0, 1.3))
SPOKEN, PHONES = (tuple(Segment(*part) for part in parts) for parts in (WORDS, SOUNDS))
BRIEF = {"random_seeds": ()}
SAID = {"transcript": "x ab cd abc", "language": "en", **BRIEF}
CUT = {"segments": SPOKEN, **BRIEF}
MAPS = CUT | SAID
TWIN = {"random_seeds": (0,)}  # its weights are drawn on the CPU and moved
FEW = {"orders": 0, "variants": (), "modes": (), "checks": False}
GRADIENTS = ("SmoothGrad", "integrated gradients")
TRACE = {"corruption": "recording", "target": "transcript", "places": 0}
MASKS = {"masks": 24, "patches_per_second": (8.0,), "points": 2, "random_maps": 1}
# (technique, model, what it hears, options): every technique, and every kind of model where its path differs
CASES = [
    ("attention", "whisper", "clip", MAPS | TWIN),
    ("attention_norm", "whisper", "clip", MAPS),
    ("value_zeroing", "whisper", "clip", MAPS),
    ("value_zeroing", "wavlm", "clip", CUT | TWIN),
    ("value_zeroing", "hama-ctc", "clip", CUT | TWIN),
    ("context_mixing", "whisper", "clip", MAPS),
    ("head_roles", "whisper", "clip", MAPS),
    ("cue_contribution", "whisper", "clip", MAPS | {"cue": "ab", "target": "abc", "alternative": "abd", "draws": 3}),
    (
        "attribution",
        "whisper",
        "clip",
        MAPS | {"orders": 0, "window": "clip", "variants": (), "modes": (), "compared": GRADIENTS},
    ),
    ("attribution", "letters", "clip", CUT | FEW | {"compared": ("input x gradient",)}),
    ("attribution", "intents", "clip", CUT | FEW | {"compared": ("saliency",)}),
    ("word_evidence", "whisper", "clip", MAPS | {"modes": ("silence",), "random_orders": 1, "window": "clip"}),
    ("paralinguistics", "whisper", "clip", SAID | {"properties": ("loudness",)}),
    ("spectrogram_occlusion", "whisper", "clip", SAID | MASKS),
    (
        "phoneme_saliency",
        "whisper",
        "clip",
        SAID | {"segments": PHONES, "method": "input x gradient", "draws": 1, "window": "clip"},
    ),
    ("asr_explanation", "letters", "clip", {"mutants": 20, "causal_budget": 20}),
    ("word_confidence", "whisper", "clip", SAID),
    ("word_confidence", "letters", "clip", {"transcript": "bad cab", **BRIEF}),
    ("decoder_lens", "whisper", "clip", SAID),
    ("two_lenses", "whisper", "clip", CUT),
    ("ctc_lens", "hama-ctc", "clip", BRIEF),
    ("ctc_lens", "letters", "clip", BRIEF),
    ("causal_tracing", "whisper", "hiss", MAPS | TRACE),
    ("causal_tracing", "whisper", "hiss", MAPS | TRACE | {"side": "decoder", "site": "attention"}),
    ("head_ablation", "whisper", "clip", SAID | {"fill": "mean", "draws": 0, "orders": 1}),
    ("head_ablation", "letters", "clip", {"transcript": "bad cab", "draws": 0, "orders": 1, **BRIEF}),
    ("phone_check", "hama-ctc", "clip", {"segments": PHONES, "native": False, **BRIEF}),
    ("erasure", "letters", "corpus", {"transcript": "bad cab", "draws": 1, **BRIEF}),
    ("phone_focus", "hama-ctc", "corpus", {"most": 4, **BRIEF}),
    ("probing", "whisper", "corpus", BRIEF),
    ("abx", "letters", "corpus", BRIEF),
]
# Of a model these use nothing but what probing, abx and ctc_lens use, and they cost seconds.
SAME_PATH = {
    "projection", "acoustic_probing", "encoding_probe", "rsa", "cka", "cca", "discrete_units", "live_probes",
    "continuum", "phone_arithmetic",
}  # fmt: skip


@pytest.fixture(scope="module")
def corpus(clip):
    rng = np.random.default_rng(5)
    sounds = [0.1 * rng.normal(size=20_800) for _ in range(6)]
    return Corpus("six", tuple(
        Utterance(clip_from_samples(sound, 16_000, str(i)), "ab"[i % 2], "f", "en", SPOKEN, PHONES)
        for i, sound in enumerate(sounds)
    ))  # fmt: skip


@pytest.fixture(scope="module")
def sounds(clip, corpus):
    hiss = 0.3 * np.random.default_rng(0).standard_normal(len(clip.samples))
    return {"clip": clip, "corpus": corpus, "hiss": clip_from_samples(hiss, 16_000, "hiss")}


@pytest.fixture(scope="module")
def models(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("letters")
    labels = ("_", "|", *"abcdefgh")
    tiny_network(
        tiny_config("wav2vec2", vocab_size=len(labels), pad_token_id=0), Wav2Vec2ForCTC, seed=4
    ).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({label: number for number, label in enumerate(labels)}))
    gated = tmp_path_factory.mktemp("wavlm")
    tiny_network(tiny_config("wavlm"), seed=2).save_pretrained(gated)
    return {
        "whisper": tiny_model, "letters": load_model(str(folder)), "wavlm": load_model(str(gated)),
        "hama-ctc": load_model("hama-ctc"), "intents": tiny_intents(),
    }  # fmt: skip


def numbers(result, path=""):
    """Every array and number of a result and of the results within it, by its path."""
    if isinstance(result, np.ndarray | float | int):
        yield path, np.asarray(result)
    elif dataclasses.is_dataclass(result):
        for field in dataclasses.fields(result):
            yield from numbers(getattr(result, field.name), f"{path}.{field.name}")
    elif isinstance(result, dict):
        for name, part in result.items():
            yield from numbers(part, f"{path}[{name}]")
    elif isinstance(result, tuple | list):
        for place, part in enumerate(result):
            yield from numbers(part, f"{path}[{place}]")
    else:
        assert not isinstance(result, torch.Tensor), path


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES])
def test_a_technique_gives_the_same_numbers_on_another_device(case, sounds, models, monkeypatch):
    name, model, heard, options = case
    monkeypatch.setattr(whisper, "LONGEST_TRANSCRIPT", 12)  # a random decoder does not end by itself
    monkeypatch.setattr(passes, "_passes", BoundedCache(passes.PASS_MEMORY))  # nor may others' longer texts be found
    technique, sound = importlib.import_module(f"methods.{name}"), sounds[heard]
    if "corruption" in options:
        options = options | {"recording": sounds["clip"]}
    with SecondDevice():
        there = technique.analyse(sound, loading.on_device(models[model], ELSEWHERE), **options)
    here = technique.analyse(sound, models[model], **options)
    assert there.provenance["device"] == "meta" and "device" not in here.provenance
    found, expected = dict(numbers(there)), dict(numbers(here))
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        if value.dtype.kind in "fiub" and "seconds" not in path:
            np.testing.assert_allclose(found[path], value, rtol=1e-5, atol=1e-6, err_msg=path)


def test_every_technique_is_here():
    assert {case[0] for case in CASES} | SAME_PATH == set(TECHNIQUES)


def test_the_second_device_is_strict():
    with SecondDevice():
        there, here = torch.ones(3, device=ELSEWHERE), torch.ones(3)
        assert isinstance(there + 1, Elsewhere) and (there + 1).cpu().tolist() == [2, 2, 2]
        for wrong in (lambda: there + here, there.double, there.numpy, lambda: np.asarray(there)):
            with pytest.raises((RuntimeError, TypeError)):
                wrong()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("gpu", "no device that this app knows"), ("meta", "no device that this app knows"),
     ("cuda", "0 NVIDIA GPUs"), ("cuda:3", "no cuda:3"), ("mps", "no Apple GPU")],
)  # fmt: skip
def test_a_device_that_is_not_there_is_one_sentence(name, sentence, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for ask in (devices.chosen_device, lambda name: load_model("hama-ctc", device=name)):
        with pytest.raises(UserError, match=sentence):
            ask(name)
    monkeypatch.setenv("SPEECH_DEVICE", name)
    with pytest.raises(UserError, match=sentence):
        load_model("hama-ctc")
    assert load_model("hama-ctc", device="cpu").device.type == "cpu"  # what is asked for goes before the variable
