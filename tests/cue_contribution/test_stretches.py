"""Random stretches: where they may lie, how many are distinct, and what cue contribution makes of few of them."""

from dataclasses import replace

import numpy as np
import pytest

from methods import cue_contribution
from methods.core.frames import Segment
from methods.cue_contribution import stretches
from page.tabs import cue_contribution as tab


def test_random_stretches_keep_their_shape_and_their_distance():
    spans, target = [range(20, 23), range(25, 27)], range(40, 44)
    found = stretches.random_stretches(spans, target, 60, 12, 0)
    assert len(found.places) == 12 and found.where == "before the target"
    taken = {*range(20, 23), *range(25, 27), *target}
    for first, second in found.places:
        assert len(first) == 3 and len(second) == 2 and second.start - first.stop == 2
        assert first.start >= 0 and second.stop <= 40
        assert not taken & {*first, *second}
    assert stretches.random_stretches(spans, target, 60, 12, 0) == found
    assert stretches.random_stretches(spans, target, 60, 12, 1) != found


def test_random_stretches_without_room_say_so():
    found = stretches.random_stretches([range(5)], range(5, 9), 30, 20, 0)
    assert "after the target" in found.where
    assert sorted(span.start for (span,) in found.places) == list(range(9, 26))  # 17 places for 20 draws: each once
    nothing = stretches.random_stretches([range(5)], range(5, 9), 12, 20, 0)
    assert nothing.places == [] and nothing.distinct == 0 and "nowhere" in nothing.where


def test_places_that_overlap_count_once():
    """Eight places of ten frames that begin at frames 0 to 7 are one; of a single frame they are eight."""
    assert stretches.random_stretches([range(17, 27)], range(27, 30), 30, 20, 0).distinct == 1
    assert len(stretches.random_stretches([range(17, 27)], range(27, 30), 30, 20, 0).places) == 8
    assert stretches.random_stretches([range(8, 9)], range(9, 12), 30, 20, 0).distinct == 8
    assert stretches.random_stretches([range(8, 9)], range(9, 12), 30, 5, 0).distinct == 5
    for seed in range(5):
        found = stretches.random_stretches([range(60, 64)], range(64, 70), 99, 20, seed)
        apart = [set(span) for (span,) in found.places[: found.distinct]]
        assert sum(map(len, apart)) == len(set().union(*apart))  # no frame twice
        rest = [set(span) for (span,) in found.places[found.distinct :]]
        assert all(any(one & other for other in apart) for one in rest)
        # 60 frames hold 15 in all; places taken as they come leave gaps of 3 frames at most: 60 / (4 + 3) are 8.
        assert 8 <= found.distinct <= 15


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
    # " x" has two tokens: every run of two from 6 to 10, of which three lie apart; the same texts are replaced.
    short = cue_contribution.analyse(
        clip, tiny_model, cue="x", target="abc", stacks=("decoder",), silenced=0, **options
    )
    assert short.decoder_null.shape[-1] == 5 and len(short.replaced_null) == 5
    assert short.apart == (0, 3) and short.distinct("decoder") in (2, 3)  # by chance 7 and 9 may be taken first
    # Without the prompt's columns the places are the same.
    pair = [
        cue_contribution.analyse(
            clip, tiny_model, cue=word, target="abc", stacks=("decoder",), silenced=0, prompt=False, **options
        )
        for word in ("ab", "cd")
    ]
    np.testing.assert_allclose(pair[0].decoder_null[..., 0], pair[1].decoder, rtol=1e-6)
    assert pair[1].null_places == other.null_places


def test_few_stretches_mark_nothing(result):
    picture = cue_contribution.plot(result)
    marks = {ax.get_title().split("\n")[0]: any("•" in text.get_text() for text in ax.texts)
             for ax in picture.axes if "trained" in ax.get_title()}  # fmt: skip
    assert len(marks) == 3 and not any(marks.values())  # the tiny clip has room for a few stretches only
    assert all("no •" in ax.get_title() for ax in picture.axes if "trained" in ax.get_title())
    many = replace(result, null_distinct=np.array([10, 1, 9]), encoder_null=result.encoder_null * 0)
    assert (many.encoder > many.mark_band()[..., 1]).all() and many.mark_band("decoder") is None
    assert set(result.table()["null_distinct"].dropna()) == set(result.null_distinct)


def test_the_status_line_counts_distinct_stretches_and_says_why_nothing_is_marked(result):
    line = tab.status_line(result, {})
    assert "random stretches, decoder: 1 distinct, before the target (too few for •, which needs 10)" in line
    many = replace(result, null_distinct=np.array([12, 0, 10]))
    line = tab.status_line(many, {})
    assert "encoder: 12 distinct, before the target ·" in line and "cross: " not in line.split("distinct")[0]
    assert ", so no •" in line
    # Overlapping runs are not sold as so many: five of " x", three apart, in the table of consequences.
    shown = tab.probabilities(replace(result, replaced_null=np.full((5, 2), 0.5), apart=(5, 3)))
    assert "other text replaced instead (5 places, 3 apart)" in shown
    assert "other sound silenced instead (5 places)" in shown
