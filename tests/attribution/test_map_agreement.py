"""Agreement between maps against closed forms, heads of our own on toys, and the clip changed a little."""

import io
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from methods import attribution
from methods.attribution import input_stability, map_agreement, own_heads, seed_agreement
from methods.core.audio import Clip
from methods.core.corpus import Corpus, Utterance
from methods.core.errors import UserError
from methods.core.explain import attribution_map, perturb
from methods.core.explain.attribution_map import MapRecipe
from methods.core.explain.perturb import Game
from methods.core.explain.targets import Target
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Step, finish
from methods.core.statistics.correlation import pearson, ranks, spearman
from page.export import downloads
from page.tabs import attribution_heads

RANDOM = np.random.default_rng(11)
BOTH = pytest.mark.parametrize("measure", [spearman, pearson])


# Agreement of maps


@BOTH
def test_the_same_map_agrees_wholly_and_its_opposite_not_at_all(measure):
    one = RANDOM.standard_normal(40)
    assert map_agreement.pairwise(np.array([one, one, one]), measure) == pytest.approx(1)
    assert map_agreement.pairwise(np.array([one, 3 * one + 7]), measure) == pytest.approx(1)
    assert map_agreement.pairwise(np.array([one, -one]), measure) == pytest.approx(-1)
    # Of three maps two of which are the first one's opposite: one pair at 1, two at -1.
    assert map_agreement.pairwise(np.array([one, -one, -one]), measure) == pytest.approx(-1 / 3)


@BOTH
def test_permuted_maps_do_not_agree(measure):
    one = RANDOM.standard_normal(401)
    maps = np.array([RANDOM.permutation(one) for _ in range(5)])
    # Variance of a correlation of permuted values: 1 / (n - 1); ten uncorrelated pairs: sd = 1 / sqrt(10 · 400).
    assert abs(map_agreement.pairwise(maps, measure)) < 5 / np.sqrt(10 * 400)


@BOTH
def test_a_constant_map_has_no_agreement(measure):
    one, flat = RANDOM.standard_normal(9), np.full(9, 0.1)
    assert np.isnan(map_agreement.pairwise(np.array([one, flat]), measure))
    assert np.isnan(measure(flat, flat)) and np.isnan(measure(one[:2], one[:2]))
    assert map_agreement.pairwise(np.array([one, one, flat]), measure) == pytest.approx(1)  # the pair that there is


def test_correlations_are_scipys():
    one, other = RANDOM.integers(0, 6, (2, 50)).astype(float)
    assert pearson(one, other) == pytest.approx(stats.pearsonr(one, other).statistic)
    assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
    np.testing.assert_array_equal(ranks(one), stats.rankdata(one))
    assert pearson(1e-200 * one, other) == pytest.approx(pearson(one, other))


def test_agreement_beyond_a_control_is_the_partial_correlation():
    one, other, control = RANDOM.standard_normal((3, 60))
    one, other = one + control, other + 2 * control
    ab, ac, bc = (stats.spearmanr(*pair).statistic for pair in ((one, other), (one, control), (other, control)))
    by_formula = (ab - ac * bc) / np.sqrt((1 - ac**2) * (1 - bc**2))
    assert map_agreement.beyond(np.array([one, other]), control[None]) == pytest.approx(by_formula)
    # A control that does not vary takes nothing away.
    flat = np.full((1, 60), 0.02)
    assert map_agreement.beyond(np.array([one, other]), flat) == pytest.approx(ab)


def test_maps_that_are_the_control_agree_in_nothing_beyond_it():
    control = RANDOM.standard_normal(30)
    assert np.isnan(map_agreement.beyond(np.array([control, np.exp(control)]), control[None]))
    assert map_agreement.with_one(np.array([control, np.exp(control)]), control) == pytest.approx(1)
    assert np.isnan(map_agreement.beyond(RANDOM.standard_normal((2, 3)), RANDOM.standard_normal((2, 3))))


def test_random_maps_agree_by_chance_alone():
    maps = np.cumsum(RANDOM.standard_normal((5, 60)), axis=1)  # smooth, so that chance is wider than 1 / sqrt(59)
    mean, sure = map_agreement.by_chance(maps)
    # 100 sets of ten uncorrelated pairs; smooth maps of 60 pieces have at least some 4 independent values each.
    assert abs(mean) < 5 / np.sqrt(100 * 10 * 3)
    assert 0 < sure < 0.5
    assert map_agreement.by_chance(maps) == (mean, sure)
    assert all(np.isnan(map_agreement.by_chance(np.zeros((5, 60)))))


# The clip, changed a little

PIECES = tuple(Segment(f"{i}", i / 10, (i + 1) / 10) for i in range(10))


class Additive(Target):
    """The sum of the samples' squares, each weighted by what moment of the sound it is: pieces contribute alone."""

    def score(self, samples):
        return float(np.square(samples[: len(self.readout)], dtype=np.float64) @ self.readout[: len(samples)])

    steps = property(lambda self: {"waveform": lambda x: x})


def additive(weights, samples):
    model = SpeechModel("toy", "toy", torch.nn.Identity(), None, None, "5" * 64, lock=threading.RLock())
    target = Additive("class", "sum", "nats", Clip(samples.astype(np.float32), "c"), model, weights)
    return Game(target, samples.astype(np.float32), PIECES)


def steadiness(game, **options):
    recipe = MapRecipe("leave one out")
    own = finish(attribution_map.evidence(game.target, game, recipe))
    return finish(input_stability.measure(game, recipe, own, **options))


def test_a_target_of_energy_alone_has_a_steady_map():
    """It is loudness: order and size stay when pieces move with the sound."""
    levels = RANDOM.permutation(np.linspace(0.2, 1, 10))  # far enough apart that 20 ms of silence reorder nothing
    samples = np.repeat(levels, 1600) * RANDOM.choice([-1, 1], 16_000)
    samples[:320] = samples[-320:] = 0  # what the shifts lose
    found, refused = steadiness(additive(np.ones(16_000), samples))
    assert refused == {} and found.variants == tuple(input_stability.VARIANTS)
    np.testing.assert_allclose(found.spearman, 1)
    np.testing.assert_allclose(found.pearson, 1, atol=1e-3)
    assert (found.loudness_spearman > 0.9).all()  # mean power falls where a piece gains silence
    assert found.lacking == () and -1 < found.sure < 1 and len(found.chance_spearman) == 200
    assert list(found.table()["variant"]) == list(found.variants)


def test_a_target_that_alternates_with_the_shift_turns_its_map_around():
    """Weights of period 40 ms and opposite sign: what spoke for the target speaks against it 20 ms later."""
    weights = np.where(np.arange(16_000) // 320 % 2 == 0, 1.0, -1.0)
    sound = np.where(np.arange(16_000) // 320 % 2 == 0, 1.0, 0.0) * np.repeat(np.linspace(0.2, 1, 10), 1600)
    pieces = tuple(Segment(f"{i}", i * 0.12, min((i + 1) * 0.12, 1.0)) for i in range(9))
    game = additive(weights, sound)
    game = Game(game.target, game.samples, pieces)
    found, _ = steadiness(game, variants=("20 ms later", "20 ms earlier"))
    np.testing.assert_allclose(found.spearman, -1)


def test_a_constant_map_is_not_called_unsteady():
    found, refused = steadiness(additive(np.zeros(16_000), RANDOM.standard_normal(16_000)))
    assert np.isnan(found.spearman).all() and np.isnan(found.pearson).all() and np.isnan(found.sure)
    assert found.lacking == found.variants and refused == {}
    assert np.isfinite(found.loudness_spearman).all()


def test_sound_and_pieces_move_together():
    samples = RANDOM.standard_normal(16_000).astype(np.float32)
    later, earlier = input_stability.shifted(samples, 0.02), input_stability.shifted(samples, -0.02)
    np.testing.assert_array_equal(later[320:], samples[:-320])
    np.testing.assert_array_equal(earlier[:-320], samples[320:])
    assert (later[:320] == 0).all() and (earlier[-320:] == 0).all()
    moved = input_stability.moved(PIECES, 0.02)
    assert [piece.start for piece in moved] == pytest.approx([0, *np.arange(1, 10) / 10 + 0.02])
    assert [piece.end for piece in moved] == pytest.approx([*np.arange(1, 10) / 10 + 0.02, 1])
    noisy = input_stability.noisy(samples, 40)
    power = np.mean((noisy - samples) ** 2) / np.mean(samples**2)
    assert 10 * np.log10(power) == pytest.approx(-40, abs=0.01)  # float32 sums of a signal 40 dB above
    np.testing.assert_array_equal(noisy, input_stability.noisy(samples, 40))


def test_a_change_that_cannot_be_tried_is_told():
    game = additive(np.ones(16_000), RANDOM.standard_normal(16_000))
    short = (*PIECES[:-1], Segment("9", 0.9, 0.99), Segment("click", 0.99, 1.0))
    found, refused = steadiness(Game(game.target, game.samples, short))
    assert found.variants == ("20 ms earlier", "noise at 40 dB SNR")
    assert "“click”, 10 ms at the clip's edge, too little is left" in refused["20 ms later"]
    found, refused = steadiness(game, variants=("upside down",))
    assert found is None and "no change “upside down”" in refused["upside down"]


# Heads of our own


def learnable(utterances=12, phones=20, dim=6):
    """States in which one direction tells vowels from consonants, with noise; labels; recordings."""
    vowel = RANDOM.random(utterances * phones) < 0.4
    states = RANDOM.standard_normal((len(vowel), dim)) + 3 * vowel[:, None] * np.eye(dim)[0]
    return states, vowel, np.repeat(np.arange(utterances), phones)


def test_heads_learn_from_halves_and_are_judged_on_the_rest():
    states, vowel, recording = learnable()
    heads = own_heads.train(states, vowel, recording, 4)
    assert heads.weights.shape == (4, 6) and len(heads) == 4
    # Two Gaussians 3 standard deviations apart: the best rule is right on Φ(1.5) = 93%; sd of 120 trials 2.3 points.
    assert (heads.accuracy > 0.93 - 4 * 0.023).all() and heads.likeness > 0.8
    assert heads.majority == pytest.approx(max(vowel.mean(), 1 - vowel.mean()))
    assert not np.array_equal(heads.weights[0], heads.weights[1])  # another half
    np.testing.assert_array_equal(heads.weights, own_heads.train(states, vowel, recording, 4).weights)
    said = states @ heads.weights.T + heads.offsets > 0
    assert (said == vowel[:, None]).mean() > 0.88  # weights and offset are those of the states as they come


def test_heads_with_shuffled_labels_know_nothing():
    states, vowel, recording = learnable(40)
    heads = own_heads.train(states, vowel, recording, 4, shuffled=True)
    # 400 phones are judged; whoever knows nothing says mostly “consonant”, right on 60% (sd 2.5 points).
    assert (heads.accuracy < 0.6 + 5 * 0.025).all()
    with pytest.raises(UserError, match=r"has only \d+ vowels or consonants, and a head needs 20"):
        own_heads.train(states[:60], vowel[:60], recording[:60], 2)


def test_a_clip_is_not_among_what_its_heads_have_heard():
    sound = RANDOM.standard_normal(8000).astype(np.float32) / 4
    clip, softer, other = Clip(sound, "a"), Clip(sound / 3, "b"), Clip(sound[::-1].copy(), "c")
    assert own_heads.is_same(clip, softer) and not own_heads.is_same(clip, other)
    phones = (Segment("aa", 0.1, 0.2), Segment("s", 0.2, 0.3))
    corpus = Corpus("c", (Utterance(softer, "x", phones=phones), Utterance(other, "x", phones=phones)))
    items, vowels = own_heads.vowels_and_consonants(corpus, clip)
    assert set(items.utterance) == {1} and vowels.tolist() == [True, False]


@pytest.fixture(scope="module")
def corpus():
    """Twelve noises of 0.6 s; “vowels” are tones in them, so that even a random network can tell them."""
    utterances, times = [], np.arange(1600) / 16_000
    for number in range(12):
        random, parts, phones = np.random.default_rng(number), [], []
        for place in range(6):
            vowel = random.random() < 0.5 if place else True
            tone = np.sin(2 * np.pi * 500 * times) * 0.3
            parts.append((tone if vowel else 0) + random.standard_normal(1600) * 0.05)
            phones.append(Segment("aa" if vowel else "s", place / 10, (place + 1) / 10))
        utterances.append(Utterance(Clip(np.concatenate(parts).astype(np.float32), f"u{number}"), "x", phones=phones))
    return Corpus("tones", tuple(utterances))


@pytest.fixture(scope="module")
def toy(tiny_model, clip, segments, corpus):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_heads, "FEWEST", 5)
        patch.setattr(seed_agreement, "WIDTHS", {"100 ms": 0.1})  # LIME over frames would take 650 passes
        steps = seed_agreement.measure(clip, tiny_model, 3, words=segments, corpus=corpus)
        seen = []
        return finish(steps, seen.append), seen


def test_every_method_and_size_is_compared(toy):
    result, seen = toy
    assert result.cuts == ("100 ms", "words") and result.pieces == {"100 ms": 13, "words": 5}
    assert "phones" in result.refused and "not known" in result.refused["phones"] and result.complete
    assert set(result.maps) | set(result.refused) >= {f"{m}, {c}" for m in result.methods for c in result.cuts}
    for name, maps in result.maps.items():
        assert maps.shape == (3, result.pieces[name.split(", ")[1]]) and not maps.flags.writeable
    row = result.numbers["spearman"][result.methods.index("leave one out")]
    maps = result.maps["leave one out, 100 ms"]
    by_scipy = [stats.spearmanr(maps[a], maps[b]).statistic for a, b in ((0, 1), (0, 2), (1, 2))]
    assert row[0] == pytest.approx(np.mean(by_scipy))
    table = result.table()
    assert len(table) == 10 and set(seed_agreement.NUMBERS) <= set(table)
    done = [step.done for step in seen]
    assert done == sorted(done) and sum(step.partial is not None for step in seen) >= 7
    assert not seen[[step.partial is not None for step in seen].index(True)].partial.complete


def test_a_head_is_explained_by_what_it_says(tiny_model, clip):
    """The removal's fast way (one pass for all heads) and the gradient's target give one number."""
    pooled = seed_agreement.Pooled(clip, tiny_model)
    weights = np.random.default_rng(1).standard_normal(len(pooled.base))
    target = seed_agreement.head_target(pooled, weights, 0.5)
    quiet = perturb.replaced(clip.samples, [Segment("a", 0.2, 0.6)])
    for samples in (clip.samples, quiet):
        # float32 sums of 16 products of order 1.
        assert target.score(samples) == pytest.approx(pooled.score(samples) @ weights + 0.5, abs=1e-4)
    np.testing.assert_allclose(pooled.base, short_states(tiny_model, clip), atol=1e-4)


def short_states(model, clip):
    """What a head is trained on: the corpus' last layer, here of the clip."""
    corpus = Corpus("one", (Utterance(clip, "x"),))
    states = finish(seed_agreement.features.of_model(corpus, model, window="clip", subtract_silence=False))
    return states.layers[-1].mean(0)


def test_equal_heads_agree_wholly(tiny_model, clip, segments):
    pooled = seed_agreement.Pooled(clip, tiny_model)
    row = np.random.default_rng(2).standard_normal((1, len(pooled.base)))
    same = own_heads.Heads(np.repeat(row, 3, 0), np.zeros(3), np.ones(3), 0.5, 1)
    opposite = replace(same, weights=np.array([row[0], -row[0], row[0]]))
    cuts = {"words": perturb.partition(clip.seconds, segments)}
    work = seed_agreement.SeedWork(pooled, same, opposite, cuts, "none")
    for method in ("leave one out", "LIME"):
        finish(work.removed(method, "words"))
    for method in ("saliency", "input x gradient"):
        finish(work.followed(method))
    found = work.result()
    for name in ("spearman", "pearson"):
        np.testing.assert_allclose(found.numbers[name][:4, 0], 1)
    # Of the others' three pairs two are opposites: (1 - 1 - 1) / 3.
    np.testing.assert_allclose(found.numbers["shuffled_heads"][:4, 0], -1 / 3, atol=1e-6)
    assert np.isnan(found.numbers["spearman"][4, 0]) and not found.complete  # not tried: never 0


def test_what_cannot_be_compared_is_said(tiny_model, clip, segments, monkeypatch):
    with pytest.raises(UserError, match="One head has no other"):
        attribution.analyse(clip, tiny_model, segments=segments, heads=1)
    other = replace(tiny_model, family="wav2vec2", id="other")
    with pytest.raises(UserError, match="states of Whisper's encoder, and other is of another family"):
        finish(seed_agreement.measure(clip, other, 2))


def test_the_part_of_the_tab(toy, tiny_model, clip, segments):
    found = attribution.analyse(
        clip, tiny_model, segments=segments, transcript="ab cd abc", language="en", window="clip", checks=False
    )
    assert "Choose “the map, and heads of our own”" in attribution_heads.shown(found)
    assert "&lt;b&gt;" in attribution_heads.shown(
        replace(found, controls=replace(found.controls, refused={"heads": "<b>"}))
    )
    with_heads = replace(found, controls=replace(found.controls, heads=toy[0]))
    shown = attribution_heads.shown(with_heads)
    assert "3 linear heads" in shown and shown.count("<tr>") == 11 and "n/a, phones: The times" in shown
    table = with_heads.table()
    assert (table["part"] == "heads").sum() == 10
    assert attribution.plot(with_heads)


def test_heads_on_request(toy, tiny_model, clip, segments, monkeypatch):
    asked, options = {}, {"transcript": "ab cd abc", "language": "en", "window": "clip", "checks": False, "heads": 3}

    def measured(_clip, _model, count, **given):
        asked.update(given, count=count)
        yield Step(0.5, "training")
        if given["seed"] == 1:
            raise UserError("no heads here")
        return toy[0]

    monkeypatch.setattr(seed_agreement, "measure", measured)
    found = attribution.analyse(clip, tiny_model, segments=segments, phones=segments[:2], **options)
    assert found.controls.heads is toy[0] and asked["count"] == 3
    assert tuple(asked["words"]) == segments and asked["phones"] == segments[:2]
    assert found.provenance["options"]["phones"] == [["a", 0.0, 0.22], ["b", 0.22, 0.3]]
    with np.load(io.BytesIO(downloads.npz(found)), allow_pickle=False) as kept:
        np.testing.assert_array_equal(kept["heads_numbers_spearman"], toy[0].numbers["spearman"])
        assert all(kept[name].dtype != object for name in kept.files)
    found = attribution.analyse(clip, tiny_model, segments=segments, pieces="phones", seed=1, **options)
    assert found.controls.heads is None and found.controls.refused["heads"] == "no heads here"
    assert len(found.own.scores)
    assert asked["words"] == () and tuple(asked["phones"]) == segments
