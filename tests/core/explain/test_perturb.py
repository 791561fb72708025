"""Sound with pieces taken out: what stays bit for bit, what comes instead, where the edges are."""

import numpy as np
import pytest
from scipy.signal import welch

from methods.core.audio import SAMPLE_RATE, load_clip
from methods.core.errors import UserError
from methods.core.explain import perturb, targets
from methods.core.explain.perturb import PAUSE, Game, filling, only, partition, replaced, windows
from methods.core.frames import Segment
from methods.core.models import load_model

RATE = SAMPLE_RATE
SPEECH = (0.1 * np.random.default_rng(0).standard_normal(2 * RATE) + 0.01).astype(np.float32)  # 2 s, with an offset
MIDDLE = Segment("word", 0.5, 1.0)
HALF = 40  # samples, half of the 5 ms cross-fade


# Pieces


def test_partition_covers_every_moment_once():
    words = [Segment("a", 0.2, 0.5), Segment("b", 0.5, 0.9), Segment("c", 1.3, 1.8)]
    pieces = partition(2.0, words)
    assert [piece.label for piece in pieces] == [PAUSE, "a", "b", PAUSE, "c", PAUSE]
    edges = [0.0, *(piece.end for piece in pieces)]
    assert [piece.start for piece in pieces] == edges[:-1]
    assert edges[-1] == 2.0


def test_a_gap_under_30_ms_belongs_to_its_neighbour():
    pieces = partition(1.0, [Segment("a", 0.02, 0.48), Segment("b", 0.5, 0.99)])
    assert [(piece.label, piece.start, piece.end) for piece in pieces] == [("a", 0.0, 0.5), ("b", 0.5, 1.0)]


def test_overlapping_words_are_parted_in_the_middle():
    pieces = partition(1.0, [Segment("a", 0.0, 0.6), Segment("b", 0.4, 1.0)])
    assert [piece.end for piece in pieces] == [0.5, 1.0]


def test_words_that_cannot_be_parted_or_placed_are_one_sentence():
    with pytest.raises(UserError, match="overlap with a third segment"):
        partition(1.0, [Segment("a", 0.0, 0.9), Segment("b", 0.0, 0.8), Segment("c", 0.1, 0.2)])
    with pytest.raises(UserError, match=r"begins at 1\.50 s but the clip ends at 1\.00 s"):
        partition(1.0, [Segment("late", 1.5, 2.0)])
    assert [piece.label for piece in partition(1.0, [])] == [PAUSE]


def test_windows_have_one_width_and_the_rest_joins_the_last():
    cut = windows(0.5)
    assert len(cut) == 7  # 0.5 / 0.07 = 7.1
    assert [round(window.end - window.start, 6) for window in cut] == [0.07] * 6 + [0.08]
    with pytest.raises(UserError, match=r"do not fit into a clip of 0\.05 s"):
        windows(0.05)


# What takes a piece's place


@pytest.mark.parametrize("mode", ["silence", "white noise", "pink noise", "mean"])
def test_only_the_piece_and_its_fades_change(mode):
    made = replaced(SPEECH, [MIDDLE], mode)
    changed = np.flatnonzero(made != SPEECH)
    assert made.dtype == np.float32 and len(made) == len(SPEECH)
    assert changed[0] >= RATE // 2 - HALF and changed[-1] < RATE + HALF
    inside = made[RATE // 2 + HALF : RATE - HALF]
    np.testing.assert_allclose(inside, filling(SPEECH, mode)[RATE // 2 + HALF : RATE - HALF], atol=1e-8)


def test_without_a_fade_the_edges_are_exact():
    made = replaced(SPEECH, [MIDDLE], fade=0.0)
    np.testing.assert_array_equal(made[: RATE // 2], SPEECH[: RATE // 2])
    np.testing.assert_array_equal(made[RATE // 2 : RATE], 0)
    np.testing.assert_array_equal(made[RATE:], SPEECH[RATE:])


def test_fades_are_straight_and_centred_on_the_edge():
    made = replaced(np.ones(RATE, np.float32), [Segment("w", 0.5, 0.8)])
    np.testing.assert_allclose(made[RATE // 2 - HALF : RATE // 2 + HALF], 1 - np.arange(80) / 80, atol=0.013)
    assert made[RATE // 2] == pytest.approx(0.5, abs=0.013)  # one of 80 steps
    assert np.abs(np.diff(made)).max() < 0.013


def test_neighbours_together_lose_what_they_lose_alone():
    first, second = Segment("a", 0.5, 0.7), Segment("b", 0.7, 1.0)
    lost = [SPEECH - replaced(SPEECH, cut) for cut in ([first], [second], [first, second])]
    # float32 samples of 0.1 to 0.5: three roundings of 3e-8.
    np.testing.assert_allclose(lost[0] + lost[1], lost[2], atol=2e-7)


def test_noise_has_the_clips_level_and_its_own_colour():
    level = np.sqrt(np.mean(SPEECH.astype(float) ** 2))
    for mode, slope in (("white noise", 0.0), ("pink noise", -1.0)):
        noise = filling(SPEECH, mode, seed=3)
        assert np.sqrt(np.mean(noise**2)) == pytest.approx(level, rel=1e-9)
        frequency, power = welch(noise, RATE, nperseg=2048)
        chosen = (frequency > 50) & (frequency < 6000)
        measured = np.polyfit(np.log(frequency[chosen]), np.log(power[chosen]), 1)[0]
        # Some 31 averaged spectra: each log power is off by 0.18; over 760 bins the slope by about 0.01 to 0.05.
        assert measured == pytest.approx(slope, abs=0.15)
    np.testing.assert_array_equal(filling(SPEECH, "white noise", 5), filling(SPEECH, "white noise", 5))
    assert (filling(SPEECH, "white noise", 5) != filling(SPEECH, "white noise", 6)).any()
    with pytest.raises(UserError, match="no replacement 'brown'"):
        filling(SPEECH, "brown")


def test_mean_is_the_mean_sample():
    assert replaced(SPEECH, [MIDDLE], "mean")[12_000] == pytest.approx(SPEECH.mean(), abs=1e-7)


# Cut out


def test_cut_keeps_exactly_the_time_that_is_left():
    made = replaced(SPEECH, [MIDDLE], "cut")
    assert len(made) == len(SPEECH) - RATE // 2
    np.testing.assert_allclose(made[: RATE // 2 - HALF], SPEECH[: RATE // 2 - HALF], atol=1e-8)
    np.testing.assert_allclose(made[RATE // 2 + HALF :], SPEECH[RATE + HALF :], atol=1e-8)


def test_cut_joins_without_a_jump():
    """A constant stays constant; two constants meet on a straight line as long as the fade."""
    np.testing.assert_allclose(replaced(np.full(RATE, 0.3, np.float32), [Segment("w", 0.4, 0.6)], "cut"), 0.3)
    step = np.where(np.arange(RATE) < RATE // 2, 0.0, 1.0).astype(np.float32)
    made = replaced(step, [Segment("w", 0.4, 0.6)], "cut")
    assert np.abs(np.diff(made)).max() == pytest.approx(1 / 80, rel=1e-5)


def test_cutting_all_leaves_the_shortest_silence():
    made = replaced(SPEECH, [Segment("all", 0.0, 2.0)], "cut")
    assert len(made) == RATE // 10 and not made.any()
    ends = replaced(SPEECH, [Segment("a", 0.0, 0.5), Segment("b", 1.0, 2.0)], "cut")
    np.testing.assert_allclose(ends, SPEECH[RATE // 2 : RATE], atol=1e-8)


# Margins, and what is left


def test_margins_widen_and_never_wrap_around():
    """A word that starts 20 ms into the clip, with a margin of 100 ms: the end of the clip must not change."""
    made = replaced(SPEECH, [Segment("early", 0.02, 0.2)], before=0.1, after=0.04, fade=0.0)
    np.testing.assert_array_equal(np.flatnonzero(made == 0), np.arange(round(0.24 * RATE)))
    np.testing.assert_array_equal(made[round(0.24 * RATE) :], SPEECH[round(0.24 * RATE) :])


def test_only_is_the_opposite():
    kept = [Segment("b", 1.2, 1.5), Segment("a", 0.2, 0.6), Segment("inside a", 0.3, 0.4)]
    rest = [Segment("", 0.0, 0.2), Segment("", 0.6, 1.2), Segment("", 1.5, 2.0)]
    np.testing.assert_array_equal(only(SPEECH, kept), replaced(SPEECH, rest))
    np.testing.assert_array_equal(only(SPEECH, [Segment("all", 0.0, 2.0)]), SPEECH)
    assert not only(SPEECH, []).any()


def test_energies_are_mean_powers():
    pieces = windows(2.0, 0.5)
    expected = [np.mean(part.astype(float) ** 2) for part in np.split(SPEECH, 4)]
    np.testing.assert_allclose(perturb.energies(SPEECH, pieces), expected)


# The game


class Counting:
    """The sum of the samples, and how often it was asked for."""

    def __init__(self):
        self.asked = 0
        self.base = float(SPEECH.sum())

    def score(self, samples):
        self.asked += 1
        return float(samples.sum())


def test_no_choice_is_run_twice():
    target = Counting()
    game = Game(target, SPEECH, windows(2.0, 0.5))
    assert game.value(np.ones(4, bool)) == target.base and target.asked == 0
    first = game.value(np.array([True, False, True, True]))
    assert first == game.value(np.array([True, False, True, True])) and target.asked == 1
    assert first == pytest.approx(float(replaced(SPEECH, [game.pieces[1]]).sum()))
    np.testing.assert_array_equal(game.sizes, [0.5] * 4)


def test_a_silent_clip_has_nothing_to_take_away():
    with pytest.raises(UserError, match="This clip is silent"):
        Game(Counting(), np.zeros(RATE, np.float32), windows(1.0))


def test_a_ctc_model_hears_silence_after_a_cut_sound():
    """What is left, by hand followed by zeros, gives the same number; cutting all is digital silence, not -inf."""
    clip, model = load_clip("examples_audio/cc-by-sa-3.0/en_f_weasels.wav"), load_model("hama-ctc")
    pieces = tuple(Segment(f"{i}", 0.5 * i, min(0.5 * (i + 1), clip.seconds)) for i in range(6))
    for wanted in (None, "f oʊ n"):
        target = targets.build(clip, model, "ctc", wanted=wanted)
        game = perturb.Game(target, clip.samples, pieces, "cut")
        kept = np.array([False, True, False, False, False, False])
        left = replaced(clip.samples, [p for p, k in zip(pieces, kept, strict=True) if not k], "cut")
        by_hand = np.concatenate((left, np.zeros(len(clip.samples) - len(left), np.float32)))
        assert game.value(kept) == pytest.approx(target.score(by_hand), abs=1e-4)
        nothing = game.value(np.zeros(6, bool))
        assert nothing == pytest.approx(target.score(np.zeros_like(clip.samples)), abs=1e-4) and np.isfinite(nothing)
