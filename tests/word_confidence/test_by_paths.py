"""Word confidence of CTC models: path sums against every path written out, and the network against transformers'."""

import asyncio
import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from scipy.special import log_softmax, logsumexp
from scipy.stats import entropy
from tiny_wav2vec2 import tiny_config, tiny_network

from methods import word_confidence
from methods.core.audio import Clip, load_clip
from methods.core.errors import UserError
from methods.core.models import load_model, random_twin
from methods.word_confidence import by_ctc, occupancy
from methods.word_confidence.ctc_paths import weighted
from page.export import api
from page.session import Session
from page.tabs import word_confidence as tab
from page.top import transcript

WEASELS = "examples_audio/cc-by-sa-3.0/en_f_weasels.wav"
LABELS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFG")
# Float32 sums in another order through two small layers, logits of order 1 to 10.
ROUNDING = 2e-5


def spelled(path, blank):
    """What a path spells, and which of its frames carry each symbol: the definition, frame by frame."""
    labels, frames, before = [], [], blank
    for frame, label in enumerate(path):
        if label not in (blank, before):
            labels.append(label)
            frames.append([])
        if label != blank:
            frames[-1].append(frame)
        before = label
    return tuple(labels), frames


def by_enumeration(logs, labels, blank):
    """(labels, frames) and ln P, by walking every path there is."""
    found, all_paths = np.zeros((len(labels), len(logs))), []
    for path in itertools.product(range(logs.shape[1]), repeat=len(logs)):
        said, frames = spelled(path, blank)
        if said == tuple(labels):
            score = sum(logs[t, label] for t, label in enumerate(path))
            all_paths.append(score)
            for symbol, at in enumerate(frames):
                found[symbol, at] += np.exp(score)
    total = logsumexp(all_paths)
    return found / np.exp(total), total


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("labels", [(1,), (1, 1), (1, 3), (3, 1, 3), (1, 1, 3), (3, 3, 3)])
def test_occupancy_is_what_all_paths_give(labels, blank):
    logs = log_softmax(np.random.default_rng(len(labels)).normal(size=(6, 4)) * 2, axis=-1)
    found, total = occupancy(logs, labels, blank)
    expected, known = by_enumeration(logs, labels, blank)
    np.testing.assert_allclose(found, expected, atol=1e-12)  # sums of at most 4^6 float64 terms below 1
    assert total == pytest.approx(known, abs=1e-12)
    assert (found.sum(1) >= 1 - 1e-12).all()  # every path says every symbol at least once


def test_the_whole_is_the_librarys_loss():
    logs = log_softmax(np.random.default_rng(0).normal(size=(40, 7)), axis=-1)
    labels = (1, 2, 2, 6, 3)
    loss = torch.nn.functional.ctc_loss(
        torch.tensor(logs)[:, None], torch.tensor([labels]), torch.tensor([40]), torch.tensor([5]), reduction="sum"
    )
    assert occupancy(logs, labels, 0)[1] == pytest.approx(-loss.item(), abs=1e-10)


def test_too_few_frames_are_a_sentence():
    with pytest.raises(UserError, match=r"3 symbols cannot be spelled in 3 frames"):
        occupancy(np.full((3, 4), -np.log(4)), (1, 1, 2), 0)


def test_a_symbol_is_judged_at_its_own_frames():
    """Two paths alone are possible, so that all can be worked out on paper."""
    with np.errstate(divide="ignore"):
        logs = np.log([[0, 0.8, 0.2], [0, 0.6, 0.4], [0, 0, 1], [0, 0, 1], [0, 0, 1]])
    weights, total = occupancy(logs[:, [0, 1, 2]], (1, 2), 0)
    rows = np.exp(weighted(logs, weights))
    np.testing.assert_allclose(rows.sum(1), 1)
    # Path 1 1 2 2 2 has .48, path 1 2 2 2 2 has .32.
    assert total == pytest.approx(np.log(0.8))
    np.testing.assert_allclose(weights, [[1, 0.6, 0, 0, 0], [0, 0.4, 1, 1, 1]], atol=1e-12)
    assert rows[0, 1] == pytest.approx((0.8 + 0.6 * 0.6) / 1.6)


# A network


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """A tiny wav2vec 2.0 that spells letters."""
    folder = tmp_path_factory.mktemp("ctc")
    tiny_network(tiny_config("wav2vec2"), transformers.Wav2Vec2ForCTC).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({label: number for number, label in enumerate(LABELS)}))
    return load_model(str(folder))


@pytest.fixture(scope="module")
def judged(clip, letters):
    return word_confidence.analyse(clip, letters, transcript="bad cab", random_seeds=(0,))


@torch.no_grad()
def plain(network, samples, average=False):
    """(frames, labels) float64 log-probabilities of transformers' network, its head read by hand."""
    values = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    states = network.wav2vec2(torch.tensor(values, dtype=torch.float32)[None]).last_hidden_state[0]
    states = states.mean(0, keepdim=True).expand(len(states), -1) if average else states
    return log_softmax((states @ network.lm_head.weight.T + network.lm_head.bias).double().numpy(), axis=-1)


def test_pieces_and_words_are_the_texts(judged):
    assert judged.pieces == (*"BAD", "(between words)", *"CAB")
    assert [word.label for word in judged.words] == ["BAD", "CAB"]
    assert judged.text == "BAD CAB" and judged.by_paths
    assert all(0 <= word.start < word.end <= judged.provenance["seconds"] for word in judged.words)
    assert judged.words[0].end <= judged.words[1].start + 0.02


def test_symbols_are_judged_by_the_plain_network(clip, letters, judged):
    ids = [LABELS.index(label) for label in "BAD|CAB"]
    logs = plain(letters.network, clip.samples)
    weights, total = occupancy(logs, ids, 0)
    share = weights / weights.sum(1, keepdims=True)
    silent = plain(letters.network, np.zeros_like(clip.samples))
    even = plain(letters.network, clip.samples, average=True)
    for found, scores in (
        (judged.logprobs, logs), (judged.silence_logprobs, silent), (judged.mean_logprobs, even)
    ):  # fmt: skip
        expected = [np.log(share[u] @ np.exp(scores[:, label])) for u, label in enumerate(ids)]
        np.testing.assert_allclose(found, expected, atol=len(logs) * ROUNDING)  # the frames' weights move as well
    assert judged.total == pytest.approx(total, abs=len(logs) * ROUNDING)
    rows = share @ np.exp(logs)
    np.testing.assert_allclose(judged.entropy, entropy(rows, axis=-1, base=2), atol=1e-3)
    best = [max(set(range(12)) - {label}, key=lambda n, row=row: row[n]) for row, label in zip(rows, ids, strict=True)]
    names = ["(nothing new)", *LABELS[1:4], "(between words)", *LABELS[5:]]
    assert [found[0] for found in judged.alternatives] == [names[n] for n in best]


def test_a_twin_has_its_own_paths(clip, letters, judged):
    ids = [LABELS.index(label) for label in "BAD|CAB"]
    logs = plain(random_twin(letters, 0).network, clip.samples)
    weights, _ = occupancy(logs, ids, 0)
    share = weights / weights.sum(1, keepdims=True)
    expected = [np.log(share[u] @ np.exp(logs[:, label])) for u, label in enumerate(ids)]
    np.testing.assert_allclose(judged.controls.logprobs[0], expected, atol=len(logs) * ROUNDING)


def test_silence_has_exactly_no_evidence(clip, letters):
    silent = Clip(np.zeros_like(clip.samples), "silence")
    result = word_confidence.analyse(silent, letters, transcript="a", random_seeds=())
    np.testing.assert_array_equal(result.evidence(), 0)


@pytest.mark.parametrize(("text", "sentence"), [("123", "no letter"), (" ", "empty"), ("a" * 90, "cannot be spelled")])
def test_texts_that_cannot_be_spelled(clip, letters, text, sentence):
    with pytest.raises(UserError, match=sentence):
        word_confidence.analyse(clip, letters, transcript=text, random_seeds=())


# A recogniser of phones


@pytest.mark.weights
def test_hama_listens():
    hama = load_model("hama-ctc")
    result = word_confidence.analyse(load_clip(WEASELS), hama, random_seeds=(0,))
    assert result.words[0].label == "w i z ə l z"
    assert (np.exp(result.logprobs) > 0.3).all() and min(result.evidence().min(), result.evidence("mean").min()) > 5
    assert np.abs(result.random_evidence()).mean() < 0.5
    assert "by symbol" in tab.status_line(result, {}) and not tab.spells_text(hama)
    given = word_confidence.analyse(load_clip(WEASELS), hama, transcript=result.text, random_seeds=())
    np.testing.assert_array_equal(given.logprobs, result.logprobs)
    # A planted error: “measles” is claimed. Its m is doubted, and the w that was said is what stands there instead.
    claimed = word_confidence.analyse(
        load_clip(WEASELS), hama, transcript=result.text.replace("w", "m", 1), random_seeds=()
    )
    assert np.exp(claimed.logprobs[0]) < 0.1 and "w" in claimed.alternatives[0][:2]


@pytest.mark.weights
def test_the_endpoint_tells_all_of_it(clip):
    answer = json.loads(
        json.dumps(
            asyncio.run(api.words(WEASELS, "hama-ctc", "", SimpleNamespace(session_hash="a program"))), allow_nan=False
        )
    )
    result = word_confidence.analyse(load_clip(WEASELS), load_model("hama-ctc"), random_seeds=())
    assert answer["text"] == result.text and answer["logprobs"] == result.logprobs.tolist()
    assert answer["words"] == [[word.label, word.start, word.end] for word in result.words]
    first = answer["confidence"][0]
    assert first["logprob"] == pytest.approx(sum(piece["logprob"] for piece in first["pieces"]))
    assert first["evidence"]["mean"] == pytest.approx(result.word_evidence("mean")[0])
    assert [piece["piece"] for piece in first["pieces"]] == first["word"].split()
    assert first["pieces"][0]["alternatives"][0][0] == result.alternatives[0][0]


def test_nothing_heard_is_a_sentence(clip, letters, monkeypatch):
    blanks = np.log(np.full((20, 12), 0.01))
    blanks[:, 0] = np.log(0.89)
    monkeypatch.setattr(by_ctc.models, "ctc_log_probabilities", lambda clip, model: blanks)
    with pytest.raises(word_confidence.NothingHeardError, match="hears nothing in this clip"):
        word_confidence.analyse(clip, letters, random_seeds=())
    assert transcript.sure_html(Session(clip, None), letters) is None
