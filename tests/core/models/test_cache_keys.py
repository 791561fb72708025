"""Two models with the same weights are two models: no cache hands out the states of one as those of the other."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from corpora import toy_corpus
from snapshot import save_whisper
from tiny_wav2vec2 import tiny_config, tiny_network
from transformers import Wav2Vec2FeatureExtractor

from methods import causal_tracing, head_ablation, head_roles
from methods.causal_tracing import corruption
from methods.core.audio import Clip
from methods.core.cache import BoundedCache
from methods.core.corpus import feature_store, features
from methods.core.corpus.features import of_model
from methods.core.errors import UserError
from methods.core.explain import answers
from methods.core.models import ctc_log_probabilities, encode, fingerprint, load_model, loading, passes, transcribe
from methods.core.progress import finish
from tiny import tiny_whisper

NETWORKS = ("wav2vec2", "hubert", "wavlm", "whisper")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch, tmp_path):
    monkeypatch.setattr(passes, "_passes", BoundedCache(passes.PASS_MEMORY))
    monkeypatch.setattr(features, "_kept", BoundedCache(features.MEMORY))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def saved(family: str, folder: Path, seed: int = 1) -> Path:
    if family == "whisper":
        return save_whisper(tiny_whisper(seed=seed), folder)
    tiny_network(tiny_config(family, True), seed=seed).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


def edited(folder: Path, name: str, **settings) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | settings), encoding="utf-8")


def twins(family: str, tmp_path: Path, name: str, **settings):
    """The same weights twice, the second time with other settings in one file."""
    first = saved(family, tmp_path / "first")
    second = Path(shutil.copytree(first, tmp_path / "second"))
    edited(second, name, **settings)
    models = load_model(str(first)), load_model(str(second))
    assert models[0].weights_sha256 == models[1].weights_sha256  # the weights themselves are the same
    return models


def straight(clip, model) -> np.ndarray:
    """The last hidden state as the library computes it, past all of our caches."""
    encoder = model.network.model.encoder if model.family == "whisper" else model.network
    made = model.front_end(clip.samples, sampling_rate=16_000, return_tensors="pt")
    values = made.input_features if model.family == "whisper" else made.input_values
    with torch.inference_mode():
        last = encoder(values).last_hidden_state[0].numpy()
    return last[: len(encode(clip, model).times)]


def heads(family: str) -> dict[str, int]:
    names = "encoder_attention_heads", "decoder_attention_heads"
    return dict.fromkeys(names if family == "whisper" else ("num_attention_heads",), 4)


@pytest.mark.parametrize("family", [name for name in NETWORKS if name != "wavlm"])  # its gates fit one head size only
def test_another_number_of_heads_has_states_of_its_own(family, clip, tmp_path):
    first, second = twins(family, tmp_path, "config.json", **heads(family))
    for model in (first, second):
        # float32 sums in another order: a few eps of values of order 1 to 10.
        np.testing.assert_allclose(encode(clip, model).hidden[-1], straight(clip, model), rtol=1e-4, atol=1e-4)
    assert np.abs(straight(clip, first) - straight(clip, second)).max() > 0.05


@pytest.mark.parametrize("family", [name for name in NETWORKS if name != "whisper"])
def test_another_preprocessor_has_states_of_its_own(family, clip, tmp_path):
    first, second = twins(family, tmp_path, "preprocessor_config.json", do_normalize=False)
    for model in (first, second):
        np.testing.assert_allclose(encode(clip, model).hidden[-1], straight(clip, model), rtol=1e-4, atol=1e-4)
    assert np.abs(straight(clip, first) - straight(clip, second)).max() > 0.05


def test_another_list_of_forbidden_tokens_has_a_transcript_of_its_own(clip, tmp_path):
    plain = load_model(str(saved("whisper", tmp_path / "first")))
    chosen = transcribe(clip, plain).tokens[0]
    second = Path(shutil.copytree(tmp_path / "first", tmp_path / "second"))
    edited(second, "generation_config.json", suppress_tokens=[chosen])
    assert chosen not in transcribe(clip, load_model(str(second))).tokens


@pytest.mark.parametrize("lost", ["memory", "both"])
def test_states_of_a_corpus_likewise_in_memory_and_on_disk(lost, tmp_path, monkeypatch):
    toy = replace(toy_corpus(), name="prompts")  # as if it came with the app, so that it is kept on disk
    monkeypatch.setattr(feature_store, "bundled", lambda name: toy)
    first, second = twins("wav2vec2", tmp_path, "config.json", num_attention_heads=4)
    finish(of_model(toy, first))
    if lost == "memory":  # what is left is on the disk
        monkeypatch.setattr(features, "_kept", BoundedCache(features.MEMORY))
    expected = np.concatenate([straight(utterance.clip, second) for utterance in toy.utterances])
    np.testing.assert_allclose(finish(of_model(toy, second)).layers[-1], expected, rtol=1e-4, atol=1e-4)
    assert len(list(feature_store.folder().glob("*.npz"))) == 2


def test_the_same_model_in_two_folders_is_one(tmp_path):
    first, second = twins("wav2vec2", tmp_path, "preprocessor_config.json", do_normalize=True)  # as it was
    assert first.key == second.key
    assert first.key != loading.random_twin(first, 0).key


def test_a_model_in_two_folders_goes_by_the_name_it_was_asked_by(clip, tmp_path):
    """One network is kept for both; what stands in a result is what this visitor asked for."""
    first = load_model(str(saved("whisper", tmp_path / "first")))
    second = load_model(str(shutil.copytree(tmp_path / "first", tmp_path / "second")))
    twins = loading.random_twin(first, 0), loading.random_twin(second, 0)
    assert [twin.id for twin in twins] == [first.id, second.id]
    assert twins[0].network is twins[1].network and twins[0].lock is twins[1].lock
    hiss = corruption.noisy(clip.samples, -20.0, 0)  # which random networks prefer to the tone: see its own tests
    mine, other = Clip(hiss, "mine.wav"), Clip(hiss, "other.wav")
    change = {"target": "transcript", "corruption": "recording", "recording": clip, "places": 0, "width": 0.5}
    quick = {"transcript": "ab", "language": "en", "random_seeds": ()}
    for asked in (
        lambda *given: head_ablation.analyse(*given, **quick, orders=0, draws=0),
        lambda *given: causal_tracing.analyse(*given, **quick, **change, columns="windows"),
        lambda *given: head_roles.analyse(*given, **quick),
    ):
        asked(mine, first)
        origin = asked(other, second).provenance
        assert (origin["clip"], origin["model"]) == ("other.wav", second.id)


def test_a_ctc_model_asked_about_one_word_is_not_answered_about_another(clip):
    """A single word has no name of its own in the panel: what was given has to be in the key."""
    model = load_model("hama-ctc")
    known = [answers.build(clip, model, transcript=said).scores(clip.samples) for said in ("k æ t", "d ɔ g")]
    log = ctc_log_probabilities(clip, model)
    for said, found in zip(("k æ t", "d ɔ g"), known, strict=True):
        ids = [model.tokenizer.labels.index(symbol) for symbol in said.split()]
        loss = torch.nn.functional.ctc_loss(
            torch.tensor(log)[:, None], torch.tensor([ids]), (len(log),), (len(ids),),
            blank=model.tokenizer.blank, reduction="sum",
        )  # fmt: skip
        np.testing.assert_allclose(found, [-float(loss)], rtol=1e-4)  # float32 over 50 frames and more


# A folder whose files were written anew


def test_a_folder_is_loaded_once_and_again_when_it_changed(tmp_path):
    folder = saved("whisper", tmp_path / "model", seed=1)
    first = load_model(str(folder))
    assert load_model(str(folder)) is first
    (folder / "training.log").write_text("step 1", encoding="utf-8")  # no file of the model
    assert load_model(str(folder)) is first
    new = tiny_whisper(seed=2)
    new.save_pretrained(folder)  # as long, byte for byte
    second = load_model(str(folder))
    assert second.weights_sha256 != first.weights_sha256
    expected = new.model.encoder.conv1.weight
    torch.testing.assert_close(second.network.model.encoder.conv1.weight, expected, rtol=0, atol=0)
    assert not torch.equal(first.network.model.encoder.conv1.weight, expected)  # what is open elsewhere stays


def test_a_copy_with_the_old_time_and_length_is_noticed(tmp_path):
    folder, other = saved("wav2vec2", tmp_path / "one", seed=1), saved("wav2vec2", tmp_path / "two", seed=2)
    first = load_model(str(folder))
    weights = folder / "model.safetensors"
    about = weights.stat()
    shutil.copyfile(other / weights.name, weights)
    os.utime(weights, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert (weights.stat().st_size, weights.stat().st_mtime_ns) == (about.st_size, about.st_mtime_ns)
    assert load_model(str(folder)).weights_sha256 == load_model(str(other)).weights_sha256 != first.weights_sha256


def test_settings_alone_are_noticed(tmp_path):
    folder = saved("wav2vec2", tmp_path / "model")
    assert load_model(str(folder)).front_end.do_normalize
    edited(folder, "preprocessor_config.json", do_normalize=False)
    assert not load_model(str(folder)).front_end.do_normalize


def test_files_that_change_while_they_are_read_are_refused(tmp_path, monkeypatch):
    folder, read = saved("wav2vec2", tmp_path / "model"), loading._read

    def overtaken(*arguments):
        model = read(*arguments)
        edited(folder, "config.json", num_attention_heads=4)
        return model

    with monkeypatch.context() as patch:
        patch.setattr(loading, "_read", overtaken)
        with pytest.raises(UserError, match="changed while they were read; wait"):
            load_model(str(folder))
    assert load_model(str(folder)).network.config.num_attention_heads == 4


# Our own code


def test_states_that_other_code_made_are_not_read(tmp_path, monkeypatch):
    assert all((fingerprint.PACKAGE / place).exists() for place in feature_store.SOURCES)
    copied = tmp_path / "methods"
    for place in feature_store.SOURCES:
        source, target = fingerprint.PACKAGE / place, copied / place
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
    layers = {"0": np.ones((3, 2), np.float32)}
    feature_store.save("x", layers)
    monkeypatch.setattr(fingerprint, "PACKAGE", copied)
    fingerprint.code.cache_clear()
    try:
        assert feature_store.load("x") is not None  # the same code elsewhere
        path = copied / "core" / "models" / "whisper" / "short_window.py"
        path.write_text(path.read_text(encoding="utf-8").replace("gelu", "relu"), encoding="utf-8")
        fingerprint.code.cache_clear()
        assert feature_store.load("x") is None
    finally:
        fingerprint.code.cache_clear()
