"""Numbers of README, cards and captions against what they are about: files, metadata, models as they are loaded."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from bundled import ROWS, read_tiers
from safetensors import safe_open

from methods import discrete_units, technique
from methods.attribution import own_heads
from methods.attribution.seed_agreement import WINDOW
from methods.core import corpus as corpora
from methods.core.audio import load_clip
from methods.core.corpus import features
from methods.core.models import MODELS, load_model
from methods.core.progress import finish

ROOT = Path(__file__).parents[2]
PROBES = ROOT / "methods/live_probes/probes"
HEADS = ROOT / "methods/core/lenses/heads"
EXAMPLES = ROOT / "examples_audio"
OFFLINE = ("openai/whisper-tiny.en", "openai/whisper-base", "hama-ctc")


def text_of(path):
    return " ".join(path.read_text(encoding="utf-8").split())


def card_of(path):
    with safe_open(path, "np") as file:
        return json.loads(file.metadata()["card"])


@pytest.fixture(scope="module")
def bundled():
    return {name: corpora.bundled(name) for name in corpora.CORPORA}


def rows_of(card):
    """The rows of numbers of a card's table, by their first cell."""
    lines = re.findall(r"^\| (.+?) \|(.+)\|$", card.read_text(encoding="utf-8"), re.MULTILINE)
    return [(name, [cell.strip() for cell in cells.split("|") if cell.strip()]) for name, cells in lines]


def test_the_probes_card_has_the_scores_of_the_files():
    rows = rows_of(PROBES / "README.md")
    for model in OFFLINE:
        card = card_of(PROBES / f"{model.rpartition('/')[2]}.safetensors")
        kept, other, random = (
            [score for target, _, score in card[part] if target == "phone"] for part in ("trained", "other", "random")
        )
        at = [name for name, _ in rows].index(model)
        assert rows[at][1] == [f"{a:.2f} ({b:.2f})" for a, b in zip(kept, other, strict=True)]
        assert rows[at + 1] == ("the same, random weights", [f"{score:.2f}" for score in random])
        best = max(score for target, _, score in card["trained"] if target == "phone")
        assert 0.7 < best < 0.8  # “right in about three frames of four”
        assert len(card["classes"]["phone"]) == 40 and "sil" in card["classes"]["phone"]
        assert max(score for target, _, score in card["other"] if target == "f0") < 0
    said = text_of(PROBES / "README.md")
    assert "about three frames of four" in said and "39 ARPAbet phones and silence" in said and "R² below 0" in said


def test_the_heads_card_has_the_errors_of_the_file():
    card, said = card_of(HEADS / "whisper-tiny.en-ctc.safetensors"), text_of(HEADS / "README.md")
    rows = dict(rows_of(HEADS / "README.md"))
    for layer, (letters, phones) in enumerate(
        zip(card["errors"]["characters"], card["errors"]["phones"], strict=True)
    ):
        expected = [each[who] for each in (letters, phones) for who in ("held_out", "other_speakers")]
        assert rows[str(layer)] == [f"{value:.3f}" for value in expected]
    assert f"{card['training_prompts']} prompts, {card['minutes']} min" in said
    assert f"Held-out: {len(card['held_out'])} prompts" in said
    assert f"apostrophe ({len(card['symbols']['characters'])})" in said
    assert f"stress ({len(card['symbols']['phones'])})" in said


def test_the_corpora_are_as_long_as_is_said(bundled):
    said, card = (EXAMPLES / "corpora/README.md").read_text(encoding="utf-8"), text_of(PROBES / "README.md")
    for who in ("allison", "librivox_austen", "sphinx_cards", "sphinx_demo"):
        part = [each for corpus in bundled.values() for each in corpus.utterances if each.speaker == who]
        if not part:
            continue
        words = [word.label for each in part for word in each.words]
        phones = sum(len(each.phones) for each in part)
        cells = next(line for line in said.splitlines() if f"`{who}`" in line).split("|")
        assert cells[3].strip() == str(len(part))
        assert cells[4].strip() == f"{sum(each.clip.seconds for each in part):.1f} s"
        assert re.match(r"\s*(\d+)", cells[5])[1] == str(len(words))
        assert cells[6].strip() == f"{phones:,}"
        if "different" in cells[5]:
            assert f"({len(set(words))} different)" in cells[5]
    prompts, voices = (f"{bundled[name].seconds:.0f} s of" for name in ("prompts", "voices"))
    assert f"{prompts} one woman, {voices} three men" in card


def test_the_example_clips_are_as_many_and_as_silent_as_is_said():
    words = "Sixteen short recordings, 16 kHz mono 16-bit WAV, 1.7 MB in all: English and French, three speakers"
    assert words in text_of(EXAMPLES / "README.md")
    files = [EXAMPLES / row["file"] for row in ROWS]
    speakers = {row["speaker"] for row in ROWS} - {"nobody"}
    assert len(files) == 16 and len(speakers) == 3 and sum(row["speaker"] == "nobody" for row in ROWS) == 2
    assert sum(file.stat().st_size for file in files) / 1e6 == pytest.approx(1.7, abs=0.05)
    quiet = EXAMPLES / "cc-by-sa-3.0/en_f_silence_heavy.wav"
    spoken = sum(end - start for start, end, label in read_tiers(quiet.with_suffix(".TextGrid"))["words"] if label)
    assert "Only a quarter of this clip is speech" in next(row["why"] for row in ROWS if "silence" in row["file"])
    assert spoken / load_clip(quiet).seconds == pytest.approx(0.25, abs=0.03)


@pytest.mark.weights
def test_the_models_are_as_large_as_is_said():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in OFFLINE:
        model = load_model(name)
        size = sum(weight.numel() for weight in model.network.parameters()) / 1e6
        row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}` |"))
        said = re.search(r"([\d.]+) million parameters(?:, (\d+))?", row)
        assert abs(float(said[1]) - size) <= (0.05 if "." in said[1] else 0.5), (name, size)
        if said[2]:
            assert int(said[2]) == len(model.decoding.languages)
        if name.startswith("openai/"):  # their packages store half precision
            assert MODELS[name].megabytes == pytest.approx(2 * size, abs=0.5)


def test_the_scores_of_noise_in_cka_are_as_high_as_is_said():
    """Biased linear CKA by its definition, of five unrelated items in 768 dimensions."""
    caption = " ".join(technique("cka").__doc__.split())
    assert "five items of noise in 768 dimensions score .99" in caption
    rng, centre = np.random.default_rng(0), np.eye(5) - 0.2
    scores = []
    for _ in range(50):
        a, b = (centre @ x @ x.T @ centre for x in rng.normal(size=(2, 5, 768)))
        scores.append((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
    assert np.mean(scores) == pytest.approx(0.99, abs=0.005)


def test_chance_of_units_is_topped_as_often_as_is_said():
    caption = " ".join(discrete_units.__doc__.split())
    assert "the mean of 20" in caption and "once in 21 times" in caption  # 1 in (20 + 1) exchangeable draws


@pytest.mark.weights
@pytest.mark.slow
def test_the_heads_that_explain_themselves_are_as_good_as_is_said(bundled):
    said = " ".join(technique("attribution").__doc__.split())
    percent = re.search(r"with Whisper tiny.en all are right on some (\d+)% of the phones in the other half", said)
    model, clip = load_model("openai/whisper-tiny.en"), load_clip(EXAMPLES / "cc-by-sa-3.0/en_f_weasels.wav")
    items, vowels = own_heads.vowels_and_consonants(bundled["prompts"], clip)
    states = finish(features.of_model(bundled["prompts"], model, window=WINDOW, subtract_silence=False))
    heads = own_heads.train(features.pooled(states, items)[-1], vowels, items.utterance, 5)
    np.testing.assert_allclose(heads.accuracy, int(percent[1]) / 100, atol=0.01)
