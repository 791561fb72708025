"""RSA of a model's layers: the plain definition's numbers, controls, pairs to hear, and refusals."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from corpora import toy_corpus
from matplotlib.figure import Figure
from scipy import stats
from scipy.spatial.distance import cdist

from methods import rsa
from methods.core import models
from methods.core.audio import Clip
from methods.core.corpus import Corpus, Utterance, bundled, features
from methods.core.corpus.features import of_model
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.progress import finish
from methods.rsa import items as rsa_items
from methods.rsa import similarity
from page.export import downloads
from page.session import Session
from page.tabs import rsa as rsa_tab

WORDS = {"see": ("s", "iy"), "sea": ("s", "iy"), "me": ("m", "iy"), "mess": ("m", "eh", "s"), "seem": ("s", "iy", "m")}
VALUES = {"reference": "string", "kind": "whole", "layer": -1, "first": 0}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Twelve recordings of noise by two speakers, each with two words of two or three phones."""
    rng, made = np.random.default_rng(0), []
    for number in range(12):
        words, phones, at = [], [], 0.1
        for word in rng.choice(list(WORDS), 2, replace=False):
            sounds = WORDS[word]
            step = 0.08 + 0.01 * (number % 3)
            phones += [Segment(p, at + i * step, at + (i + 1) * step) for i, p in enumerate(sounds)]
            words.append(Segment(str(word), at, at + len(sounds) * step))
            at = words[-1].end + 0.02
        clip = Clip((0.1 * rng.normal(size=14_400)).astype(np.float32), f"n{number}")
        made.append(Utterance(clip, "ab"[number % 2], "f", "en", tuple(words), tuple(phones)))
    return Corpus("noise", tuple(made))


@pytest.fixture(scope="module")
def result(corpus, tiny_model):
    return rsa.analyse(corpus, tiny_model, shuffles=200, random_seeds=(0, 1))


def test_scores_are_correlations_of_scipys_cosines_with_edit_distances(corpus, tiny_model, result):
    items = rsa_items.chosen(corpus, "words", 150).items
    pooled = features.pooled(finish(of_model(corpus, tiny_model)), items)
    upper = np.triu_indices(len(items), 1)
    known = similarity.strings([WORDS[label] for label in items.label])[upper]
    row = result.references.index("string")
    for layer, vectors in enumerate(pooled):
        centred = vectors.astype(float) - vectors.astype(float).mean(0)
        cosines = 1 - cdist(centred, centred, "cosine")
        # float32 pooling of states of size 1: cosines within 1e-6
        assert result.whole[row, layer] == pytest.approx(stats.pearsonr(cosines[upper], known)[0], abs=1e-5)
        np.testing.assert_allclose(result.matrices[layer], cosines, atol=1e-5)
    assert result.items == len(items) and result.label == tuple(items.label)


def test_residuals_are_those_of_least_squares_on_duration_and_speaker(corpus, tiny_model, result):
    items = rsa_items.chosen(corpus, "words", 150).items
    log = np.log(items.end - items.start)
    speaker = (items.columns["speaker"] == "a").astype(float)
    upper, row = np.triu_indices(len(items), 1), result.references.index("string")
    known = similarity.strings([WORDS[label] for label in items.label])
    pooled = features.pooled(finish(of_model(corpus, tiny_model)), items)

    def left(values, *columns):
        design = np.stack([np.ones(len(items)), *columns], 1)
        return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]

    everything = (log, log**2, log**3, speaker)
    reference = left(left(known, *everything).T, *everything)
    for layer, vectors in enumerate(pooled):
        rest = left(vectors.astype(float), *everything)
        expected = stats.pearsonr(1 - cdist(rest, rest, "cosine")[upper], reference[upper])[0]
        # float32 states, of which most is taken out here: cosines within 1e-4
        assert result.residual[row, layer] == pytest.approx(expected, abs=1e-3)
    # A confound is not taken out where it is the reference; of distances, -d²/2 are the inner products.
    gower = left(left(-((log[:, None] - log[None]) ** 2) / 2, speaker).T, speaker)
    rest = left(pooled[1].astype(float), speaker)
    expected = stats.pearsonr(1 - cdist(rest, rest, "cosine")[upper], gower[upper])[0]
    assert result.residual[result.references.index("duration"), 1] == pytest.approx(expected, abs=1e-3)


def test_where_too_little_would_be_left_residuals_are_not_defined(corpus, tiny_model):
    alone = [dataclasses.replace(u, speaker=str(i)) for i, u in enumerate(corpus.utterances)]
    found = rsa.analyse(Corpus("alone", tuple(alone)), tiny_model, unit="utterances", shuffles=50, random_seeds=())
    other = found.references.index("string")
    assert np.isfinite(found.whole[other]).all() and np.isnan(found.residual[other]).any() == (
        "speaker" in found.confounds
    )


def test_references_and_confounds(result):
    assert result.references == ("string", "label", "acoustic", "duration", "speaker")
    assert result.confounds == ("duration", "speaker", "acoustic")
    assert result.controls.baselines == ("MFCC", "log-mel") and result.controls.baseline.shape == (3, 5, 2)
    np.testing.assert_allclose(np.diag(result.between), 1, atol=1e-9)
    low, high = result.controls.whole_null[..., 0], result.controls.whole_null[..., 1]
    assert (low < 0).all() and (high > 0).all()
    assert ((result.controls.whole_p > 0) & (result.controls.whole_p <= 1)).all()


def test_result_is_frozen_finite_and_reproducible(corpus, tiny_model, result):
    again = rsa.analyse(corpus, tiny_model, shuffles=200, random_seeds=(0, 1))
    for part, same in ((result, again), (result.controls, again.controls)):
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            if isinstance(value, np.ndarray):
                assert not value.flags.writeable and np.isfinite(value).all(), field.name
                np.testing.assert_array_equal(value, getattr(same, field.name))


def test_ranks_phones_and_raw_cosines(corpus, tiny_model):
    found = rsa.analyse(corpus, tiny_model, unit="phones", method="spearman", centred=False, shuffles=50,
                        random_seeds=())  # fmt: skip
    assert "class" in found.references and "string" not in found.references
    row = found.references.index("class")
    upper = np.triu_indices(found.items, 1)
    expected = stats.spearmanr(found.matrices[1][upper], found.reference_matrices[row][upper])[0]
    # ties and order may change with the float32 in which the matrices are kept
    assert found.whole[row, 1] == pytest.approx(expected, abs=1e-3)
    assert found.matrices.min() > -1.0001 and found.label[int(found.order[0])] in {"s", "iy", "m", "eh"}


def test_whole_recordings_with_parses(corpus, tiny_model):
    said = {tuple(word.label for word in u.words) for u in corpus.utterances}
    parses = "\n".join(f"(S (NP (N {a})) (VP (V {b})))" if a < b else f"(X (N {a}) (V {b}))" for a, b in said)
    found = rsa.analyse(corpus, tiny_model, unit="utterances", parses=parses, shuffles=50, random_seeds=())
    assert found.items == 12 and "tree" in found.references
    matrix = found.reference_matrices[found.references.index("tree")]
    shape = [a.label < b.label for a, b in (u.words for u in corpus.utterances)]
    np.testing.assert_allclose(matrix[np.equal.outer(shape, shape)], 1, atol=1e-6)
    assert matrix[np.not_equal.outer(shape, shape)].max() < 0.7
    with pytest.raises(UserError, match="0 of the 1 parses have the words of a recording and 10 are needed"):
        rsa.analyse(corpus, tiny_model, unit="utterances", parses="(S (N nobody))")


def test_every_bundled_prompt_has_a_parse():
    asked = rsa_items.chosen(bundled("prompts"), "utterances", 100)
    assert len(asked) == len(asked.trees) == 55
    for tree, number in zip(asked.trees, asked.items.utterance, strict=True):
        words = "".join(word.label.lower() for word in bundled("prompts").utterances[number].words)
        assert "".join(tree.words).lower() == words


def test_partial_results_can_be_drawn(corpus, tiny_model):
    partial = [s.partial for s in rsa.analyse.in_steps(corpus, tiny_model, shuffles=20, random_seeds=(0,))
               if s.partial is not None]  # fmt: skip
    assert partial[0].controls is None and not any(one.complete for one in partial)
    assert [one.controls.random is not None for one in partial[1:]] == [False, False, True]
    for one in (partial[0], partial[-1]):
        values = rsa_tab.fitted(one, {"reference": "nonsense", "kind": "x", "layer": 99, "first": 999})
        assert values["reference"] == "string" and values["layer"] == 2 and values["first"] == 0
        assert "<svg" in rsa_tab.drawn(one, values)[0] and ("by shuffling" in rsa_tab.status_line(one, values)) == (
            one is not partial[0]
        )
        for kind in rsa.KINDS:
            assert isinstance(rsa.plot(one, kind=kind, reference="label"), Figure)


def test_what_the_speaker_is_taken_out_of_is_shuffled_within_speakers(corpus, tiny_model, result):
    """Six recordings of each of two speakers: 518,400 orders; three of each have 36, so items are moved along."""
    string, speaker = (result.references.index(name) for name in ("string", "speaker"))

    def line(found: rsa.Rsa, kind: str, number: int = string) -> str:
        return rsa_tab.shuffled(found, number, kind)

    assert line(result, "whole") == line(result, "partial", speaker) == "shuffling recordings (200 times)"
    assert line(result, "partial") == line(result, "residual") == "shuffling recordings within speakers (200 times)"
    half = Corpus("half", corpus.utterances[:6])
    few = rsa.analyse(half, tiny_model, references=("string",), shuffles=20, random_seeds=())
    assert line(few, "whole", 0) == "shuffling recordings (20 times)"
    assert line(few, "partial", 0) == "moving items along in their recordings (20 times)"
    without = rsa.analyse(corpus, tiny_model, confounds=("duration",), shuffles=20, random_seeds=())
    assert line(without, "residual") == "shuffling recordings (20 times)"


def test_table_and_downloads(result):
    table, cells = result.table(), len(result.references) * len(result.layers)
    assert len(table) == 3 * (cells + 2 * cells + cells + 2 * len(result.references)) + len(result.layers) ** 2
    chosen = table[(table.features == "trained") & (table.kind == "partial") & (table.reference == "label")]
    np.testing.assert_array_equal(chosen.correlation, result.partial[result.references.index("label")])
    assert result.provenance["corpus_sha256"].encode() in downloads.csv(result)
    assert len(downloads.npz(result)) > 1000


def test_pressed_cell_gives_both_sounds(corpus, result):
    values = rsa_tab.fitted(result, VALUES)
    left, right = rsa_tab.matrices(result, 0, values["layer"], values["first"])
    items = rsa_tab.shown_items(result, 0)
    assert [row["label"] for row in left["rows"][0]["rows"]] == [result.label[i] for i in items]
    assert len(right["rows"][0]["columns"]) == len(items)
    html = rsa_tab.pair(result, corpus, items, 2, 5)
    assert html.count("<audio") == 2 and f"<b>{result.label[items[5]]}</b>" in html
    assert rsa_tab.pair(result, corpus, items, 2, 2).count("<audio") == 1
    assert "<audio" not in rsa_tab.pair(result, corpus, items, 2, 500)
    session, own = Session(corpus.utterances[0].clip, "", corpus=corpus), SimpleNamespace(read=lambda: corpus)
    event = SimpleNamespace(_data={"row": 1, "column": 0})
    assert rsa_tab.hear(result, session, own, "own", 0, event).count("<audio") == 2
    with pytest.raises(UserError, match="shows other recordings"):
        rsa_tab.hear(result, session, SimpleNamespace(read=toy_corpus), "own", 0, event)
    assert "<audio" not in rsa_tab.hear(None, session, own, "own", 0, event)


def test_too_little_is_refused(tiny_model, corpus):
    with pytest.raises(UserError, match=r"has 3 words .* needs at least 10"):
        rsa.analyse(toy_corpus(), tiny_model)
    with pytest.raises(UserError, match="No reference was chosen; choose some of string"):
        rsa.analyse(corpus, tiny_model, references=())
    with pytest.raises(UserError, match="no “colour” for “references”"):
        rsa.analyse(corpus, tiny_model, references=("colour",))
    with pytest.raises(UserError, match="the same in what you ask for"):
        rsa.analyse(corpus.only(["a"]).joined(corpus.only(["a"])), tiny_model, references=("speaker",))


@pytest.mark.weights
def test_whisper_tiny_knows_phones_best_in_layer_3_and_syntax_late():
    """Measured order; the literature has strings and syntax rise with depth (Chrupała 2020, Shen 2023)."""
    # Centred states as they are: the same order as with silence subtracted, for half the work.
    options = {"shuffles": 200, "random_seeds": (0,), "subtract_silence": False}
    model = models.load_model("openai/whisper-tiny.en")
    words = rsa.analyse(bundled("prompts"), model, most=100, **options)
    strings = words.references.index("string")
    assert words.whole[strings].argmax() == 3 and words.controls.whole_p[strings, 3] < 0.01
    assert words.whole[strings, 3] > words.controls.random[0, 0, strings].max() + 0.1
    spoken = rsa.analyse(bundled("prompts"), model, unit="utterances", **options | {"random_seeds": ()})
    trees = spoken.references.index("tree")
    assert (
        spoken.partial[trees, 3:].min() > spoken.partial[trees, :3].max()
        and spoken.controls.partial_p[trees, 3] < 0.05
    )
