"""Causal tracing: its laws, a planted network whose answer sits at known places, corruptions, and bad input."""

import numpy as np
import pytest
import torch
from planted import READ, SOURCE, planted

from methods import causal_tracing
from methods.causal_tracing import corruption
from methods.core import models
from methods.core.audio import SAMPLE_RATE, Clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models import load_model, whisper

EXACT = 1e-5  # of shares: numerator and denominator are the same sums; see the law
QUICK = {"transcript": "ab cd", "language": "en", "target": "transcript", "places": 0, "random_seeds": ()}


@pytest.fixture(scope="module", autouse=True)
def short_answers():
    """A random decoder never ends by itself, and 224 tokens of it are no better than 12."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whisper, "LONGEST_TRANSCRIPT", 12)
        yield


@pytest.fixture(scope="module")
def whole_cut():
    """Two halves that leave nothing of the clip out."""
    return Segment("first", 0.0, 0.6), Segment("second", 0.6, 1.3)


@pytest.fixture(scope="module")
def hiss(clip):
    """The other way round costs the random network 3.8 nats: noise is the clean clip, and the tone what spoils it."""
    return Clip(corruption.noisy(clip.samples, -20.0, 0), "hiss")


@pytest.fixture(scope="module")
def spoilt(clip, hiss, tiny_model, whole_cut):
    def analyse(**options):
        given = {"corruption": "recording", "recording": clip, **QUICK, **options}
        return causal_tracing.analyse(hiss, tiny_model, segments=whole_cut, **given)

    return analyse


@pytest.fixture(scope="module")
def traced(spoilt):
    return spoilt(places=6, random_seeds=(0,), crossed=True)


@pytest.mark.parametrize("direction", ["restore", "disturb"])
def test_everything_exchanged_is_one_and_nothing_is_nothing(spoilt, direction, monkeypatch):
    kept = []
    original = causal_tracing.analysis.with_controls
    monkeypatch.setattr(
        causal_tracing.analysis,
        "with_controls",
        lambda result, work, two: kept.append((result, two)) or original(result, work, two),
    )
    assert np.isfinite(spoilt(direction=direction).recovered).all()
    result, two = kept[-1]
    everything, nothing = torch.arange(two.positions), torch.arange(0)
    for layer in range(two.count + 1):
        assert result.share(np.array(two.score(layer, everything))) == pytest.approx(1.0, abs=EXACT)
        assert result.share(np.array(two.score(layer, nothing))) == pytest.approx(0.0, abs=EXACT)


def test_clean_and_corrupted_are_what_a_plain_pass_gives(clip, hiss, tiny_model, traced):
    np.testing.assert_array_equal(traced.changed, clip.samples)
    for sound, value in ((hiss, traced.clean), (clip, traced.corrupted)):
        given = models.transcribe(sound, tiny_model, text="ab cd", language="en")
        assert value == pytest.approx(given.logprobs.sum(), abs=1e-3)  # float32, another order of sums


def test_states_of_a_layer_in_their_own_place_are_the_map_s_and_the_table_holds_all(traced):
    crossed = traced.controls.crossed
    together = traced.share(traced.together)  # the two halves are all of the clip's own frames
    np.testing.assert_allclose(np.diag(crossed), together, atol=EXACT)
    table = traced.table()
    assert len(table) == 3 * 2 + 3 + 3
    np.testing.assert_allclose(table["share"][:6], traced.recovered.ravel())
    np.testing.assert_allclose(table["random_weights_0"][:6], traced.controls.random[0].ravel())


def test_random_places_are_as_long_as_the_places_and_lie_in_the_clip(traced, clip, tiny_model):
    spans, own = traced.controls.null_spans, models.frame_grid(clip, tiny_model).frames
    assert sorted(set(np.diff(spans).ravel())) == [30, 35]
    assert spans.min() >= 0 and spans.max() <= own
    for (start, stop), (first, last) in zip(spans, [(0, 30), (30, 65)] * 3, strict=True):
        assert 2 * max(0, min(stop, last) - max(start, first)) <= stop - start  # mostly elsewhere than their own place
    low, high = traced.band()
    np.testing.assert_allclose(low, np.percentile(traced.controls.null, 2.5, axis=0))
    assert (low <= high).all() and traced.beaten().shape == traced.recovered.shape


def test_tracing_finds_where_a_planted_answer_is_decided(clip, tiny_model):
    places = (Segment("before", 0.0, 0.2), Segment("source", 0.2, 0.3), Segment("between", 0.4, 0.9),
              Segment("read", 0.96, 1.06))  # fmt: skip
    options = {**QUICK, "segments": places, "corruption": "silence", "changed": "source", "places": 0}
    model = costly(clip, tiny_model, options)
    # Frame 12 stands for 0.24 s, in "source", and frame 50 for 1.00 s, in "read"; block 2 moves the news.
    assert (SOURCE, READ) == (12, 50)
    result = causal_tracing.analyse(clip, model, **options)
    expected = [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]]
    np.testing.assert_allclose(result.recovered, expected, atol=1e-4)  # the gap is at least .5 nats of float32 sums
    disturbed = causal_tracing.analyse(clip, model, **options, direction="disturb")
    np.testing.assert_allclose(disturbed.recovered, expected, atol=1e-4)
    moved = causal_tracing.analyse(clip, model, **options, site="attention")
    np.testing.assert_allclose(moved.recovered, [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]], atol=1e-4)


def costly(clip, tiny_model, options):
    """Which way the sound moves a random decoder is not ours to choose: the sign that makes silence cost something."""
    for sign in (1.0, -1.0):
        try:
            causal_tracing.analyse(clip, planted(tiny_model, sign), **options)
        except UserError:
            continue
        return planted(tiny_model, sign)
    raise AssertionError("the planted answer hears nothing")


@pytest.mark.parametrize("site", ["residual", "attention", "cross-attention", "feed-forward"])
def test_the_decoder_s_tokens(hiss, spoilt, tiny_model, site):
    result = spoilt(side="decoder", site=site, opened=(2, 1))
    assert result.places == models.transcribe(hiss, tiny_model, text="ab cd", language="en").labels
    assert np.isnan(result.starts).all() and np.isnan(result.outside).all()
    if site == "residual":
        np.testing.assert_allclose(result.recovered[0], 0.0, atol=EXACT)  # embeddings know nothing of the sound
        assert result.share(result.together)[-1] == pytest.approx(1.0, abs=EXACT)
    assert isinstance(result.opened_text, str)


def test_other_noise_gives_its_own_map_with_its_own_gap(clip, spoilt, monkeypatch):
    """White noise costs a random network nothing, so each seed here spoils the sound by the tone, begun elsewhere."""
    monkeypatch.setattr(corruption, "noisy", lambda _samples, _snr, seed: np.roll(clip.samples, 1600 * seed))
    both = spoilt(corruption="noise", recording=None, noise_seeds=(1, 2))
    alone = spoilt(corruption="noise", recording=None, noise_seeds=(2,))
    np.testing.assert_allclose(both.seeds()[1], alone.recovered, atol=EXACT)
    assert both.controls.noise_gaps[0] == pytest.approx(alone.gap)


# Corruptions


def test_noise_has_the_ratio_that_is_asked_for(clip):
    for snr in (-10.0, 0.0, 25.0):
        added = corruption.noisy(clip.samples, snr, 4).astype(float) - clip.samples
        power = np.mean(np.square(clip.samples, dtype=float)) / np.mean(added**2)
        assert 10 * np.log10(power) == pytest.approx(snr, abs=0.01)  # float32 samples round the noise


@pytest.mark.parametrize(
    ("place", "donor"), [((0.2, 0.6), (0.8, 1.0)), ((0.8, 0.9), (0.1, 0.55)), ((1.0, 1.3), (0.0, 0.3))]
)
def test_a_spliced_word_stands_in_the_middle_of_the_place(place, donor):
    samples = (np.arange(20_800) / 20_800 - 0.5).astype(np.float32)
    changed = corruption.spliced(samples, Segment("a", *place), Segment("b", *donor))
    assert len(changed) == len(samples)
    start, stop = (round(t * SAMPLE_RATE) for t in place)
    first, last = (round(t * SAMPLE_RATE) for t in donor)
    edge = 40  # half of the 5 ms ramp
    np.testing.assert_array_equal(changed[: start - edge], samples[: start - edge])
    np.testing.assert_array_equal(changed[stop + edge :], samples[stop + edge :])
    middle = (start + stop) // 2
    assert abs(changed[middle] - samples[(first + last) // 2]) <= 2 / 20_800  # the middles meet, to a sample
    if last - first < stop - start:
        assert changed[start + edge + 5] == 0.0  # silence around a shorter word


# Bad input: one sentence each


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"noise_seeds": (1,), "snr": 60.0}, "costs the whole transcript only"),
        ({"target": "word", "word": "zz"}, "not among the words"),
        ({"corruption": "silence"}, "Say which word of the sound is changed"),
        ({"corruption": "silence", "changed": "zz"}, "not among the words"),
        ({"corruption": "recording"}, "Another recording is needed"),
        ({"site": "cross-attention"}, "The encoder has no cross-attention"),
        ({"columns": "phones"}, "no phones with times"),
        ({"columns": "windows", "width": 20.0}, "do not fit into a clip"),
        ({"noise_seeds": ()}, "White noise needs a seed"),
        ({"crossed": True, "site": "attention"}, "Only the encoder's residual stream"),
    ],
)
def test_bad_input_is_a_sentence(clip, tiny_model, whole_cut, options, sentence):
    with pytest.raises(UserError, match=sentence):
        causal_tracing.analyse(clip, tiny_model, segments=whole_cut, **{**QUICK, **options})


def test_recordings_of_other_lengths_and_of_no_difference(clip, tiny_model, whole_cut):
    longer = Clip(np.concatenate([clip.samples, clip.samples[:160]]), "longer")
    for other, sentence in ((longer, "do not belong to each other"), (clip, "costs the whole transcript only 0.00")):
        with pytest.raises(UserError, match=sentence):
            causal_tracing.analyse(
                clip, tiny_model, segments=whole_cut, **{**QUICK, "corruption": "recording", "recording": other}
            )


@pytest.mark.parametrize(("opened", "sentence"), [((9, 0), "no layer 9"), ((1, 9), "no place 9")])
def test_a_cell_that_is_not_there(spoilt, opened, sentence):
    with pytest.raises(UserError, match=sentence):
        spoilt(opened=opened)


def test_an_opened_cell_is_what_the_patched_network_writes(spoilt, traced):
    opened = spoilt(places=6, random_seeds=(0,), crossed=True, opened=(2, 1))
    np.testing.assert_array_equal(opened.recovered, traced.recovered)  # kept, not traced again
    assert opened.opened == (2, 1) and opened.provenance["options"]["opened"] == [2, 1]
    assert isinstance(opened.opened_text, str) and traced.opened_text is None
    causal_tracing.plot(opened, layer=2)


def test_a_model_without_a_decoder(clip):
    with pytest.raises(UserError, match="hama-ctc has no text decoder"):
        causal_tracing.analyse(clip, load_model("hama-ctc"))
