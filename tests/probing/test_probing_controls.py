"""Classification probes that must not flatter: who speaks in disguise, and control tasks that control nothing."""

from dataclasses import replace

import numpy as np
import pytest
from spoken import spoken

from methods import probing
from methods.core.frames import Segment
from page.tabs import probing as probing_tab


@pytest.fixture(scope="module")
def corpus():
    return spoken()


@pytest.fixture(scope="module")
def disguised():
    """Four voices, a tone each, and a sex that has nothing to do with the tone."""
    whole, rng = spoken(20, 4, speakers=("ann", "bob", "cat", "dan")), np.random.default_rng(1)
    tone, sex = {"ann": 110, "bob": 180, "cat": 250, "dan": 330}, {"ann": "f", "bob": "m", "cat": "m", "dan": "f"}
    utterances = []
    for u in whole.utterances:
        times = np.arange(len(u.clip.samples)) / 16_000
        samples = 0.3 * np.sign(np.sin(2 * np.pi * tone[u.speaker] * times)) + 0.02 * rng.normal(size=times.size)
        clip = replace(u.clip, samples=samples.astype(np.float32))
        utterances.append(replace(u, clip=clip, sex=sex[u.speaker]))
    return replace(whole, utterances=tuple(utterances))


def test_sex_that_is_only_who_speaks_is_not_read_by_default(disguised, tiny_model):
    options = {"target": "sex", "random_seeds": (), "control_seeds": (0,), "transfer": None}
    by_default = probing.analyse(disguised, tiny_model, **options)
    asked_for = probing.analyse(disguised, tiny_model, groups="utterance", **options)
    # Whoever knows the four voices is always right. Of a voice never heard the sex cannot be known: each of the four
    # is then right or wrong as a whole, more or less, so a layer may be right about three of them, not about all.
    assert (asked_for.accuracy > 0.95).all() and asked_for.controls.baseline_scores[0, 0] > 0.95
    assert (by_default.accuracy < 0.9).all() and by_default.controls.baseline_scores[0, 0] < 0.9
    known = by_default.provenance["options"]
    assert (known["groups"], known["split"]) == ("auto", "speaker")
    values = {"layer": 0, "score": "accuracy"}
    assert "split by speaker, so that nobody is on both sides" in probing_tab.status_line(by_default, values)
    assert "so this may be who speaks" in probing_tab.status_line(asked_for, values)


def test_where_no_finer_type_is_known_there_is_no_control_task(corpus, tiny_model):
    turns = tuple(Segment("xy"[i % 2], 0.05 * i, 0.05 * i + 0.05) for i in range(20))
    own = replace(
        corpus, utterances=tuple(replace(u, words=(), phones=(), tiers={"x": turns}) for u in corpus.utterances)
    )
    result = probing.analyse(own, tiny_model, target="tier:x", random_seeds=(), transfer=None)
    told = "no control task: no finer type is known (no words tier)"
    assert result.control.shape == result.selectivity.shape == (0, 3)
    assert not result.table()["features"].str.startswith("control task").any()
    figure = probing.plot(result)
    assert figure.axes[1].get_visible() and [text.get_text() for text in figure.axes[1].texts] == [told]
    values = {"layer": 0, "score": "accuracy"}
    assert told in probing_tab.status_line(result, values)
    assert told in probing_tab.drawn(result, values)[1]


def test_what_the_control_task_is_by_is_said(corpus, tiny_model):
    options = {"random_seeds": (), "control_seeds": (0,), "transfer": None}
    result = probing.analyse(corpus, tiny_model, layers=(1,), **options)
    assert "control task by place in the word" in probing_tab.status_line(result, {"layer": 0})
    labels = [line.get_label() for line in probing.plot(result).axes[1].lines]
    assert "control task by place in the word" in labels
    none = probing.analyse(corpus, tiny_model, layers=(1,), **options | {"control_seeds": ()})
    assert "no control task: none was asked for" in probing_tab.status_line(none, {"layer": 0})
