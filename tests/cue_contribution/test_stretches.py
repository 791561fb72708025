"""Random stretches: where they may lie, how many are distinct, and what cue contribution makes of few of them."""

from dataclasses import replace

import numpy as np
import pytest

from methods import cue_contribution
from methods.core.frames import Segment
from methods.cue_contribution import stretches
from page.tabs import cue_contribution as tab


def test_random_stretches_keep_their_shape_and_overlap_nothing():
    spans, target = [range(220, 223), range(225, 227)], range(240, 244)
    found = stretches.random_stretches(spans, target, 260, 25, 0)
    assert len(found.places) == found.distinct == 25 and found.where == "before the target"
    taken = [{*first, *second, *range(first.stop, second.start)} for first, second in [*found.places, spans]]
    assert sum(map(len, taken)) == len(set().union(*taken))  # no frame twice, the cue's own among them
    assert all(
        len(first) == 3 and len(second) == 2 and second.start - first.stop == 2 for first, second in found.places
    )
    assert min(first.start for first, _ in found.places) >= 0 and max(last.stop for _, last in found.places) <= 240
    assert stretches.random_stretches(spans, target, 260, 25, 0) == found
    assert stretches.random_stretches(spans, target, 260, 25, 1) != found


def test_random_stretches_where_there_is_little_room_say_so():
    found = stretches.random_stretches([range(5)], range(5, 9), 30, 20, 0)
    assert found.where == "after the target (no room before it)"
    assert sorted(span.start for (span,) in found.places) == [10, 15, 20, 25]  # side by side with the cue
    nothing = stretches.random_stretches([range(5)], range(5, 9), 14, 20, 0)
    assert nothing.places == [] and nothing.distinct == 0 and "nowhere" in nothing.where
    # Eighteen before the target are too few to mark anything, so those after it join them; nineteen are enough.
    for before, where, count in ((18, "before and after the target", 20), (19, "before the target", 19)):
        cue = range(2 * before, 2 * before + 2)
        found = stretches.random_stretches([cue], range(cue.stop, cue.stop + 3), cue.stop + 8, 39, 0)
        assert (found.where, found.distinct) == (where, count)
    assert (
        stretches.random_stretches([range(8, 9)], range(9, 12), 30, 5, 0).where == "before the target"
    )  # 5 are asked


def test_any_place_might_have_been_the_cue():
    """What makes the rank a test: whichever place of a row is the cue, the row is the same."""
    for count, end in ((6, 60), (25, 110)):
        rows = set()
        for cue in range(count):
            span = [range(3 + 4 * cue, 7 + 4 * cue)]
            target = range(4 * count + 3, 4 * count + 10)
            found = stretches.random_stretches(span, target, end, 99, cue)
            rows.add(frozenset(place.start for (place,) in [*found.places, span]))
        assert len(rows) == 1 and len(rows.pop()) > count - 1


@pytest.mark.parametrize(("places", "share"), [(18, 0), (19, 1 / 20), (20, 1 / 21), (38, 1 / 39), (39, 2 / 40)])
def test_a_cue_that_is_one_more_place_is_marked_as_often_as_is_said(places, share):
    """Ranks of exchangeable values are uniform: P(p ≤ .05) is the largest k / (n + 1) that is no more than .05."""
    assert stretches.chance_share(places) == pytest.approx(share)
    values = np.random.default_rng(places).exponential(size=(20_000, places + 1))
    marked = stretches.rank_p(values[:, 0], values[:, 1:]) <= stretches.LEVEL
    assert abs(marked.mean() - share) <= 4 * np.sqrt(share / len(values))  # four standard deviations
    slow = [(1 + sum(x >= row[0] for x in row[1:])) / (places + 1) for row in values[:50]]
    np.testing.assert_allclose(stretches.rank_p(values[:50, 0], values[:50, 1:]), slow)


def test_ties_are_no_marks_and_what_has_no_share_has_no_rank():
    assert stretches.rank_p(np.zeros(3), np.zeros((3, 30))).tolist() == [1, 1, 1]
    unknown = np.full((1, 19), np.nan)  # places where nothing comes from: they are no evidence for the cue
    assert stretches.rank_p(np.ones(1), unknown) == 1
    assert np.isnan(stretches.rank_p(np.array([np.nan]), np.zeros((1, 30)))).all()


def test_the_nearest_texts_come_first_and_overlaps_last():
    found = stretches.nearest_stretches([range(10, 12)], 15, 20, 4)
    assert [span.start for (span,) in found.places] == [13, 8, 6, 4, 12, 7, 5] and found.distinct == 4
    assert stretches.nearest_stretches([range(10, 12)], 15, 3, 4).distinct == 3


# In cue contribution, on a tiny network


@pytest.fixture(scope="module")
def spoken():
    """Four words of unequal length with a pause, named like the text that the decoder reads."""
    bounds = ((0.0, 0.22), (0.22, 0.3), (0.5, 0.95), (0.95, 1.3))
    names = ("x", "ab", "cd", "abc")
    return tuple(Segment(label, start, end) for label, (start, end) in zip(names, bounds, strict=True))


@pytest.fixture(scope="module")
def result(clip, tiny_model, spoken):
    return cue_contribution.analyse(
        clip, tiny_model, cue="ab", target="abc", alternative="abd", swapped="xyz", segments=spoken,
        transcript="x ab cd abc", language="en", random_seeds=(0, 1), draws=25,
    )  # fmt: skip


def test_a_decoders_stretches_are_text_and_each_is_there_once(clip, tiny_model, spoken, result):
    """Tokens: 4 of the prompt, " x" (4, 5), " ab" (6 to 8), " cd" (9 to 11), then the target " abc" from 12 on."""
    # Three tokens long, on text, before 12 and not on the cue: " cd" is the only place.
    assert dict(result.null_places)["decoder"] == "before the target"
    assert result.decoder_null.shape == (3, 2, 1) and result.distinct("decoder") == 1
    options = {"segments": spoken, "transcript": "x ab cd abc", "language": "en", "random_seeds": ()}
    other = cue_contribution.analyse(
        clip, tiny_model, cue="cd", target="abc", stacks=("decoder",), silenced=0, **options
    )
    np.testing.assert_allclose(result.decoder_null[..., 0], other.decoder, rtol=1e-6)
    # " x" has two tokens: runs of two from 6, 8 and 10, side by side with it; of texts that are replaced, all five.
    short = cue_contribution.analyse(
        clip, tiny_model, cue="x", target="abc", stacks=("decoder",), silenced=0, **options
    )
    assert short.decoder_null.shape[-1] == short.distinct("decoder") == 3 and len(short.replaced_null) == 5
    assert short.apart == (0, 3)
    # Without the prompt's columns the places are the same.
    pair = [
        cue_contribution.analyse(
            clip, tiny_model, cue=word, target="abc", stacks=("decoder",), silenced=0, prompt=False, **options
        )
        for word in ("ab", "cd")
    ]
    np.testing.assert_allclose(pair[0].decoder_null[..., 0], pair[1].decoder, rtol=1e-6)
    assert pair[1].null_places == other.null_places


def with_null(result, places, above=0):
    """The same with so many stretches in the encoder, `above` of them higher than the cue."""
    null = np.zeros((*result.encoder.shape, places))
    null[..., :above] = 2
    return replace(result, encoder_null=null)


def test_few_stretches_mark_nothing_and_nineteen_do(result):
    titles = [ax.get_title() for ax in cue_contribution.plot(result).axes if "trained" in ax.get_title()]
    assert [title.split("(random stretches ")[1] for title in titles] == [f"{n}: no •)" for n in (10, 1, 10)]
    assert result.dots() == (0, 0, 0.0)
    assert with_null(result, 18).marked() is None
    many = with_null(result, 19)
    assert many.marked().all() and many.dots() == (6, 6, pytest.approx(0.3))
    assert with_null(result, 19, above=1).dots()[0] == 0 and with_null(result, 39, above=1).dots()[0] == 6
    picture = cue_contribution.plot(many)
    assert "trained: 6 •, by chance 0.3" in picture.axes[0].get_title()
    assert sum("•" in text.get_text() for ax in picture.axes for text in ax.texts) == 6
    table = many.table().query("attention == 'encoder'")
    assert set(table["rank_p"]) == {1 / 20} and set(table["null_distinct"]) == {19} and set(table["null_mean"]) == {0}


def test_the_trained_shares_come_first_and_then_their_stretches(clip, tiny_model, spoken, result):
    steps = cue_contribution.analyse.in_steps(
        clip, tiny_model, cue="ab", target="abc", alternative="abd", swapped="xyz", segments=spoken,
        transcript="x ab cd abc", language="en", random_seeds=(0,), draws=25,
    )  # fmt: skip
    shown = [step.partial for step in steps if step.partial is not None]
    first, last = shown[0], shown[-1]
    np.testing.assert_array_equal(first.encoder, result.encoder)
    assert not first.complete and first.null() is None and first.marked() is None and first.logprobs is None
    assert "Comes after the random stretches" in tab.probabilities(first)
    assert "random stretches" not in tab.status_line(first, {}) and cue_contribution.plot(first).axes
    assert first.table()["rank_p"].isna().all()
    np.testing.assert_array_equal(last.encoder_null, result.encoder_null)
    np.testing.assert_array_equal(last.logprobs, result.logprobs)


def test_the_status_line_counts_stretches_and_dots_and_says_why_nothing_is_marked(result):
    line = tab.status_line(result, {})
    assert "random stretches, decoder: 1, before the target (too few for •, which needs 19)" in line
    assert "chance alone" not in line
    line = tab.status_line(replace(with_null(result, 20), cross_null=np.zeros((3, 2, 0))), {})
    assert "encoder: 20, before the target ·" in line and ", so no •" in line
    assert "• in 6 of 6 cells; chance alone would mark about 0.3" in line
    # Overlapping runs are not sold as so many: five of " x", three apart, in the table of consequences.
    shown = tab.probabilities(replace(result, replaced_null=np.full((5, 2), 0.5), apart=(5, 3)))
    assert "other text replaced instead (5 places, 3 apart)" in shown
    assert f"other sound silenced instead ({len(result.silenced_null)} places)" in shown
