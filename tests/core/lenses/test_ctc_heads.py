"""Our linear CTC heads: the file is the one we describe, the map is what was trained, and the phones are right."""

import dataclasses
import hashlib
import re

import numpy as np
import pytest
import torch
from bundled import FOLDER, ROWS, read_tiers

from methods.core.audio import load_clip
from methods.core.lenses.ctc import runs
from methods.core.lenses.ctc_heads import FILE, LABEL, MODEL, SHA256, HeadError, heads_for
from methods.core.models import encode, load_model, random_twin
from methods.core.models.weights import WeightsError, read_heads
from training.ctc_heads import EXCLUDED, edit_distance, folded

pytestmark = pytest.mark.weights

LAYERS, DIM = 5, 384  # whisper-tiny.en: conv output and four blocks


@pytest.fixture(scope="module")
def model():
    return load_model(MODEL)


@pytest.fixture(scope="module")
def heads(model):
    return heads_for(model)


def states(frames=20, seed=0):
    return np.random.default_rng(seed).normal(scale=3, size=(frames, DIM)).astype(np.float32)


# The file


def test_the_file_is_the_one_that_was_measured():
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == SHA256
    assert FILE.stat().st_size < 300_000  # bytes


def test_the_file_says_what_it_is(heads):
    card = heads.metadata
    assert card["what"] == heads.label == LABEL
    assert card["model"] == MODEL
    assert card["data_licence"].startswith("CC BY-SA 3.0")
    assert round(card["minutes"]) == 12  # as the label has it
    assert [len(card["errors"][unit]) for unit in heads.units] == [LAYERS, LAYERS]


def test_the_model_card_has_the_errors_of_the_file(heads):
    rows = re.findall(r"^\| (\d) \| (.+) \|$", (FILE.parent / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    errors = heads.metadata["errors"]
    for layer, numbers in rows:
        rates = [errors[unit][int(layer)] for unit in ("characters", "phones")]
        wanted = [rate[group] for rate in rates for group in ("held_out", "other_speakers")]
        assert [float(number) for number in numbers.split(" | ")] == wanted
    assert len(rows) == LAYERS


def test_no_example_clip_was_trained_on(heads):
    """Every English prompt that the index names, "letters/b, p, d, t" being four, is in the list of the excluded."""
    sources = [row["source"] for row in ROWS if row["language"] == "en" and "Asterisk" in row["source"]]
    named = [name for source in sources for name in _prompts(re.search(r'prompts? "([^"]+)"', source)[1])]
    assert {"tt-weasels", "letters/t", "digits/5"} <= set(named)  # the list was read
    assert set(named) <= set(heads.metadata["excluded"])
    assert tuple(heads.metadata["excluded"]) == EXCLUDED
    assert not set(heads.metadata["held_out"]) & set(EXCLUDED)


def _prompts(quoted):
    folder = quoted.rpartition("/")[0]
    names = quoted.removeprefix(f"{folder}/").split(", ")
    return [f"{folder}/{name}" if folder else name for name in names]


def test_a_changed_file_is_refused(tmp_path):
    changed = tmp_path / FILE.name
    changed.write_bytes(FILE.read_bytes()[:-1] + b"\x01")
    with pytest.raises(WeightsError, match="damaged or trained anew"):
        read_heads(changed, SHA256)
    with pytest.raises(WeightsError, match="is missing"):
        read_heads(tmp_path / "absent.safetensors", SHA256)


# Which model


def test_only_the_weights_they_were_trained_on_have_heads(model, tiny_model):
    assert heads_for(model) is heads_for(model)
    assert heads_for(tiny_model) is None
    assert heads_for(random_twin(model, 0)) is None
    assert heads_for(dataclasses.replace(model, weights_sha256="0" * 64)) is None


# The map


@pytest.mark.parametrize("unit", ["characters", "phones"])
@pytest.mark.parametrize("layer", range(LAYERS))
def test_every_row_is_a_distribution(heads, unit, layer):
    log_p = heads.log_probabilities(states(), unit, layer)
    assert log_p.dtype == np.float32
    assert log_p.shape == (20, len(heads.symbols(unit)))
    # float32 log-softmax of values up to L errs by L * 2^-24 or so; random states give logits of up to some hundreds.
    np.testing.assert_allclose(np.exp(log_p.astype(np.float64)).sum(axis=1), 1, atol=1e-4)


def test_the_symbols(heads):
    assert heads.units == ("characters", "phones")
    assert heads.blank == 0
    assert len(heads.symbols("characters")) == 1 + 26 + 2  # blank, letters, space and apostrophe
    assert len(heads.symbols("phones")) == 1 + 38  # ARPAbet has 39; ZH is in none of the prompts
    for unit in heads.units:
        assert len(set(heads.symbols(unit))) == len(heads.symbols(unit))


def test_folding_equals_standardising_first():
    """In float64 here, with one dimension that hardly varies far from zero, as Whisper's states have."""
    draw = np.random.default_rng(1)
    weight, bias = draw.normal(size=(7, DIM)), draw.normal(size=7)
    mean, deviation = draw.normal(size=DIM), draw.uniform(0.1, 2, size=DIM)
    mean[3], deviation[3] = 10, 0.01
    raw = mean + deviation * draw.normal(size=(50, DIM))
    wanted = (raw - mean) / deviation @ weight.T + bias
    one_weight, one_bias = folded(weight, bias, mean, deviation)
    assert (one_weight.dtype, one_bias.dtype) == (np.float16, np.float32)
    # Each half-precision weight is off by at most 2^-11 of itself, so a logit, a sum of 384 products of two standard
    # normals, by a random sum of about 2^-11 * sqrt(384) / sqrt(3) = 0.006; five times that for the largest of 350.
    np.testing.assert_allclose(raw @ one_weight.T.astype(float) + one_bias, wanted, atol=0.03)


def test_the_map_is_affine_in_the_raw_state(heads):
    """By PyTorch's own linear layer in float64, from the arrays as the file has them."""
    tensors, _ = read_heads(FILE, SHA256)
    raw = torch.from_numpy(states().astype(np.float64))
    for unit in heads.units:
        weight, bias = (
            torch.from_numpy(tensors[f"{unit}.{part}"][3].astype(np.float64)) for part in ("weight", "bias")
        )
        wanted = torch.nn.functional.linear(raw, weight, bias).log_softmax(dim=1)
        # float32: 384 products of up to 1e2 each, 1e2 * sqrt(384) * 2^-24 = 1e-4 for a random sum; ten times that.
        np.testing.assert_allclose(heads.log_probabilities(states(), unit, 3), wanted, atol=1e-3)


# Bad input


@pytest.mark.parametrize("layer", [-1, LAYERS])
def test_a_layer_without_a_head(heads, layer):
    with pytest.raises(HeadError, match=rf"Layer {layer} has no CTC head: please choose one from 0 to 4"):
        heads.log_probabilities(states(), "phones", layer)


def test_an_unknown_unit(heads):
    with pytest.raises(HeadError, match="'words': please choose characters or phones"):
        heads.symbols("words")


@pytest.mark.parametrize("shape", [(20, 512), (1, 20, DIM)])
def test_states_of_another_model(heads, shape):
    with pytest.raises(HeadError, match="probably come from another model"):
        heads.log_probabilities(np.zeros(shape, np.float32), "phones", 4)


# Are they any good?


def test_the_edit_distance():
    assert edit_distance("kitten", list("sitting")) == 3  # k -> s, e -> i, and a g at the end
    assert edit_distance("abc", []) == edit_distance("", list("abc")) == 3


def heard(heads, hidden, layer):
    best = heads.log_probabilities(hidden[layer], "phones", layer).argmax(axis=1)
    return [heads.symbols("phones")[i] for i, _ in runs(best, heads.blank)]


def said(file):
    return [label for _, _, label in read_tiers((FOLDER / file).with_suffix(".TextGrid"))["phones"] if label]


def phone_error(heads, model, files, layer):
    """Edits over phones said, in all of these clips together."""
    edits = [
        edit_distance(said(file), heard(heads, encode(load_clip(FOLDER / file), model).hidden, layer))
        for file in files
    ]
    return sum(edits) / sum(len(said(file)) for file in files)


CLEAN = ["cc-by-sa-3.0/en_f_weasels.wav", "cc-by-sa-3.0/en_f_question.wav", "cc-by-sa-3.0/en_f_statement.wav"]
MALE = ["public-domain/en_m_illdisposed.wav"]


@pytest.mark.parametrize(("files", "group"), [(CLEAN, "held_out"), (MALE, "other_speakers")])
def test_unseen_clips_have_the_error_of_the_model_card(heads, model, files, group):
    rate, phones = heads.metadata["errors"]["phones"][4][group], sum(len(said(file)) for file in files)
    # Each phone a coin with the measured rate: three standard deviations above it, for so few phones.
    assert phone_error(heads, model, files, 4) < rate + 3 * (rate * (1 - rate) / phones) ** 0.5


def test_phones_become_readable_with_depth_and_only_in_the_trained_model(heads, model):
    errors = [phone_error(heads, model, CLEAN, layer) for layer in range(LAYERS)]
    assert errors[0] > errors[1] > errors[2] > max(errors[3:])
    # Two random strings of 38 phones share a subsequence of about 2 / sqrt(38) = 0.32 of their length, and every
    # phone outside of it costs an edit: 0.68 is what a path that knows nothing of the sound can reach at best.
    assert phone_error(heads, random_twin(model, 0), CLEAN, 4) > 0.68


def test_a_pause_is_mostly_blank(heads, model):
    """Two seconds of faint noise, a state that heads trained on speech alone fill with phones."""
    encoding = encode(load_clip(FOLDER / "cc-by-sa-3.0/en_f_silence_heavy.wav"), model)
    pause = encoding.hidden[:, (encoding.times > 0.1) & (encoding.times < 1.9)]
    assert len(heard(heads, pause, 4)) <= 2
