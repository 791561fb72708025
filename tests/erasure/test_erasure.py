"""Erasure as a whole: its halves, laws on the result, controls, targets, models, and bad input."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_wav2vec2 import tiny_config, tiny_network
from transformers import Wav2Vec2FeatureExtractor

from methods import erasure
from methods.core import models
from methods.core.audio import Clip
from methods.core.corpus import Corpus, Utterance, features
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models import load_model, whisper
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import finish
from methods.erasure import frames

QUICK = {"transcript": "ab cd", "language": "en", "window": "clip", "draws": 0, "random_seeds": ()}


@pytest.fixture(scope="module", autouse=True)
def short_answers():
    """A random decoder never ends by itself, and 224 tokens of it are no better than 12."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whisper, "LONGEST_TRANSCRIPT", 12)
        yield


def spoken(number: int, phones: tuple[str, ...] = ("s", "iy", "m")) -> Utterance:
    """1.2 s: hiss for [s], two gliding tones for [i] and [m], each 100 ms and in another order each time."""
    draw, rate = np.random.default_rng(number), 16_000
    times = np.arange(round(0.1 * rate)) / rate
    order = [phones[k] for k in draw.permutation(np.arange(12) % len(phones))]
    glide = 0.1 * number * 20
    tones = {"iy": 500.0 + glide, "m": 150.0 + glide}
    parts = [
        0.2 * draw.normal(size=times.size)
        if phone == "s"
        else 0.4 * np.sin(2 * np.pi * tones[phone] * times) + 0.02 * draw.normal(size=times.size)
        for phone in order
    ]
    tier = tuple(Segment(phone, 0.1 * k, 0.1 * (k + 1)) for k, phone in enumerate(order))
    words = (Segment("see", 0.0, 0.6), Segment("me", 0.6, 1.2))
    who = ("ann", "f") if number % 2 else ("bob", "m")
    return Utterance(Clip(np.concatenate(parts), f"sound {number}"), *who, "en", words=words, phones=tier)


@pytest.fixture(scope="module")
def corpus():
    return Corpus("sounds", tuple(spoken(number) for number in range(12)))


@pytest.fixture(scope="module")
def result(corpus, clip, tiny_model):
    return erasure.analyse(corpus, tiny_model, clip=clip, **{**QUICK, "draws": 3, "random_seeds": (0,)})


def test_before_after_and_what_is_left(result):
    assert result.classes == ("iy", "m", "s") and result.recordings == (6, 6)
    np.testing.assert_array_equal(result.after, result.majority)  # the law: nothing linear is left to learn
    assert (result.before > result.majority + 0.2).all()
    assert (result.left < result.before).all() and (result.rank == 2).all()
    assert ((result.before_low <= result.before) & (result.before <= result.before_high)).all()
    assert np.isfinite(result.loss).all() and result.complete


def test_the_loss_is_that_of_the_erased_states(result, corpus, clip, tiny_model):
    """The eraser made anew by least squares: x less what the labels' own coordinates say of it."""
    states = finish(features.of_model(corpus, tiny_model, window="clip", subtract_silence=False))
    split = frames.labelled(corpus, states, "phone", clip, 0)
    row, codes, _ = split.half(True)
    known = states.layers[2][row].astype(float)
    # LEACE by another road: regress x on the fitted values of z given x.
    fitted = np.linalg.lstsq(known - known.mean(0), np.eye(3)[codes] - np.eye(3)[codes].mean(0), rcond=1e-9)[0]

    def erased(values):
        told = (values - known.mean(0)) @ fitted
        slope = np.linalg.lstsq((known - known.mean(0)) @ fitted, known - known.mean(0), rcond=1e-9)[0]
        return values - told @ slope

    own = states.layers[2].shape[1]
    encoded = features.of_model(replace(corpus, name="one", utterances=(replace(corpus.utterances[0], clip=clip),)),
                                tiny_model, window="clip", subtract_silence=False)  # fmt: skip
    last = finish(encoded).layers[2]
    text = models.transcribe(clip, tiny_model, text="ab cd", language="en")
    assert own == last.shape[1]
    losses = []
    for values in (last, erased(last.astype(float))):
        losses.append(_logprob(tiny_model, text, values))
    assert result.loss[2] == pytest.approx(losses[0] - losses[1], abs=1e-3)
    assert result.base == pytest.approx(losses[0], abs=1e-3)


def _logprob(model, text, states):
    import torch

    with torch.inference_mode():
        logits = model.network(
            encoder_outputs=(torch.tensor(states, dtype=torch.float32)[None],),
            decoder_input_ids=torch.tensor([text.ids]),
        ).logits
    rows = logits[0, len(text.prompt) - 1 :].log_softmax(-1)
    return float(rows.gather(1, torch.tensor([*text.tokens, model.decoding.end])[:, None]).sum())


def test_the_first_layer_is_shown_before_anything_is_drawn(corpus, clip, tiny_model):
    """Each part of the work used to lose what it could show, and the first picture came after all controls."""
    steps = erasure.analyse.in_steps(corpus, tiny_model, clip=clip, **{**QUICK, "draws": 2, "random_seeds": (0,)})
    shown = [(step.done, step.partial) for step in steps if step.partial is not None]
    done, first = shown[0]
    assert done < 0.4 and np.isfinite(first.before[0]) and np.isnan(first.before[1:]).all() and first.controls is None
    kinds = [each.controls and (each.controls.random is None, each.controls.twin_loss is None) for _, each in shown]
    assert list(dict.fromkeys(kinds)) == [None, (False, True)]  # the twin's comes with the whole
    assert erasure.plot(first)


def test_controls_are_of_the_same_rank_and_leave_the_label(result):
    controls = result.controls
    assert controls.shuffled.shape == controls.random.shape == (3, 3)
    assert (controls.random_after > result.majority + 0.1).all()
    assert (controls.shuffled_after > result.majority + 0.1).all()
    assert controls.twin_loss.shape == (1, 3) and (controls.twin_before > result.majority).all()
    draws = np.concatenate([controls.shuffled[:, 1], controls.random[:, 1]])
    assert result.beyond(1) == (draws < result.loss[1]).mean()
    assert result.worst == int(result.loss.argmax())


def test_texts_tables_and_picture(result):
    assert len(result.written) == len(result.seen_before) == len(result.seen_after) == 3
    assert result.seen_after[2] == result.written[2]  # the last layer is what is read anyway
    table = result.table()
    assert len(table[(table.erased == "phone") & (table.score == "loss")]) == 3
    assert len(table[table.erased.str.startswith("random directions") & (table.score == "loss")]) == 9
    assert np.isfinite(table.value).all()
    figure = erasure.plot(result)
    drawn = [line.get_ydata() for line in figure.axes[1].lines]
    assert any(np.array_equal(line, result.loss) for line in drawn)
    assert any(np.array_equal(line, result.controls.shuffled.ravel()) for line in drawn)


def test_the_clip_is_never_among_what_is_fitted(corpus, tiny_model):
    states = finish(features.of_model(corpus, tiny_model, window="clip", subtract_silence=False))
    for number in range(12):
        split = frames.labelled(corpus, states, "phone", corpus.utterances[number].clip, 0)
        assert number not in split.recording[split.fitted] and number in split.recording[~split.fitted]
    split = frames.labelled(corpus, states, "phone", None, 0)
    fitted = set(split.recording[split.fitted])
    assert len(fitted) == 6 and {number % 2 for number in fitted} == {0, 1}  # each speaker's dealt evenly
    for row, code in zip(split.row[::7], split.codes[::7], strict=True):
        at, utterance = states.times[row], corpus.utterances[states.utterance[row]]
        near = {phone.label for phone in utterance.phones if phone.start - 0.02 <= at <= phone.end + 0.02}
        assert split.classes[code] in near


@pytest.mark.parametrize(("target", "classes"), [("speaker", 2), ("voicing", 2), ("word", 2), ("f0", 3)])
def test_other_labels(corpus, tiny_model, target, classes):
    result = erasure.analyse(corpus, tiny_model, target=target, layers=(1,), **QUICK)
    assert len(result.classes) == classes and len(result.layers) == 1
    assert result.after[0] == result.majority
    assert result.provenance["options"]["heard"].startswith("sound") and result.controls is None


def test_bands_of_f0_are_thirds(corpus, tiny_model):
    states = finish(features.of_model(corpus, tiny_model, window="clip", subtract_silence=False))
    split = frames.labelled(corpus, states, "f0", None, 0)
    shares = np.bincount(split.codes[split.fitted], minlength=3) / split.fitted.sum()
    np.testing.assert_allclose(shares, 1 / 3, atol=0.05)
    assert split.classes == ("high", "low", "mid")


def test_a_ctc_model_as_a_whole(corpus, clip):
    options = {"transcript": "w i | z", "draws": 1, "random_seeds": (), "layers": (0, 4)}
    result = erasure.analyse(corpus, load_model("hama-ctc"), clip=clip, **options)
    assert result.layers[1] == "4" and np.isfinite(result.loss).all()
    np.testing.assert_array_equal(result.after, result.majority)
    assert isinstance(result.written[0], str)


# Bad input: one sentence each


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layers": (9,)}, "There is no layer 9 to erase from; this model has layers 0 to 2"),
        ({"layers": ()}, r"There is no layer \(none was given\)"),
        ({"target": "colour"}, "There is no target “colour”; choose one of phone.*f0"),
        ({"target": "language"}, "“sounds” has 1 kind.* of “language”"),
        ({"target": "height"}, "“sounds” has 1 kind.* of “height”"),
    ],
)
def test_bad_input_is_a_sentence(corpus, clip, tiny_model, options, sentence):
    with pytest.raises(UserError, match=sentence):
        erasure.analyse(corpus, tiny_model, clip=clip, **{**QUICK, **options})


def test_too_few_recordings_and_nothing_said(corpus, clip, tiny_model):
    few = Corpus("few", corpus.utterances[:4])
    with pytest.raises(UserError, match=r"“few” has 4 recordings with a known phone and erasure needs 5"):
        erasure.analyse(few, tiny_model, clip=clip, **QUICK)
    network = tiny_network(tiny_config("wav2vec2"), seed=2)
    bare = SpeechModel("bare", "wav2vec2", network, Wav2Vec2FeatureExtractor(do_normalize=True), None, "bare")
    with pytest.raises(UserError, match="bare only makes hidden states"):
        erasure.analyse(corpus, bare, clip=clip, draws=0, random_seeds=())
    silent = Corpus("silent", tuple(replace(u, clip=Clip(0 * u.clip.samples, u.clip.name)) for u in corpus.utterances))
    with pytest.raises(UserError, match="“silent” has no voiced frames"):
        erasure.analyse(silent, tiny_model, clip=clip, target="f0", **QUICK)
