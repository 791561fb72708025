"""Discrete units: information against scikit-learn and SciPy and by its laws, the quantiser against the network."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import binom
from scipy.stats import entropy as scipy_entropy
from sklearn.cluster import KMeans
from sklearn.metrics import mutual_info_score
from tiny_wav2vec2 import tiny_config, tiny_network, tiny_values
from transformers import Wav2Vec2ForPreTraining

from methods import discrete_units
from methods.core.audio import clip_from_samples
from methods.core.corpus import Corpus, Utterance, bundled, features
from methods.core.corpus.items import phone_items
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models import load_model
from methods.core.models.wav2vec2 import quantiser
from methods.core.progress import finish
from methods.core.statistics import k_means, splits
from methods.discrete_units import counts, information
from page.tabs import discrete_units as discrete_units_tab

RNG = np.random.default_rng(0)
PHONE, UNIT = RNG.integers(0, 6, 500), RNG.integers(0, 9, 500)
TABLE = counts.tabulated(PHONE, (PHONE + UNIT // 6) % 9, 6, 9)


# Information


def test_mutual_information_and_entropy_equal_scikit_learns_and_scipys():
    second = (PHONE + UNIT // 6) % 9
    expected = mutual_info_score(PHONE, second) / np.log(2)
    assert information.mutual_information(TABLE) == pytest.approx(expected, rel=1e-12)
    assert information.entropy(TABLE.sum(1)) == pytest.approx(scipy_entropy(TABLE.sum(1), base=2), rel=1e-12)
    assert information.mutual_information(TABLE.T) == pytest.approx(expected, rel=1e-12)


def test_divergences_equal_scipys_and_keep_their_bounds():
    found = information.divergences(TABLE)
    for i, j in np.ndindex(found.shape):
        assert found[i, j] == pytest.approx(jensenshannon(TABLE[i], TABLE[j], base=2) ** 2, abs=1e-12)
    assert (found >= 0).all() and (found <= 1).all()
    disjoint = information.divergences(np.array([[3, 0, 0], [0, 2, 5], [6, 0, 0], [0, 0, 0]]))
    assert disjoint[0, 1] == 1 and disjoint[0, 2] == 0
    assert np.isnan(disjoint[3]).all()


def test_units_that_are_the_phones_tell_all_there_is_to_tell():
    told, share, phone_purity, cluster_purity = information.scores(np.diag([5, 7, 11]))
    assert told == pytest.approx(information.entropy(np.array([5, 7, 11])))
    assert (share, phone_purity, cluster_purity) == (pytest.approx(1), 1, 1)
    assert information.spread(np.diag([5, 7, 11])) == pytest.approx([0, 0, 0])


def test_information_by_its_laws():
    whole = information.mutual_information(TABLE)
    shuffled_names = TABLE[:, RNG.permutation(9)]
    np.testing.assert_allclose(information.scores(shuffled_names), information.scores(TABLE), rtol=1e-12)
    merged = np.column_stack([TABLE[:, :2].sum(1), TABLE[:, 2:]])
    assert information.mutual_information(merged) <= whole + 1e-12  # data processing
    assert 0 <= whole <= min(information.entropy(TABLE.sum(0)), information.entropy(TABLE.sum(1)))
    independent = np.outer([2, 3, 5], [1, 4, 2, 7])
    assert information.mutual_information(independent) == pytest.approx(0, abs=1e-12)


def test_one_unit_tells_nothing_and_one_unit_per_frame_is_pure():
    alone = np.array([[4], [6]])
    np.testing.assert_allclose(information.scores(alone), [0, 0, 0.6, 1.0])
    assert information.scores(np.repeat(np.eye(3), 4, axis=1))[2] == 1


@pytest.mark.parametrize(("count", "published"), [(50, 0.153), (500, 0.606)])
def test_chance_alone_gives_the_published_share(count, published):
    """Independent labels, 40 phones, 2,000 frames (methods.md, A11): the plug-in share is far from zero."""
    phone, unit = RNG.integers(0, 40, 2000), RNG.integers(0, count, 2000)
    share = information.scores(counts.tabulated(phone, unit, 40, count))[1]
    assert share == pytest.approx(published, abs=0.02)
    if count == 50:  # the bias is (K - 1)(P - 1) / 2N nats to first order; at K = 500 it is not small any more
        assert share * np.log(40) == pytest.approx(49 * 39 / 4000, rel=0.2)


def toy(rng: np.random.Generator, tokens: int = 150) -> tuple[counts.Split, np.ndarray]:
    """Stretches of 3 to 8 frames that share their phone and, nine in ten, their unit; the two are unrelated."""
    token = np.repeat(np.arange(tokens), rng.integers(3, 9, tokens))
    phone, unit = rng.integers(0, 10, tokens)[token], rng.integers(0, 20, tokens)[token]
    unit = np.where(rng.random(len(token)) < 0.9, unit, rng.integers(0, 20, len(token)))
    everything = np.ones(len(token), dtype=bool)
    recording = token // 30
    return counts.Split(~everything, everything, phone, token, recording, tuple("abcdefghij")), unit


def test_lasting_phones_and_lasting_units_that_are_unrelated_lie_within_the_shuffled_band():
    found = {"whole": [], "frames": []}
    for seed in range(100):
        parts, unit = toy(np.random.default_rng(seed))
        alone = replace(parts, token=np.arange(len(unit)))  # every frame a stretch: what would be too low
        for name, split in (("whole", parts), ("frames", alone)):
            counted = counts.by_codes(unit, split, seed + 1000)
            found[name].append((counted.scores[1] > counted.shuffled[:, 1]).sum())
    beyond = np.array(found["whole"]) == counts.SHUFFLES
    # beyond all 20 once in 21: 4.8 of 100 with a standard deviation of 2.1; four of them
    assert beyond.sum() <= 13
    # as often above the middle of the shuffles as below: 10 of 20, uniform (sd 6.1), so .61 for the mean of 100
    assert np.mean(found["whole"]) == pytest.approx(10, abs=4 * 0.61)
    assert min(found["frames"]) == counts.SHUFFLES  # unrelated, and yet beyond every shuffle of frames


def test_shuffling_moves_whole_stretches():
    parts, _ = toy(RNG)
    firsts = np.flatnonzero(np.diff(parts.token, prepend=-1))
    for mixed in counts.shuffles(parts.codes, parts.token, parts.recording, 0):
        np.testing.assert_array_equal(mixed, mixed[firsts][parts.token])
        for number in range(5):
            own = firsts[parts.recording[firsts] == number]
            np.testing.assert_array_equal(np.sort(mixed[own]), np.sort(parts.codes[own]))


def of_recordings(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """12 recordings of 16 stretches, each with phones and with units of its own that have nothing to do with them."""
    recording = np.repeat(np.arange(12), 16)
    phones, units = rng.dirichlet(np.full(10, 0.5), 12), rng.dirichlet(np.full(20, 0.2), 12)
    phone, unit = ([rng.choice(len(p[0]), p=p[number]) for number in recording] for p in (phones, units))
    return recording, np.array(phone), np.array(unit), np.full(192, 2)


def of_prompts(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Phones of five of the bundled prompts, which differ in length; 50 units at random, some often."""
    every = phone_items(bundled("prompts"))
    some = every.only(np.isin(every.utterance, rng.permutation(55)[:5]))
    phone = np.unique(some.label, return_inverse=True)[1]
    last = np.maximum((some.end - some.start) // 0.02, 1).astype(int)
    return some.utterance, phone, rng.choice(50, len(phone), p=rng.dirichlet(np.ones(50))), last


@pytest.mark.parametrize("drawn", [of_recordings, of_prompts])
def test_what_length_or_the_recording_tells_of_a_phone_is_chance(drawn):
    """Beyond all 20 shuffles once in 21 times, as it should be; dealt out over all stretches, far more often."""
    beyond, trials = np.zeros(2), 60
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        recording, phone, unit, last = drawn(rng)
        token = np.repeat(np.arange(len(phone)), last)
        everything = np.ones(len(token), dtype=bool)
        names = tuple(map(str, range(phone.max() + 1)))
        parts = counts.Split(~everything, everything, phone[token], token, recording[token], names)
        counted = counts.by_codes(unit[token], parts, seed)
        free = [mutual_info_score(rng.permutation(phone)[token], unit[token]) for _ in range(counts.SHUFFLES)]
        beyond += counted.scores[0] > np.array([counted.shuffled[:, 0].max(), max(free) / np.log(2)])
    assert beyond[0] <= binom.ppf(0.995, trials, 1 / 21) < beyond[1]


@pytest.mark.parametrize("speakers", [1, 2, 3, 6])
def test_both_sides_have_every_speaker_who_has_two_recordings(speakers):
    recording = np.repeat(np.arange(14), 5)
    speaker = recording % speakers  # in turn: dealt by their numbers, two speakers would be on one side each
    sides = set()
    for seed in range(20):
        first = splits.dealt(recording, speaker, seed)
        assert all(len(set(first[recording == number])) == 1 for number in range(14))
        assert len(set(recording[first])) == 7
        assert set(speaker[first]) == set(speaker[~first]) == set(range(speakers))
        sides.add(tuple(first))
    assert len(sides) > 10
    np.testing.assert_array_equal(first, splits.dealt(recording, speaker, 19))


# Units


def test_k_means_finds_clusters_again_whatever_the_scale_of_a_dimension():
    centres = 20 * RNG.normal(size=(5, 4))
    label = RNG.integers(0, 5, 400)
    frames = (centres[label] + RNG.normal(size=(400, 4))) * [1, 1000, 0.01, 1]
    found = k_means.learn(frames[:200], 5, seed=0).assign(frames[200:])
    table = counts.tabulated(label[200:], found, 5, 5)
    assert information.scores(table)[1] > 0.95
    again = k_means.learn(frames[:200], 5, seed=0).assign(frames[200:])
    np.testing.assert_array_equal(found, again)


def test_huberts_recipe_is_scikit_learns_k_means_of_the_states_as_they_are():
    """A dimension a thousand times as large decides alone there, and one among four by default."""
    label, loud = RNG.integers(0, 5, 400), RNG.integers(0, 5, 400)
    frames = np.column_stack([20 * np.eye(5)[label][:, :3] + RNG.normal(size=(400, 3)), 1000.0 * loud])
    book = k_means.learn(frames[:200], 5, 3, "HuBERT")
    theirs = KMeans(5, n_init=1, random_state=3).fit(frames[:200].astype(np.float32))
    found = book.assign(frames[200:])
    np.testing.assert_array_equal(found, theirs.predict(frames[200:].astype(np.float32)))
    assert information.scores(counts.tabulated(loud[200:], found, 5, 5))[1] > 0.99
    scaled = k_means.learn(frames[:200], 5, 3).assign(frames[200:])
    assert information.scores(counts.tabulated(label[200:], scaled, 5, 5))[1] > 0.2


def test_assignment_is_to_the_nearest_centre():
    frames = RNG.normal(size=(100, 3))
    book = k_means.learn(frames, 7)
    scaled = (frames - book.mean) / book.scale
    nearest = np.linalg.norm(scaled[:, None] - book.centres[None], axis=2).argmin(1)
    np.testing.assert_array_equal(book.assign(frames), nearest)


def test_what_forms_no_units_is_refused():
    with pytest.raises(UserError, match="30 frames to learn 50 units"):
        k_means.learn(RNG.normal(size=(30, 3)), 50)
    with pytest.raises(UserError, match="All frames are the same"):
        k_means.learn(np.ones((60, 3)), 5)


def test_quantisers_codes_are_the_entries_that_the_network_picks():
    network = tiny_network(tiny_config("wav2vec2"), Wav2Vec2ForPreTraining)
    values = tiny_values(8000)
    with torch.inference_mode():
        found = quantiser.codes_of(network, values)
        hidden = network.wav2vec2(values).extract_features
        picked, _ = network.quantizer(hidden)  # in eval mode it takes the entry with the highest logit
    books, entries = network.quantizer.num_groups, network.quantizer.num_vars
    vectors = network.quantizer.codevectors.view(books, entries, -1)
    for frame, number in enumerate(found):
        expected = torch.cat([vectors[0, number // entries], vectors[1, number % entries]])
        torch.testing.assert_close(picked[0, frame], expected)
    assert len(found) == 24  # (8000 - 400) // 320 + 1


# The technique


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Four recordings of twelve phones each."""
    utterances = []
    for number in range(4):
        rng = np.random.default_rng(number)
        times = np.arange(19_200) / 16_000
        pitch = np.array([250.0, 600.0, 1500.0])[(times * 10).astype(int) % 3]
        samples = 0.3 * np.sin(2 * np.pi * pitch * times) + 0.02 * rng.normal(size=times.size)
        phones = tuple(Segment(("iy", "aa", "s")[i % 3], 0.1 * i, 0.1 * (i + 1)) for i in range(12))
        utterances.append(Utterance(clip_from_samples(samples, 16_000, f"u{number}"), "s", "", "en", (), phones))
    return Corpus("tones", tuple(utterances))


def test_units_of_a_tiny_model_with_their_controls_and_the_clip(corpus, tiny_model, clip):
    result = discrete_units.analyse(corpus, tiny_model, units=6, clip=clip, random_seeds=(0, 1))
    assert result.scores.shape == (3, 4) and result.controls.random.shape == (2, 3, 4)
    assert result.counts.sum((1, 2)).tolist() == [result.frames] * 3
    assert result.frames + result.train_frames == sum(60 for _ in corpus.utterances)
    assert result.entropy == pytest.approx(np.log2(3), abs=0.01)
    assert result.controls.baseline_scores[0, 1] > 0.6 > result.shuffled[:, 1].max()  # three tones
    assert result.clip_units.shape == (3, 65) and len(result.clip_times) == 65
    assert result.few(0) and result.complete
    values = discrete_units_tab.fitted(result, {"layer": 1, "score": 1})
    line = discrete_units_tab.status_line(result, values)
    assert f"(shuffled {result.shuffled[1, 1]:.2f})" in line and "few phones for 6 units" in line
    assert len(discrete_units.plot(result).axes) == 4
    low, high = result.shuffled_range.swapaxes(0, 1)
    assert (low <= result.shuffled).all() and (result.shuffled <= high).all()
    table = result.table().query("score == 'PNMI'").set_index(["features", "layer"])["value"]
    assert table["shuffled phones, highest", result.layers[1]] == high[1, 1]
    assert table["random weights 1, shuffled phones", result.layers[2]] == result.controls.random_shuffled[1, 2, 1]
    assert table["MFCC, shuffled phones", ""] == result.controls.baseline_shuffled[0, 1]
    assert {"model", "shuffled phones", "random weights 1", "MFCC"} <= set(result.table()["features"])
    assert "frames (scaled, the default), counted" in line
    other = discrete_units.analyse(corpus, tiny_model, units=6, recipe="HuBERT", random_seeds=())
    assert "(HuBERT's recipe)" in discrete_units_tab.status_line(other, values)
    assert (other.counts != result.counts).any() and other.frames == result.frames
    book = k_means.learn(RNG.normal(size=(60, 3)), 5, recipe="HuBERT")
    assert (book.mean == 0).all() and (book.scale == 1).all()


def test_units_under_the_clip_cover_it_without_a_gap(corpus, tiny_model, clip):
    result = discrete_units.analyse(corpus, tiny_model, units=6, clip=clip, random_seeds=())
    runs = discrete_units_tab.tier(result, 1)
    assert runs[0][1] == 0
    for (_, _, end), (_, start, _) in pairwise(runs):
        assert start == pytest.approx(end)
    assert runs[-1][2] == pytest.approx(result.clip_times[-1] + 0.01)
    for unit, time in zip(result.clip_units[1], result.clip_times, strict=True):
        assert [int(label.split()[0]) for label, start, end in runs if start <= time < end] == [unit]


def test_one_recording_or_odd_numbers_of_units_are_refused(corpus, tiny_model):
    with pytest.raises(UserError, match="1 of these has phones"):
        discrete_units.analyse(Corpus("one", corpus.utterances[:1]), tiny_model, random_seeds=())
    with pytest.raises(UserError, match="“units” cannot be 1; give a number from 2 to 500"):
        discrete_units.analyse(corpus, tiny_model, units=1, random_seeds=())
    with pytest.raises(UserError, match="frames to learn 400 units"):
        discrete_units.analyse(corpus, tiny_model, units=400, random_seeds=())


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "subtract", "layer", "default", "huberts"),
    [("openai/whisper-tiny.en", True, 2, 0.510, 0.525), ("openai/whisper-tiny.en", True, 3, 0.441, 0.511),
     ("openai/whisper-tiny.en", False, 1, 0.435, 0.244), ("hama-ctc", True, 1, 0.466, 0.458)],
)  # fmt: skip
def test_both_recipes_give_what_the_reading_says(name, subtract, layer, default, huberts):
    prompts = bundled("prompts")
    states = finish(features.of_model(prompts, load_model(name), subtract_silence=subtract))
    parts = counts.split(prompts, states, 0)
    for recipe, expected in (("scaled", default), ("HuBERT", huberts)):
        found = counts.by_k_means(states.layers[layer], parts, 50, 0, recipe=recipe).scores[1]
        assert found == pytest.approx(expected, abs=0.01)  # other sums, other clusters
