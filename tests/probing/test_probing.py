"""Classification probes: toys whose answer is known, scikit-learn, and the pattern of the bundled corpus."""

import warnings
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from spoken import PHONES, Noise, phone_only, spoken, states, word_and_place

from methods import probing
from methods.core import corpus as corpora
from methods.core.corpus import features
from methods.core.corpus.files import CorpusError
from methods.core.corpus.labels import task
from methods.core.errors import UserError
from methods.core.models import load_model
from methods.core.progress import finish
from methods.core.statistics import linear_probe
from methods.probing import probes, transfer


@pytest.fixture(scope="module")
def corpus():
    return spoken()


def planned(corpus, target="phone", unit="segments", kind="ridge", groups="utterance", controls=(0, 1, 2)):
    return probes.plan(task(corpus, target), unit, kind, groups, controls, 0)


def chance(plan):
    """Lowest and highest share that knowing nothing gives: from guessing at the classes' shares to the commonest.

    Three standard errors on either side, taking two items of a recording for independent.
    """
    shares = np.bincount(plan.task.codes) / len(plan.task.items)
    error = 3 * np.sqrt(0.25 / len(plan.task.items))
    return (shares**2).sum() - error, shares.max() + error


# Toys


def test_what_is_plainly_there_is_read_and_noise_is_not(corpus):
    plan = planned(corpus)
    held = finish(probes.measure(states(corpus, phone_only, Noise(), noise=0.01), plan))
    assert held.accuracy[0] == held.high[0] == 1 and held.low[0] == pytest.approx(0.025 ** (1 / 15))  # 15 recordings
    np.testing.assert_array_equal(held.confusion[0], np.diag(np.bincount(plan.task.codes)))
    assert held.balanced[0] == held.macro_f1[0] == 1
    low, high = chance(plan)
    assert low <= held.accuracy[1] <= high
    assert held.low[1] < held.accuracy[1] < held.high[1]
    assert held.confusion[1].sum() == len(plan.task.items)
    assert ((low <= held.shuffled) & (held.shuffled <= high)).all()
    assert (
        (low <= held.control[:, 1]) & (held.control[:, 1] <= high + 0.15)
    ).all()  # its commonest class may be larger


@pytest.mark.parametrize("unit", probes.UNITS)
def test_every_unit_reads_what_is_plain(corpus, unit):
    plan = planned(corpus, unit=unit)
    held = finish(probes.measure(states(corpus, phone_only, noise=0.01), plan))
    assert held.accuracy.tolist() == [1]
    assert held.confusion.sum() == len(plan.task.items) * (3 if unit == "frames" else 1)  # three frames each


def test_types_as_features_learn_the_control_task_by_heart(corpus):
    plan = planned(corpus)
    held = finish(probes.measure(states(corpus, word_and_place, phone_only), plan))
    # Every place of a word is known from training: any labels of places can be read, and nothing is selective.
    assert (held.control[:, 0] == 1).all() and held.accuracy[0] == 1
    assert plan.learnable.all()
    np.testing.assert_array_equal(held.selectivity, held.accuracy - held.control)
    assert (held.selectivity[:, 0] == 0).all()
    # From the phone alone the best is, for each phone, the commonest label of its places.
    for control, said in zip(plan.controls, held.control[:, 1], strict=True):
        best = sum(np.bincount(control[plan.task.codes == code]).max() for code in range(len(PHONES)))
        assert said <= best / len(control) < 1
    assert (held.selectivity[:, 1] > 0).all()


def test_more_recordings_teach_more(corpus):
    plan = planned(spoken(40, 8, seed=2))
    noisy = states(spoken(40, 8, seed=2), lambda *held: [*phone_only(*held), *([0.0] * 40)], noise=1.5)
    values = features.pooled(noisy, plan.task.items)[0]
    item = np.arange(len(values))
    curve = finish(transfer.learning_curve(values, item, plan, 10.0, (3, 8, 32)))
    assert curve[0] + 0.03 < curve[1] and curve[1] + 0.03 < curve[2]
    # With all 32 training recordings of each fold it is plain cross-validation.
    right = np.zeros(len(item), dtype=bool)
    for k in range(5):
        known = plan.fold != k
        model = make_pipeline(StandardScaler(), Ridge(alpha=10.0))
        model.fit(values[known].astype(float), linear_probe.one_hot(plan.task.codes[known], 6))
        right[~known] = model.predict(values[~known].astype(float)).argmax(1) == plan.task.codes[~known]
    assert curve[2] == pytest.approx(right.mean(), abs=2 / len(item))  # rounding may turn a tie


def test_a_probe_of_one_speaker_on_another():
    corpus = spoken(24, 6, speakers=("ann", "bob", "cat"))

    def own_code(phone, word, place, speaker):
        """Bob's phones are coded as the next phone's are by the others."""
        return np.roll(phone_only(phone, word, place, speaker), speaker == "bob") if phone else np.zeros(len(PHONES))

    asked = task(corpus, "phone")
    values = features.pooled(states(corpus, own_code, noise=0.01), asked.items)[0]
    names, table = finish(transfer.between_speakers(values, np.arange(len(values)), asked, 1.0, 60))
    assert names == ("ann", "bob", "cat")
    assert table.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    most = max((asked.items.columns["speaker"] == name).sum() for name in names)
    assert finish(transfer.between_speakers(values, np.arange(len(values)), asked, 1.0, most + 1))[0] == ()


def test_a_speaker_with_two_recordings_has_no_score_of_their_own():
    corpus = spoken(5, 9, speakers=("ann", "bob"))
    asked = task(corpus, "phone")
    values = features.pooled(states(corpus, phone_only, noise=0.01), asked.items)[0]
    names, table = finish(transfer.between_speakers(values, np.arange(len(values)), asked, 1.0, 10))
    assert names == ("ann", "bob") and np.isnan(table).tolist() == [[False, False], [False, True]]


# Logistic regression


def test_logistic_probes_are_scikit_learns(corpus):
    plan = planned(corpus, kind="logistic")
    noisy = states(corpus, phone_only, noise=1.2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # that it did not converge, say
        held = finish(probes.measure(noisy, plan))
    assert len(held.control) == 1  # the others would cost as much each
    values, codes = features.pooled(noisy, plan.task.items)[0], plan.task.codes
    chosen = 1 / held.penalty[0]
    assert chosen in probes.INVERSE_PENALTIES

    def model(c):
        return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000, tol=1e-8))

    known, judge = plan.fold > 1, plan.fold == 1
    right = {
        c: model(c).fit(values[known], codes[known]).score(values[judge], codes[judge])
        for c in probes.INVERSE_PENALTIES
    }
    assert right[chosen] >= max(right.values()) - 0.02
    said = np.empty_like(codes)
    for k in range(5):
        said[plan.fold == k] = (
            model(chosen).fit(values[plan.fold != k], codes[plan.fold != k]).predict(values[plan.fold == k])
        )
    assert held.accuracy[0] == pytest.approx((said == codes).mean(), abs=0.01)  # stopped a little earlier: near ties


@pytest.mark.parametrize("target", ["phone", "voicing"])
@pytest.mark.parametrize("kind", probes.KINDS)
def test_a_probe_on_all_items_is_an_affine_map(corpus, target, kind):
    asked = task(corpus, target)
    values = features.pooled(states(corpus, phone_only, noise=0.8), asked.items)[0].astype(float)
    probe = finish(probes.fitted(values, asked.codes, len(asked.classes), kind, 10.0))
    assert probe.weights.shape == (6, len(asked.classes))
    scaler = StandardScaler().fit(values)
    if kind == "ridge":
        theirs = Ridge(alpha=10.0).fit(scaler.transform(values), linear_probe.one_hot(asked.codes, len(asked.classes)))
        np.testing.assert_allclose(probe(values), theirs.predict(scaler.transform(values)), atol=1e-9)
    else:
        theirs = LogisticRegression(C=0.1, tol=1e-9, max_iter=1000).fit(scaler.transform(values), asked.codes)
        scores = np.exp(probe(values) - probe(values).max(1, keepdims=True))
        # The gradient at which it stops, 1e-3 of a sum over items, leaves probabilities right to two digits or more.
        np.testing.assert_allclose(
            scores / scores.sum(1, keepdims=True), theirs.predict_proba(scaler.transform(values)), atol=0.01
        )


# The whole technique, on a tiny random model


@pytest.fixture(scope="module")
def run(corpus, tiny_model):
    steps = []
    options = {"random_seeds": (0, 1), "transfer": "voices"}
    result = finish(probing.analyse.in_steps(corpus, tiny_model, **options), steps.append)
    return result, steps


def test_partial_results_can_be_drawn(run):
    result, steps = run
    partial = [step.partial for step in steps if step.partial is not None]
    assert partial[0].controls is None and partial[1].controls.random is None
    assert [len(p.controls.random) for p in partial[2:]] == [1, 2, 2]
    assert [p.controls.baselines for p in partial[1:]] == [("MFCC", "log-mel")] * 4
    assert not any(p.complete for p in partial) and result.complete
    assert all(isinstance(probing.plot(p), Figure) for p in (partial[0], partial[2]))
    assert [step.done for step in steps] == sorted(step.done for step in steps)


def test_the_result_is_frozen_and_within_bounds(run, corpus):
    result, _ = run
    assert result.layers == ("0 (conv + positions)", "1", "2 (final norm)")
    assert result.classes == PHONES and result.items == sum(len(u.phones) for u in corpus.utterances)
    own = ("accuracy", "balanced", "macro_f1", "control", "shuffled")
    compared = ("random", "baseline_scores", "learning", "other")
    held = {name: getattr(result, name) for name in own} | {name: getattr(result.controls, name) for name in compared}
    for name, values in held.items():
        assert ((values >= 0) & (values <= 1)).all() and not values.flags.writeable, name
    assert result.control.shape == (3, 3) and result.controls.random.shape == (2, 3, 3)
    np.testing.assert_array_equal(result.selectivity, result.learnable_accuracy[None] - result.control)
    assert result.learnable == result.items  # with 15 recordings of eight words every place in a word comes again
    np.testing.assert_array_equal(result.learnable_accuracy, result.accuracy)
    np.testing.assert_allclose(np.einsum("lcc->l", result.confusion) / result.items, result.accuracy)
    assert result.best == result.accuracy.argmax()
    assert result.controls.learning_sizes.tolist() == [3, 5, 10] and result.controls.learning.shape == (2, 3)
    with pytest.raises(FrozenInstanceError):
        result.complete = False


def test_the_weights_are_the_probe_that_was_tried_on_others(run, corpus, tiny_model):
    result, _ = run
    others = corpora.bundled("voices")
    asked = task(others, "phone", classes=PHONES)
    mine, theirs = (finish(features.of_model(c, tiny_model, subtract_silence=False)) for c in (corpus, others))
    learnt = features.pooled(mine, task(corpus, "phone").items)
    for layer, (values, heard) in enumerate(zip(learnt, features.pooled(theirs, asked.items), strict=True)):
        model = make_pipeline(StandardScaler(), Ridge(alpha=result.provenance["options"]["penalties"][layer]))
        model.fit(values.astype(float), linear_probe.one_hot(task(corpus, "phone").codes, 6))
        said = heard @ result.weights[layer, :-1] + result.weights[layer, -1]
        np.testing.assert_allclose(said, model.predict(heard.astype(float)), atol=1e-6)
        assert result.controls.other[0, layer] == pytest.approx((said.argmax(1) == asked.codes).mean())
    assert (result.controls.other[1] <= result.controls.other[0]).all() and (
        result.controls.other[0] <= result.controls.other[2]
    ).all()
    assert result.controls.speakers[0] == "ann" and len(result.controls.speakers) > 1
    assert result.controls.by_speaker.shape == (len(result.controls.speakers),) * 2


def test_table_plot_and_origin(run):
    result, _ = run
    table = result.table()
    assert list(table.columns) == ["features", "layer", "score", "value"] and table["value"].notna().sum() > 60
    plain = table[(table.features == "model") & (table.score == "accuracy")]
    np.testing.assert_array_equal(plain.value, result.accuracy)
    expected = {f"control task {i}" for i in range(3)} | {"random weights 0", "random weights 1", "MFCC", "log-mel"}
    assert expected | {"other speakers", "most frequent class", "trained on ann"} <= set(table.features)
    assert not table.duplicated(["features", "layer", "score"]).any()
    figure = probing.plot(result, score="accuracy", layer=1)
    assert [ax.get_visible() for ax in figure.axes] == [True] * 5 + [False]
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    np.testing.assert_array_equal(lines["trained"], result.accuracy)
    assert {"MFCC", "log-mel", "shuffled labels", "other speakers", "most frequent class"} <= set(lines)
    assert {"corpus_sha256", "weights_sha256", "options", "versions"} <= set(result.provenance)
    assert result.provenance["options"]["target"] == "phone" and result.provenance["options"]["transfer_note"] == ""


def test_the_most_frequent_class_is_counted_among_what_is_asked(corpus, tiny_model):
    # One phone in five recordings lasts six frames instead of three.
    stretched = []
    for number, utterance in enumerate(corpus.utterances):
        last = utterance.phones[-1]
        late = replace(last, label="m", end=last.end + 0.02)
        stretched.append(replace(utterance, phones=(*utterance.phones[:-1], late)) if number < 5 else utterance)
    changed = replace(corpus, utterances=tuple(stretched))
    options = {"random_seeds": (), "control_seeds": (), "layers": [1], "target": "manner"}
    result = probing.analyse(changed, tiny_model, unit="frames", **options)
    truth = np.concatenate(
        [[p.label in ("iy", "ae")] * (3 + (p.end - p.start > 0.07)) for u in stretched for p in u.phones]
    )
    assert result.majority == pytest.approx(truth.mean())
    assert result.layers == ("1",) and result.control.shape == (0, 1) and result.controls.random is None
    assert isinstance(probing.plot(result), Figure)  # without controls, too


def test_logistic_probes_end_to_end(corpus, tiny_model):
    options = {"random_seeds": (), "layers": (0,), "target": "voicing"}
    result = probing.analyse(corpus, tiny_model, probe="logistic", transfer="voices", **options)
    assert result.weights.shape == (1, 17, 2) and result.control.shape == (1, 1)
    assert result.controls.other.shape == (3, 1)
    assert probing.plot(result).axes[2].get_ylabel() == "accuracy (ridge)"


def test_other_recordings_without_these_classes_are_named_not_tested(corpus, tiny_model):
    own = replace(corpus, utterances=tuple(replace(u, tiers={"tone": u.tiers["stress"]}) for u in corpus.utterances))
    options = {"random_seeds": (), "control_seeds": (), "layers": (0,)}
    result = probing.analyse(own, tiny_model, target="tier:tone", transfer="voices", **options)
    assert result.complete and result.controls.other is None
    assert "“voices” has fewer than two of these classes" in result.provenance["options"]["transfer_note"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "colour"}, "no target “colour”"),
        ({"unit": "syllables"}, "no “syllables” for “unit”; choose one of segments, centre, frames"),
        ({"probe": "forest"}, "no “forest” for “probe”; choose one of ridge, logistic"),
        ({"groups": "frame"}, "no “frame” for “groups”; choose one of auto, utterance, speaker"),
        ({"groups": "speaker"}, "give 1 group to split by"),
        ({"window": "half"}, "no “half” for “window”"),
        ({"layers": (0, 7)}, "There is no layer 7; this model has layers 0 to 2"),
        ({"layers": ()}, r"no layer \(none was given\)"),
        ({"transfer": "radio"}, "no “radio” for “transfer”"),
    ],
)
def test_what_cannot_be_asked_is_said_at_once(corpus, tiny_model, options, message):
    with pytest.raises(UserError, match=message):
        probing.analyse(corpus, tiny_model, random_seeds=(), **options)
    assert issubclass(CorpusError, UserError)


def test_who_speaks_cannot_be_split_by_speaker(tiny_model):
    several = spoken(12, 4, speakers=("ann", "bob", "cat", "dan"))
    with pytest.raises(UserError, match="tested on classes it was never trained on; split by recording"):
        probing.analyse(several, tiny_model, target="speaker", groups="speaker")
    options = {"random_seeds": (), "control_seeds": (), "layers": (0,)}
    result = probing.analyse(several, tiny_model, groups="speaker", **options)
    assert result.controls.learning_sizes.tolist() == [3, 5] and set(result.controls.speakers) <= {
        "ann",
        "bob",
        "cat",
        "dan",
    }


# Real weights


@pytest.mark.weights
@pytest.mark.slow
def test_phones_take_shape_over_the_layers_of_a_trained_model():
    model = load_model("openai/whisper-tiny.en")
    prompts = corpora.bundled("prompts")
    options = {"random_seeds": (0,), "control_seeds": (0,), "transfer": "voices", "layers": (0, 3)}
    result = probing.analyse(prompts, model, **options)
    first, third = result.accuracy
    # Measured by layer .706 .755 .815 .834 .819; MFCC .460, log-mel .400, random .53 to .40, control .17 to .31, other
    # speakers .18 .29 .73 .74 .74. The bounds leave several standard errors (.011 for 1,544 items). Of the 686 items
    # whose place in a word is in training too: .773 .853 .866 .873, control .30 to .64, selectivity .46 .39 .37 .30.
    assert third >= first + 0.08 and 0.78 <= third <= 0.88
    assert third >= result.controls.baseline_scores[:, 0].max() + 0.25
    assert third >= result.controls.random[0, 0].max() + 0.25 and third >= result.controls.random[0, 0, 1] + 0.3
    assert (result.shuffled <= 0.12).all() and result.majority < 0.1
    assert result.learnable == 686 and (np.diff(result.control[0]) > 0.15).all()
    np.testing.assert_allclose(result.selectivity[0], [0.46, 0.30], atol=0.04)
    assert result.controls.other[0, 1] > 0.65 and result.controls.other[0, 1] > result.controls.other[0, 0] + 0.3
    assert (result.low < result.accuracy).all() and (result.accuracy < result.high).all()
    assert result.controls.learning[0, -1] > result.controls.learning[0, 0] + 0.1
