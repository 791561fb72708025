"""Word evidence on models whose answers are known: additive and constant ones, tiny random ones, and real ones."""

import dataclasses
import re

import numpy as np
import pytest
from scipy.special import expit

from methods import word_evidence
from methods.core import models
from methods.core.alignment.textgrid import read_textgrid
from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples, load_clip
from methods.core.cache import BoundedCache
from methods.core.errors import UserError
from methods.core.explain import answers, perturb
from methods.core.frames import Segment
from methods.core.models import load_model, whisper
from page.tabs import word_evidence as word_evidence_tab
from page.widgets import players

# Two front ends whose float32 features differ by some 1e-7, through a random network: 1e-6 of sums of order 50.
ROUNDING = 1e-4
QUICK = {"random_seeds": (0,), "random_orders": 3, "modes": ("silence", "cut"), "language": "en"}


@pytest.fixture(scope="module", autouse=True)
def short_answers():
    """A random decoder never ends by itself, and 224 tokens of it are no better than 12."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whisper, "LONGEST_TRANSCRIPT", 12)
        patch.setattr(answers, "_known", BoundedCache(2**24))  # other tests' answers are longer
        yield


@dataclasses.dataclass(frozen=True, eq=False)
class Additive(answers.Panel):
    """Answers that are sums of how much sound each stretch holds: what every word is worth is known."""

    def heard(self, samples):
        return self.scores(samples), f"{len(samples)} samples"

    def scores(self, samples):
        thirds = np.array([np.sum(np.square(part, dtype=float)) for part in np.split(samples[:48_000], 3)])
        return np.array([[1.0, 1.0, 1.0], [2.0, 0.0, -1.0], [0.0, 0.0, 0.0]]) @ thirds / 16_000

    def twin(self, seed):
        return self


THIRDS = tuple(Segment(label, start, start + 1.0) for label, start in (("one", 0.0), ("two", 1.0), ("three", 2.0)))


@pytest.fixture
def additive(monkeypatch, tiny_model):
    """A clip of three seconds with power 1, 4 and 9 hundredths, and a model that adds them up."""
    levels = np.repeat([0.1, 0.2, 0.3], SAMPLE_RATE) * np.tile([1.0, -1.0], 24_000)
    clip = clip_from_samples(levels, SAMPLE_RATE, "steps")
    asked = Additive(clip, tiny_model, ("sum", "weighted", "constant"), ("log-probability",) * 3, (1, 1, 1), None)
    monkeypatch.setattr(word_evidence.panels, "build", lambda *_, **__: asked)
    return word_evidence.analyse(clip, tiny_model, segments=THIRDS, random_seeds=(0,), modes=("silence", "mean"))


def lost_power(word):
    """(thirds,) what each third loses when one is faded out: straight ramps of 80 samples centred on its edges."""
    power, share = np.repeat([0.01, 0.04, 0.09], 16_000), np.zeros(48_000)
    share[16_000 * word : 16_000 * (word + 1)] = 1.0
    rising = np.arange(80) / 80  # the sample 40 before the edge is the last that stays as it is
    if word > 0:
        share[16_000 * word - 40 : 16_000 * word + 40] = rising
    if word < 2:
        share[16_000 * (word + 1) - 40 : 16_000 * (word + 1) + 40] = 1 - rising
    return (power * (1 - (1 - share) ** 2)).reshape(3, 16_000).sum(1) / 16_000


def test_additive_answers_lose_what_each_word_is_worth(additive):
    lost = np.array([lost_power(word) for word in range(3)])
    # Samples are float32: each is right to 6e-8 of itself, before and after the ramp; a square doubles that.
    exact = {"rtol": 3e-7, "atol": 3e-7 * 0.09}
    np.testing.assert_allclose(additive.effects()[:, 0], lost.sum(1), **exact)
    np.testing.assert_allclose(additive.effects()[:, 1], lost @ [2.0, 0.0, -1.0], **exact)
    np.testing.assert_array_equal(additive.effects()[:, 2], 0.0)  # a constant answer needs no word
    np.testing.assert_array_equal(additive.effects("mean"), additive.effects("silence"))  # the mean sample is 0
    assert additive.mode_agreement()[0, 1] == pytest.approx(1.0)


def test_the_true_order_of_an_additive_model_beats_every_other(additive):
    verdict = additive.verdict()
    assert verdict.own.order.tolist() == [2, 1, 0]
    assert all(verdict.own.comprehensiveness >= other.comprehensiveness - 1e-12 for other in verdict.random)
    assert all(verdict.own.sufficiency <= other.sufficiency + 1e-12 for other in verdict.random)
    assert verdict.own.deletion[0] == additive.base[0]
    assert verdict.own.insertion[-1] == additive.base[0]
    assert verdict.own.deletion[-1] == pytest.approx(0.0, abs=1e-9)  # no sound, no score
    assert additive.longest().order.tolist() == [0, 1, 2]  # equal lengths stay in the order of time


@pytest.fixture(scope="module")
def tiny(clip, tiny_model, segments):
    return word_evidence.analyse(clip, tiny_model, segments=segments, transcript="ab cd", **QUICK)


def test_scores_are_those_of_the_transcript(clip, tiny_model, tiny):
    text = models.transcribe(clip, tiny_model, text="ab cd", language="en")
    assert tiny.targets == ("whole text", "“ab”", "“cd”")  # of one language alone it cannot doubt
    assert tiny.base[0] == pytest.approx(text.logprobs.sum(), abs=ROUNDING)
    # Letters are tokens, and the leading space belongs to the word.
    words = [text.logprobs[:3].sum(), text.logprobs[3:6].sum()]
    np.testing.assert_allclose(tiny.base[1:3], words, atol=ROUNDING)


def test_each_score_is_that_of_the_edited_recording(tiny, tiny_model):
    for number in range(len(tiny.words)):
        for row, mode in enumerate(tiny.modes):
            edited = tiny.sound(number, mode)
            text = models.transcribe(edited, tiny_model, text="ab cd", language="en")
            assert tiny.without[row, number, 0] == pytest.approx(text.logprobs.sum(), abs=ROUNDING)
            assert (
                tiny.answers[row][number].removesuffix(" …")
                == models.transcribe(edited, tiny_model, language="en").text
            )


def test_random_weights_are_asked_about_the_same_text(tiny, tiny_model):
    twin = models.random_twin(tiny_model, 0)
    text = models.transcribe(tiny.sound(1), twin, text="ab cd", language="en")
    assert tiny.controls.random_without[0, 1, 0] == pytest.approx(text.logprobs.sum(), abs=ROUNDING)


def test_probability_differences_lie_between_minus_one_and_one(tiny):
    lost = tiny.effects(unit="probability")
    assert (np.abs(lost) <= 1).all()
    expected = np.exp(tiny.base[0]) - np.exp(tiny.without[0, :, 0])
    np.testing.assert_allclose(lost[:, 0], expected, atol=1e-15)


def test_probabilities_of_odds_and_logarithms():
    """Against SciPy's logistic function, and without overflow."""
    scores = np.array([-800.0, -3.0, 0.0, 2.5, 800.0])
    np.testing.assert_allclose(answers.probability(scores, np.ones(5, bool)), expit(scores), atol=1e-15)
    found = answers.probability(np.array([-800.0, -3.0, 0.0]), np.zeros(3, bool))
    np.testing.assert_allclose(found, [0.0, np.exp(-3.0), 1.0], atol=1e-15)


def test_a_word_without_sound_changes_nothing(clip, tiny_model):
    samples = np.array(clip.samples)
    samples[8_000:12_000] = 0.0
    quiet = Clip(samples, "quiet")
    words = (Segment("gap", 0.51, 0.74), Segment("rest", 0.8, 1.2))
    result = word_evidence.analyse(quiet, tiny_model, segments=words, transcript="ab cd", **QUICK)
    np.testing.assert_array_equal(result.effects()[0], 0.0)


def test_published_margins_do_not_wrap_around(clip, tiny_model):
    words = (Segment("first", 0.02, 0.3), Segment("last", 1.0, 1.3))
    result = word_evidence.analyse(clip, tiny_model, segments=words, margins="published", transcript="ab cd", **QUICK)
    changed = np.flatnonzero(result.sound(0).samples != clip.samples)
    # From the very start to 40 ms after the word (sample 5,440) and the 39 of a ramp's outer half that are over 0.
    assert (changed[0], changed[-1]) == (0, 5_440 + 39)
    changed = np.flatnonzero(result.sound(1).samples != clip.samples)
    assert changed[0] == 14_400 - 39  # 100 ms before the word


def test_cut_shortens_the_recording(tiny, clip):
    for number, (start, end) in enumerate(zip(tiny.starts, tiny.ends, strict=True)):
        # Each of the two edges is rounded to a sample, and so wrong by half of one at most.
        shorter = clip.seconds - (end - start)
        assert tiny.sound(number, "cut").seconds == pytest.approx(shorter, abs=1.01 / SAMPLE_RATE)


def test_result_is_read_only_and_finite(tiny):
    for field, value in (pair for part in (tiny, tiny.controls) for pair in vars(part).items()):
        if isinstance(value, np.ndarray):
            assert np.isfinite(value).all(), field
            assert not value.flags.writeable, field


def test_table_and_plot(tiny):
    table = tiny.table()
    assert len(table) == tiny.without.size
    np.testing.assert_array_equal(table["without"], tiny.without.ravel())
    np.testing.assert_array_equal(table["random_0_effect_nats"][: tiny.without[0].size], tiny.random_effects().ravel())
    figure = word_evidence.plot(tiny)
    np.testing.assert_array_equal(figure.axes[0].collections[0].get_array(), tiny.effects().T)


def test_a_run_that_was_stopped_can_be_drawn(clip, tiny_model, segments):
    steps = word_evidence.analyse.in_steps(clip, tiny_model, segments=segments, transcript="ab cd", **QUICK)
    taken = list(steps)
    done = [step.done for step in taken]
    assert done == sorted(done) and done[-1] <= 1
    partials = [step.partial for step in taken if step.partial is not None]
    lines = [word_evidence_tab.status_line(partial, {}) for partial in partials]
    assert any("1 random order," in line for line in lines)  # one of them has no spread
    assert "nan" not in "".join(lines)
    told = [np.isfinite(partial.without).all(-1).sum(1)[:2].tolist() for partial in partials[:4]]
    assert told == [[1, 0], [2, 0], [3, 0], [4, 0]]  # (first replacement, second): word by word
    values = {"unit": "nats", "listen": "9", "target": "0", "mode": "silence"}
    for partial in partials[:4]:
        word_evidence.plot(partial)
        fitted = word_evidence_tab.fitted(partial, values)
        assert fitted["listen"] == "4"
        shown = word_evidence_tab.drawn(partial, fitted)
        finished = int(np.isfinite(partial.without[0]).all(-1).sum())
        assert shown[2].count("<tr>") == 1 + finished and "nan" not in shown[2]  # a heading, and the words so far
        assert "nan" not in word_evidence_tab.summary(partial)
        assert not partial.complete and word_evidence_tab.status_line(partial, fitted)


def test_hama_is_asked_about_its_words():
    clip = load_clip("examples_audio/cc-by-sa-3.0/en_f_weasels.wav")
    asked = answers.build(clip, load_model("hama-ctc"))
    assert asked.labels[0] == "whole string" and len(asked.labels) == 6
    scores = asked.scores(clip.samples)
    assert (scores[1:] > 5).all()  # log-odds: each of its words is far likelier there than not
    assert asked.heard(clip.samples)[1].count("|") == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"segments": (Segment("late", 5.0, 6.0),)}, "begins at 5.00 s but the clip ends at 1.30 s"),
        ({"mode": "music"}, "no “music” for “mode”; choose one of silence"),
        ({"margins": "wide"}, "no “wide” for “margins”; choose one of none, published"),
        ({"target": "zebra"}, "was not asked about “zebra”; choose one of"),
    ],
)
def test_what_cannot_be_done_is_said(clip, tiny_model, segments, options, message):
    with pytest.raises(UserError, match=re.escape(message)):
        word_evidence.analyse(clip, tiny_model, **{"segments": segments, "transcript": "ab cd", **QUICK, **options})


def test_silent_clip_and_bare_encoder(tiny_model, segments, clip):
    with pytest.raises(UserError, match="silent"):
        word_evidence.analyse(Clip(np.zeros(16_000), "nothing"), tiny_model, segments=segments[:1], **QUICK)
    bare = dataclasses.replace(load_model("hama-ctc"), tokenizer=None)
    with pytest.raises(UserError, match="only makes hidden states"):
        answers.build(clip, bare)


def test_one_word(clip, tiny_model):
    result = word_evidence.analyse(clip, tiny_model, segments=(Segment("all", 0.1, 1.2),), transcript="ab", **QUICK)
    assert result.controls.taken.tolist() == [0, 1]
    assert np.isnan(result.verdict().z("comprehensiveness"))  # one order only: chance does not vary
    assert "nan" not in word_evidence_tab.verdict_text(result)
    assert np.isnan(result.mode_agreement()).all()
    word_evidence.plot(result)


# On the page


def test_labels_are_text_and_never_markup(tiny):
    hostile = dataclasses.replace(tiny, words=("<script>", "$x$", "c", "d"), heard="<b>ab</b> cd")
    values = {"unit": "nats", "listen": "1", "target": "0", "mode": "silence"}
    drawn = word_evidence_tab.drawn(hostile, values)
    assert "<script>" not in drawn[1] + drawn[2] and "<b>" not in drawn[2]
    word_evidence.plot(hostile).savefig(__import__("io").BytesIO(), format="svg")


def test_what_differs_is_marked():
    found = players.compared("Weasels have eaten", "weasels had <eaten> it")
    marks = re.findall(r"title='(\w+)'>([^<]*)<", found)
    assert marks == [("correct", "weasels"), ("substituted", "had"), ("correct", "eaten"), ("inserted", "it")]
    assert players.compared("a | b", "a < b") == "a &lt; b"


def test_replacements_are_those_that_there_are():
    assert [value for _, value in word_evidence_tab.MODES] == list(perturb.MODES)


# Real speech


@pytest.fixture(scope="module")
def weasels():
    path = "examples_audio/cc-by-sa-3.0/en_f_weasels"
    clip = load_clip(f"{path}.wav")
    with open(f"{path}.TextGrid", "rb") as file:
        return clip, read_textgrid(file.read(), seconds=clip.seconds)["words"]


def test_a_word_is_its_own_evidence_for_a_phone_recogniser(weasels):
    clip, words = weasels
    result = word_evidence.analyse(clip, load_model("hama-ctc"), segments=words, modes=())
    # It hears five words: “have eaten” is one. Columns are answers, rows are sounds that were taken away.
    lost = result.effects()[:, 1:]
    assert lost.argmax(0)[[0, 2, 3, 4]].tolist() == [0, 3, 4, 5]
    # Less than a tenth as likely is strong evidence (Jeffreys 1961).
    assert (lost.max(0) > np.log(10)).all() and lost[1:3, 1].max() > np.log(10)
    # How much less random weights lose, and by how much this order beats chance, are results and no laws.
    assert np.abs(result.random_effects()[..., 1:]).max() < lost.max()
    assert result.verdict().z("comprehensiveness") > 0


@pytest.mark.weights
def test_a_word_is_its_own_evidence_for_whisper(weasels):
    clip, words = weasels
    model = load_model("openai/whisper-tiny.en")
    options = {"modes": (), "random_seeds": (), "random_orders": 0, "window": "clip"}
    result = word_evidence.analyse(clip, model, segments=words[::5], **options)
    assert result.words == ("weasels", "system")
    # Without its sound a word is less than a hundredth as likely: decisive evidence. The other word loses a factor of
    # less than 3.2, which is not worth a mention (Jeffreys 1961).
    own, other = np.diag(result.effects()[:, [1, 6]]), np.diag(result.effects()[:, [6, 1]])
    assert (own > np.log(100)).all() and (other < np.log(3.2)).all()
    assert result.answers[0][0] == "Have eaten our phone system."
