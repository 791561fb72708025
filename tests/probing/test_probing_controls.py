"""Classification probes that must not flatter: who speaks in disguise, and control tasks that control nothing."""

from dataclasses import replace

import numpy as np
import pytest
from spoken import spoken

from methods import probing
from methods.core.corpus.labels import task
from methods.core.frames import Segment
from methods.core.progress import finish
from methods.probing import probes
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


def test_a_type_that_training_never_showed_is_not_counted(corpus):
    """Every other word has a name of its own: what label its places have in a control task nobody could know."""
    utterances = []
    for number, u in enumerate(corpus.utterances):
        own = (replace(w, label=f"{w.label}{number}.{i}") if i % 2 else w for i, w in enumerate(u.words))
        utterances.append(replace(u, words=tuple(own)))
    strange = replace(corpus, utterances=tuple(utterances))
    plan = probes.plan(task(strange, "phone"), "segments", "ridge", "utterance", (0, 1, 2), 0)
    types = plan.task.types
    for item in range(len(types)):  # slowly
        others = {types[other] for other in range(len(types)) if plan.fold[other] != plan.fold[item]}
        assert plan.learnable[item] == (types[item] in others)
    assert 0.4 < plan.learnable.mean() < 0.6
    names = sorted(set(types))
    by_type = np.eye(len(names), dtype=np.float32)[np.searchsorted(names, types)]
    found = finish(probes._layer(by_type, np.arange(len(types)), plan))
    accuracy, control, own = found[0], found[4], found[5]
    # One feature per type learns every control label that can be learnt: nothing is left of the accuracy. Counted over
    # all items it would look selective, although it knows nothing but types.
    assert control == [1, 1, 1] and own == 1
    assert accuracy < 0.8


def test_too_few_learnable_items_are_no_control_task(corpus):
    utterances = []
    for number, u in enumerate(corpus.utterances):
        own = tuple(replace(w, label=f"{w.label}{number}.{i}") for i, w in enumerate(u.words))
        utterances.append(replace(u, words=own))
    asked = task(replace(corpus, utterances=tuple(utterances)), "phone")
    plan = probes.plan(asked, "segments", "ridge", "utterance", (0, 1, 2), 0)
    assert not plan.learnable.any() and plan.controls == ()


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
    status = probing_tab.status_line(result, {"layer": 0})
    assert f"control task by place in the word, counted on {result.items} of {result.items} items (100%)" in status
    assert "interval: 95%, leaving out recordings before training" in status
    assert probing.plot(result).axes[1].get_ylabel() == f"share of {result.items} of {result.items} items"
    labels = [line.get_label() for line in probing.plot(result).axes[1].lines]
    assert "control task by place in the word" in labels
    none = probing.analyse(corpus, tiny_model, layers=(1,), **options | {"control_seeds": ()})
    assert "no control task: none was asked for" in probing_tab.status_line(none, {"layer": 0})
