"""A phone check: planted mistakes are found, scores against slow sums, percentiles against SciPy, refusals."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import percentileofscore

from methods import phone_check
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.lenses import ctc_heads, ctc_layers
from methods.core.lenses.ctc_layers import Head
from methods.core.models import frame_grid, load_model
from methods.core.models.speech_model import Vocabulary
from methods.phone_check import natives, phone_scores
from methods.phone_check.result import FEWEST, FORMS
from page.session import from_example
from page.tabs import phone_check as tab

CLAIMED = "Measles have eaten our phone system"  # “Weasels” is said
TIMES = [("w", 0.1, 0.2), ("iy", 0.2, 0.3), ("z", 0.3, 0.45), ("w", 0.5, 0.6)]
UNHEARD = natives.unheard
IPA_NAMES = {"w": "w", "iy": "iː", "z": "z"}


@pytest.fixture(scope="module")
def hama():
    return load_model("hama-ctc")


@pytest.fixture(scope="module")
def scene():
    return from_example("en_f_weasels")


@pytest.fixture(scope="module")
def few_natives():
    """Native recordings until there are enough phones of the kinds that matter here: some ten of 66."""

    def chosen(model, sha256):
        kept, counts = [], {"m": 0, "w": 0, "iy": 0}
        for each in UNHEARD(model, sha256):
            mine = {kind: sum(phone.label == kind for phone in each.phones) for kind in counts}
            if any(mine[kind] and counts[kind] < FEWEST for kind in counts):
                kept.append(each)
                counts = {kind: counts[kind] + mine[kind] for kind in counts}
        return kept

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(natives, "unheard", chosen)
        yield


@pytest.fixture(scope="module")
def planted(hama, scene, few_natives):
    return phone_check.analyse(scene.clip, hama, transcript=CLAIMED, random_seeds=(0,))


@pytest.fixture(scope="module")
def right(hama, scene, few_natives):
    text = CLAIMED.replace("Measles", "Weasels")
    return phone_check.analyse(scene.clip, hama, transcript=text, random_seeds=())


@pytest.mark.parametrize("form", FORMS)
def test_a_word_that_was_not_said_is_found_and_what_was_said_is_named(planted, right, form):
    assert planted.phones[0] == "M"
    assert planted.words[0] == "Measles"
    assert planted.native_counts()[0] >= FEWEST
    assert planted.percentiles(form)[-1, 0] < 5
    assert planted.doubted(form)[-1, 0]
    assert planted.margins(form)[-1, 0] < -5
    assert right.phones[0] == "W"
    assert not right.doubted(form)[-1, 0]
    if form == "free":
        assert planted.rivals(form)[-1, 0] == "w"
        # What was claimed elsewhere is what was said: the other phones of both texts fit alike.
        np.testing.assert_allclose(planted.margins(form)[-1, 4:], right.margins(form)[-1, 4:], atol=0.5)


def test_random_weights_find_no_more_than_guessing(planted):
    """One kind of 39 by chance; ten of a hundred phones would be five standard deviations more."""
    for form in FORMS:
        assert planted.random_found(form)[0, -1] < 0.2
        assert planted.native_found(form)[-1] > planted.random_found(form)[0, -1]
    assert planted.native_found("free")[-1] > planted.native_found("aligned")[-1]  # as the page says of CTC


def test_percentiles_are_scipys(planted):
    for form in FORMS:
        for place in (0, 1, 5):
            others = planted.native.of(form)[-1, planted.native.kind == planted.own[place]]
            found = planted.percentiles(form)[-1, place]
            if len(others) < FEWEST:
                assert np.isnan(found)
            else:
                wanted = percentileofscore(others, planted.margins(form)[-1, place], kind="mean")
                assert found == pytest.approx(wanted)


def plainly(result, clip, model, place, layer):
    """Mean log-probability of every kind over one phone's frames, from the head's own symbols, one by one."""
    raw = ctc_layers.head_of(model).top(ctc_layers.lens_states(clip, model)[1][layer])
    labels, grid = ctc_layers.head_of(model).vocabulary.labels, frame_grid(clip, model)
    inside = [f for f, t in enumerate(grid.times) if result.starts[place] <= t < result.ends[place]]
    kinds = {"ah": "əʌɐ", "iy": "i", "w": "w", "m": "m"}
    means = {}
    for kind, symbols in kinds.items():
        total = [np.log(sum(np.exp(float(raw[f, labels.index(s)])) for s in symbols)) for f in inside]
        means[kind] = np.mean(total)
    return means


def test_scores_over_a_phones_own_frames_are_plain_means(planted, hama, scene):
    for place, layer in ((0, 4), (3, 2)):
        for kind, wanted in plainly(planted, scene.clip, hama, place, layer).items():
            found = planted.aligned[layer, place, planted.kinds.index(kind)]
            assert found == pytest.approx(wanted, abs=1e-4)  # the head's sums are in 32 bits, of values up to 30


def test_margin_goodness_and_rival_agree(planted):
    for form in FORMS:
        scores, goodness = planted.scores(form), planted.goodness(form)
        for place in range(len(planted.phones)):
            own = scores[-1, place, planted.own[place]]
            assert goodness[-1, place] == pytest.approx(own - scores[-1, place].max())  # Witt and Young's
            if planted.margins(form)[-1, place] < 0:
                names = [*planted.kinds, phone_check.NOTHING]
                assert planted.rivals(form)[-1, place] == names[scores[-1, place].argmax()]


def checked(scene, model, names, shift=0.0):
    segments = [Segment(name, start + shift, end + shift) for name, (_, start, end) in zip(names, TIMES, strict=True)]
    return phone_check.analyse(scene.clip, model, segments=segments, native=False, random_seeds=())


def test_ones_own_phones_in_another_alphabet_are_the_same_phones(scene, hama):
    """And the form without times takes no notice of times."""
    labels = [label for label, *_ in TIMES]
    arpabet = checked(scene, hama, labels)
    ipa = checked(scene, hama, [IPA_NAMES[label] for label in labels])
    np.testing.assert_array_equal(arpabet.free, ipa.free)
    np.testing.assert_array_equal(arpabet.aligned, ipa.aligned)
    assert ipa.phones[1] == "iː"
    later = checked(scene, hama, labels, shift=0.9)
    np.testing.assert_array_equal(arpabet.free, later.free)
    assert not np.allclose(arpabet.aligned, later.aligned)
    assert np.isnan(arpabet.percentiles()).all()
    assert not arpabet.doubted().any()


def test_what_is_no_phone_of_english_is_left_out_and_named(scene, hama):
    segments = [*TIMES, ("y", 0.7, 0.8), ("ø", 0.8, 0.9), ("sil", 0.9, 1.0)]
    segments = [Segment(IPA_NAMES.get(label, label), start, end) for label, start, end in segments]
    result = phone_check.analyse(scene.clip, hama, segments=segments, native=False, random_seeds=())
    assert result.unmapped == ("y", "ø")
    assert len(result.phones) == 4
    assert "ø" in tab.status_line(result, tab.fitted(result, {"form": "free", "layer": 4, "phone": 0}))
    with pytest.raises(UserError, match="no phone of English"):
        phone_check.analyse(scene.clip, hama, segments=segments[4:], native=False)


def test_refusals(scene, hama, tiny_model, monkeypatch):
    with pytest.raises(UserError, match="no CTC head"):
        phone_check.analyse(scene.clip, tiny_model, segments=scene.phones)
    with pytest.raises(UserError, match="writes no text"):
        phone_check.analyse(scene.clip, hama)
    many = [Segment("w", i / 200, (i + 1) / 200) for i in range(401)]
    with pytest.raises(UserError, match="the limit is 400"):
        phone_check.analyse(scene.clip, hama, segments=many)
    letters = Vocabulary(("<pad>", "|", *"abcdefghijklmnopqrstuvwxyz"), 0, 1, "")
    monkeypatch.setattr(ctc_layers, "head_of", lambda _model: Head(letters, "symbols", "letters", None, None))
    with pytest.raises(UserError, match="letters, not for phones"):
        phone_scores.phone_head(hama)


def test_the_page_shows_every_state(planted, monkeypatch):
    early = dataclasses.replace(planted, native=None, controls=None)
    for result in (early, planted):
        for asked in ({"form": "free", "layer": 48, "phone": 0}, {"form": "aligned", "layer": 0, "phone": 400}):
            values = tab.fitted(result, asked)
            plot, heard, marks, curves, table = tab.drawn(result, values)
            assert plot["rows"][0]["kind"] == "segments"
            assert "audio" in heard
            assert "<svg" in marks
            assert "<svg" in curves
            assert table.count("<tr>") == len(result.phones) + 1
    values = tab.fitted(planted, {"form": "free", "layer": 4, "phone": 0})
    assert values["shown"] == 0  # the planted one fits worst
    assert "M at" in tab.doubts(planted, values)
    assert "rather W" in tab.doubts(planted, values)


@pytest.mark.weights
def test_our_heads_are_compared_with_recordings_that_they_have_not_learnt(scene):
    model = load_model("openai/whisper-tiny.en")
    card, kept = ctc_heads.heads_for(model).metadata, UNHEARD(model, scene.clip.sha256)
    names = {each.clip.name for each in kept if each.speaker == "allison"}
    assert names <= {*card["held_out"], *card["excluded"]}
    result = phone_check.analyse(scene.clip, model, transcript=CLAIMED, native=False, random_seeds=())
    for form in FORMS:
        assert result.rivals(form)[-1, 0] == "w"
        assert result.margins(form)[-1, 0] < -5


def test_symbols_of_a_hub_model_that_writes_phones_are_read(hama, monkeypatch):
    """As models fine-tuned on espeak's phones have them: length marks, no ties, British vowels, other languages."""
    labels = (
        "<pad> <s> </s> <unk> n s t ə l a i k d m ɛ ɾ e ɪ p o ɐ z ð f j v b ɹ ʁ ʊ iː r w ʌ u ɡ æ aɪ ʃ h ɔ ɑː ŋ ɚ eɪ "
    )
    labels += "uː y ɑ oʊ dʒ tʃ θ ɜː aʊ ɔɪ ʒ ɑːɹ i5 tɕ"
    vocabulary = Vocabulary(tuple(labels.split()), 0, None, " ")
    monkeypatch.setattr(ctc_layers, "head_of", lambda _model: Head(vocabulary, "symbols", "espeak", None, None))
    found = phone_scores.phone_head(hama)
    named = {
        kind: [labels.split()[c] for c in columns]
        for kind, columns in zip(found.kinds, found.columns[1:], strict=True)
    }
    assert len(found.kinds) >= 37
    assert named["er"] == ["ɚ", "ɜː"]
    assert named["iy"] == ["i", "iː"]
    assert named["ch"] == ["tʃ"]
    assert found.columns[0] == (0,)
