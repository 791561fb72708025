"""Whisper folders as they are found: whatever is wrong with one is a sentence, and nothing is guessed in silence."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from snapshot import save_whisper
from transformers import GenerationConfig

from methods.core import alignment
from methods.core.alignment import Segment
from methods.core.errors import UserError
from methods.core.models import load_model
from page import session as sessions
from tiny import tiny_whisper


@pytest.fixture
def folder(tmp_path):
    return save_whisper(tiny_whisper(seed=1), tmp_path)


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def with_heads(folder, heads):
    generation = GenerationConfig()
    generation.alignment_heads = heads
    generation.save_pretrained(folder)


def drop_tokeniser(folder):
    for path in folder.glob("tokenizer*"):
        path.unlink()


def larger_head(folder):
    states = load_file(folder / "model.safetensors")
    name = "model.encoder.layers.0.fc1.weight"
    save_file(states | {name: torch.zeros(40, 16)}, folder / "model.safetensors", metadata={"format": "pt"})


def another_vocabulary(folder):
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("<|startoftranscript|>", "<|begin|>"))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (drop_tokeniser, "has no tokeniser"),
        (lambda f: (f / "tokenizer.json").write_text("{"), "tokeniser of .* cannot be read"),
        (another_vocabulary, r"none of Whisper's.*<\|startoftranscript\|>"),
        (lambda f: edit(f / "config.json", decoder_start_token_id=2), "begins a transcript with token 1 .* token 2"),
        (lambda f: (f / "preprocessor_config.json").unlink(), "has no preprocessor_config.json"),
        (lambda f: edit(f / "preprocessor_config.json", chunk_length=10, n_samples=160_000), "10 s at a time"),
        (lambda f: edit(f / "preprocessor_config.json", hop_length=320), "every 320"),
        (lambda f: edit(f / "preprocessor_config.json", sampling_rate=8000), "8 kHz"),
        (lambda f: edit(f / "preprocessor_config.json", feature_size=128), "128 mel bands and its network reads 80"),
        (lambda f: edit(f / "config.json", max_source_positions=500), "an encoder of 500 frames"),
        (larger_head, r"lacks 1 of a Whisper model's weights.*fc1.weight"),
        (lambda f: (f / "model.safetensors").write_bytes(b"no"), "is damaged, incomplete"),
        (lambda f: (f / "model.safetensors").unlink(), "has no weights file"),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_sentence(folder, spoil, sentence):
    spoil(folder)
    with pytest.raises(UserError, match=sentence) as refused:
        load_model(str(folder))
    assert "\n" not in str(refused.value) and str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("heads", "note"),
    [
        (None, "no alignment heads are published"),
        ([[0, 1], [5, 0]], "of another decoder (layer 6, head 1 of 2 layers with 2 heads)"),
        ([[1, 2]], "of another decoder (layer 2, head 3"),
        ("first", "cannot be read"),
    ],
)
def test_without_heads_of_its_own_none_is_listed_and_word_times_are_the_same(folder, clip, heads, note):
    with_heads(folder, heads)
    model = load_model(str(folder))
    assert model.decoding.alignment_heads == ()
    assert note in model.notes[0] and "none of its heads is marked" in model.notes[0]
    words = alignment.words(clip, model)
    with_heads(folder, [[1, 0], [1, 1]])  # words choose their own heads
    named = load_model(str(folder))
    assert named.notes == () and named.decoding.alignment_heads == ((1, 0), (1, 1))
    assert alignment.words(clip, named) == words


def test_the_page_says_where_such_times_come_from(folder, clip, monkeypatch):
    model = load_model(str(folder))
    monkeypatch.setattr(alignment, "words", lambda *args: (Segment("a", 0.0, 0.5),))
    session, _ = sessions.heard(sessions.Session(clip, None), model)
    assert session.timing.startswith(sessions.BY_ATTENTION) and "not measured" in session.timing


def test_tokens_beyond_the_outputs_cannot_be_chosen_and_need_no_suppression(folder, clip):
    generation = GenerationConfig(suppress_tokens=[3, 64, 50_000], begin_suppress_tokens=[220])
    generation.save_pretrained(folder)
    model = load_model(str(folder))
    assert (model.decoding.suppressed, model.decoding.suppressed_first) == ((3,), ())


def test_half_precision_is_read_exactly(folder):
    whole = load_file(folder / "model.safetensors")
    save_file({n: t.to(torch.bfloat16) for n, t in whole.items()}, folder / "model.safetensors", {"format": "pt"})
    weight = load_model(str(folder)).network.model.encoder.layers[0].fc1.weight
    expected = whole["model.encoder.layers.0.fc1.weight"].to(torch.bfloat16).float()
    assert weight.dtype == torch.float32
    np.testing.assert_array_equal(weight.numpy(), expected.numpy())
