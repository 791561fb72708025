"""Phone focus: networks whose gradients are known, distances against SciPy, balanced groups, and real recognisers."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.stats import wasserstein_distance

from methods import phone_focus
from methods.core import corpus as corpora
from methods.core.corpus import Corpus, Utterance
from methods.core.corpus.items import Items
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models import load_model
from methods.phone_focus import REACH, analysis
from methods.phone_focus import readout as phone_readout
from page.tabs import phone_focus as phone_focus_tab

PHONES = tuple(Segment(label, start, end) for label, start, end in
               (("iy", 0.0, 0.2), ("s", 0.2, 0.3), ("iy", 0.3, 0.5), ("t", 0.6, 0.7), ("s", 0.7, 0.9)))  # fmt: skip


def entering(frames=90, bins=4):
    return torch.randn(1, bins, frames, generator=torch.Generator().manual_seed(0)).requires_grad_()


def test_identity_network_looks_only_at_the_phone():
    mel = entering()
    spans = [range(20, 30), range(70, 90)]
    shares = phone_readout.gradient_shares(mel[0].T, mel, spans, [1, 3])
    for row, span in zip(shares, spans, strict=True):
        assert row[span.start : span.stop].sum() == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(row[span.start : span.stop], 1 / len(span))
        assert phone_readout.earth_mover(row, span, 0.01) == pytest.approx(0.0, abs=1e-12)


def test_a_moving_average_by_hand():
    """Each output is the sum of three inputs: of a phone of n frames one third of 2 / n lies outside."""
    mel = entering()
    padded = torch.nn.functional.pad(mel[0], (1, 1))
    scores = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]).T
    (row,) = phone_readout.gradient_shares(scores, mel, [range(20, 30)], [2])
    expected = np.convolve(np.ones(10), np.ones(3)) / 30  # frames 19 to 30
    np.testing.assert_allclose(row[19:31], expected, rtol=1e-6)
    assert row[20:30].sum() == pytest.approx(1 - 2 / 30)


def test_a_network_that_ignores_the_sound_has_no_focus():
    mel = entering()
    assert np.isnan(phone_readout.gradient_shares(0 * mel[0].T, mel, [range(5, 9)], [0])).all()


def test_distance_is_scipys():
    random = np.random.default_rng(0)
    shares = random.random(60)
    shares /= shares.sum()
    span = range(10, 25)
    even = np.zeros(60)
    even[10:25] = 1 / 15
    expected = wasserstein_distance(np.arange(60) * 0.01, np.arange(60) * 0.01, shares, even)
    assert phone_readout.earth_mover(shares, span, 0.01) == pytest.approx(expected, rel=1e-9)


@pytest.fixture(scope="module")
def two(clip):
    """Two speakers who say the same sounds over noise, so that nothing is learnt and all is quick."""
    return Corpus("two", tuple(Utterance(clip, speaker, phones=PHONES) for speaker in ("ann", "<b>bob")))


@pytest.fixture(scope="module")
def result(two):
    return phone_focus.analyse(two, load_model("hama-ctc"), most=4, random_seeds=(0,))


def test_shares_sum_to_one_and_stay_in_range(result):
    assert result.shares.shape == (5, 8, 2 * REACH + 1)
    whole = result.shares.sum(-1) + result.elsewhere
    np.testing.assert_allclose(whole, 1.0, atol=1e-12)
    assert (result.shares >= 0).all() and (result.elsewhere > -1e-9).all()
    assert (result.distances >= 0).all()
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        assert not isinstance(value, np.ndarray) or (np.isfinite(value).all() and not value.flags.writeable)


def test_what_is_known_so_far_is_shown_and_groups_take_turns(two):
    steps = phone_focus.analyse.in_steps(two, load_model("hama-ctc"), most=3, random_seeds=())
    shown, whole = [], None
    while whole is None:
        try:
            shown.append(next(steps).partial)
        except StopIteration as end:
            whole = end.value
    first = next(partial for partial in shown if partial is not None)
    mine = whole.utterance == whole.utterance[0]
    assert len(first.phone) == mine.sum() < len(whole.phone) and not first.complete and phone_focus.plot(first)
    np.testing.assert_array_equal(first.shares, whole.shares[:, mine])
    other = Items(
        *(np.array(each) for each in ([0, 1, 2, 3, 4], np.zeros(5), np.ones(5), list("abcde"))),
        {"speaker": np.array(["x", "x", "x", "y", "z"])},
    )
    assert analysis._in_turn(other, "speaker") == [0, 3, 4, 1, 2]


def test_equal_recordings_have_equal_focus(result):
    """Both speakers are the same sound, and the same phones are drawn from each."""
    assert result.groups == ("<b>bob", "ann")
    first, second = (result.mean(result.focus, number)[0] for number in (0, 1))
    # The sums are the same; gradients of one graph, taken in another order, differ by float32's rounding (6e-8),
    # which adds up over the 90 frames at most.
    np.testing.assert_allclose(first, second, atol=90 * 6e-8)


def repeated(result, utterance, focus):
    """The result with other phones, all of one group: (phones,) the recording of each and its focus."""
    shares = np.zeros((1, len(focus), 2 * REACH + 1))
    shares[0, :, REACH] = focus
    return dataclasses.replace(result, shares=shares, utterance=utterance, group=np.zeros(len(focus), int))


def test_the_standard_error_is_over_recordings_and_not_over_their_phones(result):
    """With equally many phones it is that of the recordings' means, with one phone each that of the phones."""
    focus = np.random.default_rng(0).random(24)
    for phones in (1, 4):
        utterance = np.repeat(np.arange(24 // phones), phones)
        means = focus.reshape(-1, phones).mean(1)
        found = repeated(result, utterance, focus)
        mean, error = found.mean(found.focus, 0)
        assert mean[0] == pytest.approx(focus.mean()) and error[0] == pytest.approx(stats.sem(means))
    alone = repeated(result, np.zeros(24, int), focus)
    assert np.isnan(alone.mean(alone.focus, 0)[1]).all()


def test_the_standard_error_holds_the_mean_as_often_as_it_says(result):
    """8 recordings of 3 phones, half of the variance the recording's: Student's t with 7 degrees, .65 within 1."""
    held, rng = 0, np.random.default_rng(1)
    utterance = np.repeat(np.arange(8), 3)
    for _ in range(400):
        found = repeated(result, utterance, rng.normal(size=8)[utterance] + rng.normal(size=24))
        mean, error = found.mean(found.focus, 0)
        held += abs(mean[0]) <= error[0]
    within = stats.t.cdf(1, 7) - stats.t.cdf(-1, 7)
    assert stats.binom.ppf(0.005, 400, within) <= held <= stats.binom.ppf(0.995, 400, within)


def test_the_first_layer_hears_only_what_is_near(result):
    """The stem has 3 taps and a stride of 2: one frame of 10 ms beyond a phone, and two more by rounding to 20 ms.

    All phones here last 100 ms or more: nothing can lie beyond the next one.
    """
    beyond = np.abs(np.arange(-REACH, REACH + 1)) > 1
    np.testing.assert_array_equal(result.shares[0][:, beyond], 0.0)
    assert (result.shares[-1][:, beyond].sum(-1) > 0).any()
    # Mass is moved 3 frames into the phone at most, and from there to an even spread half of the phone.
    assert (result.distances[0] <= 0.03 + (result.ends - result.starts) / 2).all()


def test_groups_say_the_same_phones(clip):
    rich = Utterance(clip, "rich", phones=PHONES)
    poor = Utterance(clip, "poor", phones=PHONES[:2])
    readout = phone_readout.phone_readout(load_model("hama-ctc"))
    items = phone_focus.chosen_items(Corpus("x", (rich, poor)), readout, "speaker", 20, True)
    for speaker in ("rich", "poor"):
        assert sorted(items.label[items.columns["speaker"] == speaker]) == ["iy", "s"]
    free = phone_focus.chosen_items(Corpus("x", (rich, poor)), readout, "speaker", 20, False)
    assert len(free) == 7


@pytest.fixture(scope="module")
def accents(clip):
    """Three speakers of two accents, and one whose accent nobody wrote down."""
    named = zip(("ann", "bob", "cal", "dee"), ("Scottish", "Indian", "Scottish", ""), strict=True)
    return Corpus("accents", tuple(Utterance(clip, who, phones=PHONES, accent=accent) for who, accent in named))


def test_recordings_are_compared_by_accent(accents):
    found = phone_focus.analyse(accents, load_model("hama-ctc"), group_by="accent", most=2, random_seeds=())
    assert found.groups == ("(not known)", "Indian", "Scottish")
    own = [accents.utterances[number].accent or "(not known)" for number in found.utterance]
    assert [found.groups[number] for number in found.group] == own
    assert "compared by accent" in phone_focus_tab.status_line(found, {"layer": 1})
    assert set(found.table()["group"]) == {"(not known)", "Indian", "Scottish"}


def test_the_tab_offers_what_the_own_corpus_has(accents, two):
    def offered(own, group_by="speaker"):
        update = phone_focus_tab._offered(own, group_by)
        return [value for _, value in update["choices"]], update["value"]

    usual = ["speaker", "sex", "language"]
    assert offered(None) == offered(two) == (usual, "speaker")
    assert offered(accents, "accent") == ([*usual, "accent"], "accent")
    assert offered(two, "accent") == (usual, "speaker")  # the choice goes with the corpus


def test_table_plot_and_page(result):
    table = result.table()
    assert len(table) == result.focus.size
    np.testing.assert_array_equal(table["focus"], result.focus.ravel())
    phone_focus.plot(result)
    values = phone_focus_tab.fitted(result, {"layer": 40})
    assert values["layer"] == 4
    drawn = phone_focus_tab.drawn(result, values)
    assert "<b>" not in drawn[3]
    assert result.complete and phone_focus_tab.status_line(result, values)


def test_what_cannot_be_done_is_said(two, clip, tiny_model):
    with pytest.raises(UserError, match="no head that tells phones"):
        phone_focus.analyse(two, tiny_model)
    model = load_model("hama-ctc")
    with pytest.raises(UserError, match="no phones with times"):
        phone_focus.analyse(Corpus("none", (Utterance(clip, "ann"),)), model)
    with pytest.raises(UserError, match="no “mood” for “group_by”; choose one of speaker"):
        phone_focus.analyse(two, model, group_by="mood")
    with pytest.raises(UserError, match="have no “accent”; write it into a column of that name"):
        phone_focus.analyse(two, model, group_by="accent")
    apart = Corpus("apart", (Utterance(clip, "a", phones=PHONES[:1]), Utterance(clip, "b", phones=PHONES[1:2])))
    with pytest.raises(UserError, match="no kind of phone in common"):
        phone_focus.analyse(apart, model)


@pytest.mark.weights
@pytest.mark.parametrize("name", ["hama-ctc", "openai/whisper-tiny.en"])
def test_real_networks_use_more_context_higher_up(name):
    corpus = corpora.bundled("voices").only(["sphinx_demo"])
    result = phone_focus.analyse(corpus, load_model(name), most=4, random_seeds=())
    mean = result.mean(result.focus, 0)[0]
    assert mean[0] == mean.max() and mean[-1] < mean[0]  # the order; how far they lie apart is the result, not a law
    assert (mean > result.even.mean()).all()
