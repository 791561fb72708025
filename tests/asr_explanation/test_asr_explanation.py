"""Explanations by sufficient frames: formulas and responsibility against their definitions, sets that must pass."""

import dataclasses
import io
from itertools import combinations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from methods import asr_explanation
from methods.asr_explanation import sufficient_frames
from methods.asr_explanation.sufficient_frames import FORMULAS
from methods.asr_explanation.transcriber import Transcriber
from methods.core.audio import Clip, clip_from_samples, load_clip
from methods.core.errors import UserError
from methods.core.explain import perturb
from methods.core.lenses import ctc
from methods.core.models import load_model, whisper
from methods.core.progress import finish
from methods.core.speech import edits
from page.tabs import asr_explanation as asr_explanation_tab

HAMA_CLIP = "examples_audio/cc-by-sa-3.0/en_f_statement.wav"
TAB = {"ranking": "causal"}


def needs(*groups):
    """Similarity 1 if of every group some frame is kept, else the share of groups that have one."""

    def similarities(kept):
        return np.array([np.mean([row[list(group)].any() for group in groups]) for row in kept])

    return similarities


# Statistics


def test_counts_one_by_one():
    kept = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1]], bool)
    passed = np.array([True, True, False, False])
    np.testing.assert_array_equal(sufficient_frames.counts(kept, passed), [[2, 1, 0], [0, 1, 2], [0, 1, 2], [2, 1, 0]])


@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas_by_hand(formula):
    """kp 6, kf 2, mp 3, mf 9."""
    expected = {
        "Ochiai": 6 / np.sqrt(9 * 8),
        "Tarantula": (6 / 9) / (6 / 9 + 2 / 11),
        "Zoltar": 6 / (6 + 3 + 2 + 10_000 * 3 * 2 / 6),
        "Wong-II": 4,
    }
    got = sufficient_frames.suspiciousness(np.array([[6.0], [2.0], [3.0], [9.0]]), formula)
    assert got[0] == pytest.approx(expected[formula])


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("outcome", [False, True])
def test_formulas_when_nothing_or_everything_passes(formula, outcome):
    kept = sufficient_frames.mutants(10, 40, 0)
    scores = sufficient_frames.suspiciousness(sufficient_frames.counts(kept, np.full(40, outcome)), formula)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("formula", FORMULAS)
def test_statistics_find_the_only_frame_that_matters(formula):
    kept = sufficient_frames.mutants(20, 400, 1)
    scores = sufficient_frames.suspiciousness(sufficient_frames.counts(kept, kept[:, 7]), formula)
    assert scores.argmax() == 7


def test_mutants_keep_every_share_equally_often():
    """The share is uniform: deciles of 2,000 hold 200 ± 13; a frame is kept in 1,000 ± 22."""
    kept = sufficient_frames.mutants(400, 2000, 0)
    counts = np.histogram(kept.mean(1), bins=10, range=(0, 1))[0]
    assert np.abs(counts - 200).max() < 5 * 13.5
    assert np.abs(kept.sum(0) - 1000).max() < 5 * 22.4  # each is kept with probability 1/2, whatever the shares
    np.testing.assert_array_equal(kept, sufficient_frames.mutants(400, 2000, 0))


def test_linear_scores_are_scikit_learns_ridge():
    random = np.random.default_rng(0)
    kept = random.random((60, 8)) < 0.6
    similar = kept @ random.random(8) / 8 + 0.1 * random.random(60)
    weights = np.sqrt(np.exp(-((100 * (1 - np.sqrt(kept.mean(1))) / 25.0) ** 2)))
    expected = Ridge(alpha=0.01).fit(kept, similar, sample_weight=weights / weights.mean()).coef_
    np.testing.assert_allclose(sufficient_frames.linear_scores(kept, similar), expected, rtol=1e-8)


# Causal responsibility


def by_definition(similarities, frames, threshold):
    """1 / (1 + smallest contingency) over all subsets (Chockler & Halpern 2004), without any refinement."""

    def passes(silenced):
        kept = np.ones(frames, bool)
        kept[list(silenced)] = False
        return similarities(kept[None])[0] >= threshold

    found = np.zeros(frames)
    for frame in range(frames):
        others = [other for other in range(frames) if other != frame]
        for size in range(frames):
            if any(passes(w) and not passes((*w, frame)) for w in combinations(others, size)):
                found[frame] = 1 / (1 + size)
                break
    return found


@pytest.mark.parametrize(
    "groups",
    [
        [(0,), (1,), (2,), (3,)],  # all are needed: 1 each
        [(0, 1)],  # either will do: 1/2 each, the rest 0
        [(0, 1, 2)],
        [(0, 1), (1, 2), (2, 0)],  # two of three
        [(3,), (0, 2)],
    ],
)
def test_responsibility_of_single_frames_is_the_definition(groups):
    """Four frames are cut into four parts of one frame each, whatever the partition: nothing is left to refine."""
    got = finish(sufficient_frames.responsibility_in_steps(needs(*groups), 4, 1.0, partitions=2))
    np.testing.assert_allclose(got.values, by_definition(needs(*groups), 4, 1.0))
    assert got.settled == 1.0


def test_refinement_finds_the_needed_frame_and_clears_the_rest():
    got = finish(sufficient_frames.responsibility_in_steps(needs((13,)), 40, 1.0, budget=2000))
    assert got.values[13] == 1.0
    assert np.delete(got.values, 13).max() == 0.0
    assert got.settled == 1.0


def test_a_small_budget_is_kept_and_said():
    got = finish(sufficient_frames.responsibility_in_steps(needs(*((f,) for f in range(60))), 60, 1.0, budget=60))
    assert got.asked <= 60 + 3 * 16
    assert got.settled < 1.0
    assert (got.values == 1.0).all()  # unrefined parts keep what was found for them


# From a ranking to a set


def test_the_set_of_a_perfect_ranking_is_what_is_needed():
    similarities, order = needs((4,), (9,), (30,)), np.r_[[9, 30, 4], np.delete(np.arange(40), [4, 9, 30])]
    growth = finish(sufficient_frames.grown_in_steps(similarities, order, 1.0))
    np.testing.assert_array_equal(np.flatnonzero(growth.enough), [4, 9, 30])
    assert growth.similarity[0] == 0.0
    assert growth.similarity[-1] == 1.0
    assert finish(sufficient_frames.redundancy_in_steps(similarities, growth.enough, 1.0)) == 0.0


def test_a_poor_ranking_is_pruned_to_what_is_needed():
    similarities, order = needs((4,), (9, 10)), np.arange(40)[::-1]
    growth = finish(sufficient_frames.grown_in_steps(similarities, order, 1.0))
    assert growth.enough.sum() == 36
    assert finish(sufficient_frames.redundancy_in_steps(similarities, growth.enough, 1.0)) == pytest.approx(35 / 36)
    kept = finish(sufficient_frames.pruned_in_steps(similarities, growth.enough, order, 1.0))
    assert set(np.flatnonzero(kept)) == {4, 10}  # 9 is lower in the order and leaves first
    assert finish(sufficient_frames.redundancy_in_steps(similarities, kept, 1.0)) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_order_no_frame_of_a_pruned_set_could_leave(seed):
    """Also where silencing one frame more may mend what another broke: the model passes by a hash of what is kept."""
    order = np.random.default_rng(seed).permutation(14)

    def similarities(kept):
        numbers = np.asarray(kept) @ 2 ** np.arange(14)
        return ((numbers * 2654435761 + seed) % 97 < 45) | np.asarray(kept).all(1)

    kept = finish(sufficient_frames.pruned_in_steps(similarities, np.ones(14, bool), order, 1.0))
    assert similarities(kept[None])[0]
    for frame in np.flatnonzero(kept):
        assert not similarities((kept & (np.arange(14) != frame))[None])[0]


def test_overlap_of_sets():
    first, second = np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool)
    assert sufficient_frames.overlap(first, second) == pytest.approx(1 / 3)
    assert sufficient_frames.overlap(first, first) == 1.0
    assert np.isnan(sufficient_frames.overlap(~first & first, ~first & first))


# The whole technique


@pytest.fixture(scope="module")
def hama_result():
    clip, model = load_clip(HAMA_CLIP), load_model("hama-ctc")
    options = {"frame": 0.07, "threshold": 0.5, "mutants": 80, "causal_budget": 60}
    return asr_explanation.analyse(clip, model, **options)


def test_the_sets_pass_when_the_model_hears_them_again(hama_result):
    """The kept sound is made by hand here (5 ms ramps are the only common part) and read by the model's usual path."""
    model = load_model("hama-ctc")
    listener = Transcriber(hama_result.clip, model)
    assert hama_result.unit == "phones"
    for each in hama_result.explanations:
        for kept in (each.enough, each.minimal):
            if kept is None:
                continue
            said = listener.heard([hama_result.sound(kept).samples])[0]
            rate = edits.error_rate(hama_result.heard.split(), said)
            assert 1 - rate >= 0.5
            assert kept.sum() <= len(hama_result.frames)
            gone = [f for f, keep in zip(hama_result.frames, kept, strict=True) if not keep]
            middle = [hama_result.sound(kept).samples[round((f.start + f.end) / 2 * 16_000)] for f in gone]
            assert not np.any(middle)


def test_the_listener_reads_what_the_ctc_reading_reads(hama_result):
    model = load_model("hama-ctc")
    reading = ctc.read(hama_result.clip, model)
    assert list(Transcriber(hama_result.clip, model).own) == [s for s in reading.text.split() if s != "|"]


def test_every_frame_of_a_minimal_set_is_needed(hama_result):
    listener = Transcriber(hama_result.clip, load_model("hama-ctc"))
    minimal = hama_result.named("LIME").minimal
    for frame in np.flatnonzero(minimal)[:4]:
        without = minimal.copy()
        without[frame] = False
        said = listener.heard([hama_result.sound(without).samples])[0]
        assert 1 - edits.error_rate(hama_result.heard.split(), said) < 0.5


def test_explanations_beat_chance_and_controls_are_there(hama_result):
    names = [each.name for each in hama_result.explanations]
    assert names == ["SFL", "LIME", "causal", "energy", "random 1", "random 2", "random 3"]
    chance = np.mean([each.size for each in hama_result.explanations if each.name.startswith("random")])
    assert hama_result.named("LIME").size < chance
    assert all(each.minimal_size <= each.size for each in hama_result.explanations[:4])
    overlaps = hama_result.overlaps()
    np.testing.assert_allclose(np.diag(overlaps), 1.0)


def test_the_silence_around_the_speech_is_not_needed(hama_result):
    """The clip's last 0.15 s are silent in its alignment; such frames rank low and are not in any minimal set."""
    quiet = hama_result.energy < 1e-4 * hama_result.energy.max()
    assert quiet.any()
    for each in hama_result.explanations[:4]:
        assert (each.minimal & quiet).sum() <= 1


@pytest.fixture(scope="module")
def wordy_model(tiny_model):
    """The random Whisper without its time stamps, which are no words; named anew, because caches go by that."""
    decoding = tiny_model.decoding
    silenced = dataclasses.replace(decoding, suppressed=tuple(range(decoding.no_timestamps, 64)))
    return dataclasses.replace(tiny_model, decoding=silenced, weights_sha256="wordy")


def test_whisper_end_to_end_and_same_seed_same_numbers(clip, wordy_model, monkeypatch):
    monkeypatch.setattr(whisper, "LONGEST_TRANSCRIPT", 8)  # a random decoder never ends by itself
    options = {"mutants": 20, "causal_budget": 40, "frame": 0.07, "language": "en", "window": "full"}
    short = Clip(clip.samples[:5600], "a third of a second")
    first, second = (asr_explanation.analyse(short, wordy_model, **options) for _ in range(2))
    np.testing.assert_array_equal(first.similarity, second.similarity)
    for a, b in zip(first.explanations, second.explanations, strict=True):
        np.testing.assert_array_equal(a.enough, b.enough)
    np.testing.assert_array_equal(first.mutants, sufficient_frames.mutants(len(first.frames), 20, 0))
    assert first.provenance["options"]["seed"] == 0
    assert not first.counts.flags.writeable


def test_table_has_one_line_per_frame(hama_result):
    table = hama_result.table()
    assert len(table) == len(hama_result.frames)
    assert table["kept_passed"].sum() == (hama_result.mutants & (hama_result.similarity >= 0.5)[:, None]).sum()
    np.testing.assert_array_equal(table["LIME_minimal"], hama_result.named("LIME").minimal)


def test_what_cannot_be_done_is_said(clip, tiny_model):
    with pytest.raises(UserError, match="This clip is silent"):
        asr_explanation.analyse(Clip(np.zeros(16_000, np.float32), "silence"), tiny_model)
    short = clip_from_samples(0.1 * np.random.default_rng(0).normal(size=1920), 16_000)
    with pytest.raises(UserError, match="choose narrower ones"):
        asr_explanation.analyse(short, load_model("hama-ctc"), frame=0.07)
    for options, complaint in (
        ({"frame": 0.5}, "“frame” cannot be 0.5; give a number from 0.02 to 0.07"),
        ({"threshold": 0.0}, "“threshold” cannot be 0.0"),
        ({"mutants": 3}, "“mutants” cannot be 3"),
        ({"formula": "Jaccard"}, "no “Jaccard” for “formula”; choose one of Ochiai"),
    ):
        with pytest.raises(UserError, match=complaint):
            asr_explanation.analyse(clip, tiny_model, **options)


# The tab


def test_every_stage_can_be_drawn(hama_result):
    empty = dataclasses.replace(hama_result, explanations=(), settled=None)
    first = dataclasses.replace(hama_result, explanations=hama_result.explanations[:1])
    for stage in (empty, first, hama_result):
        plot, *rest = asr_explanation_tab.drawn(stage, TAB)
        assert plot["seconds"] == hama_result.clip.seconds
        assert len(rest) == 3
    assert "versions heard" in asr_explanation_tab.status_line(first, TAB)
    assert "versions heard" in asr_explanation_tab.status_line(hama_result, TAB)
    assert rest[0].count("<audio") == 3


def test_figure_has_both_pictures(hama_result):
    figure = asr_explanation.plot(hama_result)
    assert len(figure.axes) == 2
    figure.savefig(io.BytesIO(), format="svg")


def test_frames_partition_the_clip(hama_result):
    frames = perturb.windows(hama_result.clip.seconds, 0.07)
    assert hama_result.frames == frames
    assert frames[0].start == 0.0
    assert frames[-1].end == hama_result.clip.seconds
