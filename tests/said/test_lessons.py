"""Every number of the lessons on the start page, computed anew: a lesson whose numbers changed is a lesson to rewrite.

Techniques are asked for what a lesson says and no more: a random twin or a curve less is minutes less.
"""

import re
from collections.abc import Callable

import numpy as np
import pytest

from methods import (
    acoustic_probing,
    attention,
    causal_tracing,
    cka,
    encoding_probe,
    erasure,
    head_ablation,
    phone_arithmetic,
    phone_check,
    probing,
    value_zeroing,
    word_confidence,
    word_evidence,
)
from methods.core import corpus as corpora
from methods.core.explain import answers, perturb
from methods.core.explain.faithfulness import RANDOM_ORDERS
from methods.core.models import load_model, random_twin
from methods.word_confidence import NothingHeardError, WordConfidence
from methods.word_evidence import MARGINS
from page.lessons import LESSONS
from page.session import from_example

TINY, BASE, HAMA = "openai/whisper-tiny.en", "openai/whisper-base", "hama-ctc"
# A stretch of the text that ends in a number -> what is measured; None for a bound that was asserted on the way.
Said = list[tuple[str, float | list[float] | None]]
TEXTS = {lesson.title: lesson.answer for lesson in LESSONS}
# Numbers that are names: of models, layers and heads, of Whisper's window.
NAMES = re.compile(r"“1,5 cm”|\bF0\b|\b[Ll]ayers? \d+( and \d+)?|\bhead \d+|\b30 s\b")

pytestmark = [pytest.mark.weights, pytest.mark.slow]


def first_shown(steps):
    """The first partial result: the numbers themselves, before their controls."""
    return next(step.partial for step in steps if step.partial is not None)


def own_share(maps):
    """(layers,) mean share of a row that a word keeps for itself."""
    rows = maps / maps.sum(-1, keepdims=True)
    return np.diagonal(rows, axis1=-2, axis2=-1).mean(-1)


def value_zeroing_opens_up() -> Said:
    scene = from_example("en_f_weasels")
    options = {"segments": scene.words, "stacks": ("encoder",), "random_seeds": (0,)}
    result = value_zeroing.analyse(scene.clip, load_model(TINY), **options)
    shares = own_share(result.encoder)
    return [
        ("(self share about .8", shares[0]),
        ("to 4 and it falls to about .6", shares[3]),
        ("it is 1/6", own_share(result.random[0].encoder).mean()),
    ]


def attention_spreads_wider() -> Said:
    scene = from_example("en_f_weasels")
    options = {"segments": scene.words, "stacks": ("encoder",), "random_seeds": ()}
    looks = attention.analyse(scene.clip, load_model(TINY), **options).encoder.mean(1)
    changes = value_zeroing.analyse(scene.clip, load_model(TINY), **options).encoder
    assert own_share(looks)[0] < own_share(changes)[0] - 0.2
    return []


def padding_takes_a_quarter() -> Said:
    scene = from_example("en_f_weasels")
    options = {"segments": scene.words, "stacks": ("encoder",), "random_seeds": ()}
    result = attention.analyse(scene.clip, load_model(BASE), **options)
    last = result.encoder_padding.mean((1, 2))[-2:]
    assert (last > 0.25).all() and (result.encoder_padding.mean((1, 2))[:-2] < 0.25).all()
    return []


def heads_on_the_list() -> Said:
    heads = load_model(TINY).decoding.alignment_heads  # from 0
    assert (3, 1) in heads and (3, 5) not in heads  # layer 4, heads 2 and 6
    return []


def the_cue_is_read_in_the_middle() -> Said:
    clip = from_example("fr_f_vos_messages").clip
    result = value_zeroing.analyse(clip, load_model(BASE), stacks=("decoder",), random_seeds=())
    tokens = list(result.tokens)
    vos, messages = tokens.index("vos"), tokens.index("messages")
    spoken = result.decoder[:, messages, len(result.tokens) - len(tokens[tokens.index("Pour") :]) :]
    shares = 100 * result.decoder[:, messages, vos] / spoken.sum(-1)
    return [("takes about 43", shares[2]), ("in layer 6 only 2", shares[5])]


def phones_take_shape() -> Said:
    result = probing.analyse(
        corpora.bundled("prompts"), load_model(TINY), target="phone", transfer="voices", random_seeds=(0,)
    )
    controls = result.controls
    assert (np.diff(controls.random[0, 0]) < 0.02).all() and controls.random[0, 0, -1] < controls.random[0, 0, 0]
    return [
        ("A linear probe tells 34", len(result.classes)),
        ("phones with .71", result.accuracy[0]),
        ("layer 0 and .83", result.accuracy[3]),
        ("MFCC give .46", controls.baseline_scores[controls.baselines.index("MFCC"), 0]),
        ("lowest layers fail (.18", controls.other[0, 0]),
        ("upper ones do not (.74", controls.other[0, 3:].mean()),
    ]


def from_sound_to_neighbours() -> Said:
    both = corpora.bundled("prompts").joined(corpora.bundled("voices"))
    result = encoding_probe.analyse(both, load_model(TINY), random_seeds=(0,))
    unique = dict(zip(result.blocks, result.unique.T, strict=True))
    random = dict(zip(result.blocks, result.controls.random_unique[0].T, strict=True))
    assert unique["phone"].argmax() == 2 and unique["word"].argmax() == 4
    assert max(random[block].max() for block in ("phone", "neighbours", "word")) < 0.005
    return [
        ("The sound alone explains .26", unique["acoustics"][0]),
        ("nothing else can, and .03", unique["acoustics"][4]),
        ("most at layer 2 (.07", unique["phone"][2]),
        ("comes later (.05", unique["neighbours"][3:]),
        ("the word last (.03", unique["word"][4]),
    ]


def a_recogniser_forgets() -> Said:
    result = acoustic_probing.analyse(corpora.bundled("prompts"), load_model(HAMA), target="f0")
    return [
        ("with r = .96", result.mean_r[:2]),
        ("keeps .55", result.mean_r[-1]),
        ("Random weights keep .90", result.random_r.min()),
        ("to .92", result.random_r.max()),
        ("energies alone give .94", result.baseline_r[result.baselines.index("log-mel"), 0]),
    ]


def layers_know_the_time() -> Said:
    corpus, model = corpora.bundled("prompts"), load_model(TINY)
    twins = [first_shown(cka.analyse.in_steps(corpus, random_twin(model, seed))) for seed in (0, 1, 2)]
    whole = first_shown(cka.analyse.in_steps(corpus, model, subtract_silence=False))
    return [
        ("(debiased CKA .33", first_shown(cka.analyse.in_steps(corpus, model)).debiased[0, -1]),
        ("they seem akin (.77", whole.debiased[0, -1]),
        ("Random weights give .81", np.mean([twin.debiased[0, -1] for twin in twins])),
    ]


def a_word_is_heard_where_it_is_said() -> Said:
    """Only what deletion asks for: insertion would double the passes, of half a second each."""
    scene, model = from_example("en_f_weasels"), load_model(TINY)
    options = {"segments": scene.words, "modes": (), "random_seeds": ()}
    steps = word_evidence.analyse.in_steps(scene.clip, model, **options)
    result = next(
        step.partial for step in steps if step.partial is not None and np.isfinite(step.partial.without).all()
    )
    assert f"the model writes “{result.answers[0][0].strip()}”" in TEXTS["A word is heard where it is said"]
    tokens = result.effects()[:, -len(result.words) :]
    assert (tokens.argmax(0) == np.arange(len(result.words))).all()  # the diagonal
    panel, main = answers.build(scene.clip, model), result.main
    before, after = MARGINS[result.provenance["options"]["margins"]]
    known: dict[frozenset[int], float] = {}

    def without(gone: frozenset[int]) -> float:
        if gone not in known:
            words = [scene.words[word] for word in sorted(gone)]
            sound = perturb.replaced(result.samples, words, result.modes[0], before=before, after=after, seed=0)
            known[gone] = panel.scores(sound)[main]
        return known[gone]

    def comprehensiveness(order: np.ndarray) -> float:
        """Mean loss when the first one, two, … of six words go (DeYoung et al. 2020)."""
        return result.base[main] - np.mean([without(frozenset(order[:count])) for count in range(1, len(order) + 1)])

    draw = np.random.default_rng(0)
    return [
        ("(comprehensiveness 51", comprehensiveness(np.argsort([word.start - word.end for word in scene.words]))),
        ("against 53", comprehensiveness(np.argsort(-result.effects()[:, main]))),
        ("random orders 42", np.mean([comprehensiveness(draw.permutation(6)) for _ in range(RANDOM_ORDERS)])),
    ]


def a_model_writes_where_nobody_speaks() -> Said:
    def judged(clip: str, model: str) -> WordConfidence:
        return word_confidence.analyse(from_example(clip).clip, load_model(model), random_seeds=())

    base, tiny = (judged("no_speech_noise", model) for model in (BASE, TINY))
    assert base.text == "1,5 cm" and base.provenance["options"]["language"] in ("nn", "no") and tiny.text == "You"
    assert min(base.no_speech, tiny.no_speech) > 0.8 and base.word_evidence("mean").max() < 1
    speech, question = judged("en_f_weasels", BASE), judged("en_f_question", BASE)
    with pytest.raises(NothingHeardError):
        judged("no_speech_noise", HAMA)
    i = next(number for number, word in enumerate(question.words) if word.label == "I")
    assert question.word_probabilities()[i] > 0.9
    least = min(speech.word_evidence(baseline).min() for baseline in word_confidence.BASELINES)
    return [
        ("adds at most 2", base.word_evidence().max()),
        ("average under 1", None),
        ("gets at least 2.9", least),
        ("what it hears (−2.2", -tiny.word_evidence()[0]),
        ("no-speech over 80", None),
        ("is enough (+0.5", question.word_evidence()[i]),
    ]


def phones_are_used() -> Said:
    scene, corpus = from_example("en_f_weasels"), corpora.bundled("prompts")
    result = erasure.analyse(corpus, load_model(TINY), clip=scene.clip, layers=(2, 4), random_seeds=())
    shuffled, random = result.controls.shuffled.max(0), result.controls.random.max(0)
    return [
        ("told .69", result.before[0]),
        ("is at .07", result.after[0]),
        ("loses 46", result.loss[0]),
        ("recordings cost 8", shuffled[0]),
        ("random directions 2", random[0]),
        ("phones cost 8", result.loss[1]),
        ("up to 12", shuffled[1]),
        ("still tells .36", result.left[0]),
    ]


def a_t_that_is_no_t() -> Said:
    scene, model = from_example("en_f_weasels"), load_model(TINY)
    result = phone_check.analyse(scene.clip, model, segments=scene.phones, words=scene.words)
    place = result.worst()
    assert (result.phones[place].upper(), result.words[place], result.rivals()[-1, place]) == ("T", "eaten", "d")
    assert (result.percentiles()[-1, place], result.native_counts()[place]) == (0, 35)
    claim = "Measles have eaten our phone system"
    wrong = phone_check.analyse(scene.clip, model, transcript=claim, random_seeds=())
    assert wrong.doubted()[-1, 0]
    assert wrong.rivals()[-1, 0] == "w"
    return [
        ("with it fits 5.9", -result.margins()[-1, place]),
        ("all of 35", int(result.native_counts()[place])),
        ("Of the 24", len(result.phones)),
        ("phones, 22", int((result.margins()[-1] > 0).sum())),
        ("at most 1", round(result.random_found()[:, -1].max() * len(result.phones))),
        ("by 33", -wrong.margins()[-1, 0]),
    ]


def a_sum_of_phones() -> Said:
    result = phone_arithmetic.analyse(corpora.bundled("prompts"), load_model(TINY))
    controls = result.controls
    return [
        ("consonants, .69", result.found[1]),
        ("gets .08", result.chance),
        ("MFCC give .52", controls.mfcc_found),
        ("random weights .53", controls.random_found[:, 1].mean()),
        (".38", result.alone[1]),
        ("are consistent (.93", result.consistency[1]),
        ("with random weights (.92", controls.random_consistency[:, 1].mean()),
        ("in MFCC (.94", controls.mfcc_consistency),
    ]


def a_word_from_its_own_place() -> Said:
    scene, model = from_example("en_f_weasels"), load_model(TINY)
    bare = {"segments": scene.words, "noise_seeds": (0,), "random_seeds": ()}
    bare |= {"places": 0}
    quiet = causal_tracing.analyse(scene.clip, model, word="Weasles", corruption="silence", **bare).recovered
    brought = causal_tracing.analyse(scene.clip, model, target="transcript", **bare).recovered[:, 0]
    return [
        ("(1.0", list(quiet[:, 0])),
        ("at most .09", quiet[:, 1:].max()),
        ("(.43", brought.min()),
        ("to .56", brought.max()),
    ]


def a_word_at_the_last_token() -> Said:
    scene = from_example("en_f_weasels")
    bare = {"segments": scene.words, "places": 0, "noise_seeds": (0,), "random_seeds": ()}
    result = causal_tracing.analyse(scene.clip, load_model(TINY), word="system", side="decoder", **bare)
    assert result.places[-1].strip() == "phone" and result.best()[1] == len(result.places) - 1
    last = result.recovered[:, -1]
    return [(": .06", last[1]), (", .48", last[2]), (", .86", last[3]), ("and 1", last[4]), ("nothing (0", last[0])]


def one_head_holds_it_together() -> Said:
    options = {"opened": "decoder 1.1", "draws": 0, "orders": 0, "random_seeds": (0,)}
    result = head_ablation.analyse(from_example("en_f_weasels").clip, load_model(TINY), **options)
    heads = np.concatenate([result.total(stack).ravel() for stack in result.losses])
    assert result.opened_text == "We we we we we our our"
    assert max(found.max() for found in result.controls.twins.values()) < 1
    return [("Of the 72", len(heads)), ("tiny.en 49", (heads < 1).sum()), ("it loses 31", heads.max())]


MEASURED: dict[str, Callable[[], Said]] = {
    "A word listens to itself first, then opens up": value_zeroing_opens_up,
    "Attention is not contribution": attention_spreads_wider,
    "Some attention goes to silence that is not in your clip": padding_takes_a_quarter,
    "Heads that follow the speech": heads_on_the_list,
    "One sound, two spellings": the_cue_is_read_in_the_middle,
    "Phones take shape in the middle of the encoder": phones_take_shape,
    "From the sound to the phone, to what stands beside it": from_sound_to_neighbours,
    "A recogniser forgets the voice": a_recogniser_forgets,
    "Layers that look alike because they know the time": layers_know_the_time,
    "A word is heard where it is said": a_word_is_heard_where_it_is_said,
    "A model that writes where nobody speaks": a_model_writes_where_nobody_speaks,
    "A silenced word comes back from its own place alone": a_word_from_its_own_place,
    "The word is decided in the decoder's last two layers": a_word_at_the_last_token,
    "One head holds the sentence together": one_head_holds_it_together,
    "Phones are used in the middle; at the end the loss is no news": phones_are_used,
    "A t that is no t": a_t_that_is_no_t,
    "A sum of phones, and what it proves": a_sum_of_phones,
}


def agrees(printed: str, values: float | list[float]) -> bool:
    """Whether measurements round to what is printed; a tenth of its last place more for another machine's sums."""
    number = re.search(r"(\d*\.?\d+)(/\d+)?$", printed)[0]
    if "/" in number:
        return bool(np.allclose(values, eval_fraction(number), atol=0.01))
    places = len(number.partition(".")[2])
    return bool((np.abs(np.atleast_1d(values) - float(number)) <= 0.6 * 10.0**-places).all())


def eval_fraction(text: str) -> float:
    above, below = text.split("/")
    return int(above) / int(below)


LONG = ("A word is heard", "Phones are used", "From the sound", "A silenced word", "One head")


@pytest.mark.parametrize(
    "title", [pytest.param(t, marks=pytest.mark.long if t.startswith(LONG) else ()) for t in MEASURED]
)
def test_a_lesson_says_what_comes_out(title):
    text = TEXTS[title]
    for printed, values in (said := MEASURED[title]()):
        assert printed in text
        assert values is None or agrees(printed, values), (printed, values)
    for printed, _ in said:
        text = text.replace(printed, "")
    assert not re.search(r"\d", NAMES.sub("", text)), "a number that nothing here measures"


def test_every_lesson_is_measured():
    assert MEASURED.keys() == TEXTS.keys()
