"""Words as a CTC model hears them: found by time, explained alone, marked where they are said; targets on the page."""

import pytest

from methods import attribution, phoneme_saliency
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.lenses import ctc_words
from methods.core.models import load_model, whisper
from methods.core.progress import finish
from page.session import Session, from_example
from page.tabs import attribution as attribution_tab
from page.tabs import phoneme_saliency as phoneme_saliency_tab

HEARD = ("w i z ə l z", "h eɪ v i t", "n aʊ ɹ", "f oʊ n", "s ɪ s t ə m")  # of “Weasels have eaten our phone system”


@pytest.fixture(scope="module")
def hama():
    return load_model("hama-ctc")


@pytest.fixture(scope="module")
def weasels():
    return from_example("en_f_weasels")


def values(**changed):
    return attribution_tab.fitted({}) | {"kind": "ctc", "tests": "no", **changed}


def test_words_are_heard_one_after_the_other(hama, weasels):
    words = ctc_words.heard(weasels.clip, hama)
    assert tuple(word.label for word in words) == HEARD
    edges = [edge for word in words for edge in (word.start, word.end)]
    assert edges == sorted(edges) and edges[-1] <= weasels.clip.seconds + 0.04


def test_a_spoken_word_finds_what_is_spelled_for_it(hama, weasels):
    spoken = {word.label: word for word in weasels.words}
    found = {name: ctc_words.at(weasels.clip, hama, word) for name, word in spoken.items()}
    assert found["phone"] == ("f oʊ n", 1) and found["our"] == ("n aʊ ɹ", 1)
    assert found["have"] == found["eaten"] == ("h eɪ v i t", 1)  # the model hears one word there
    with pytest.raises(UserError, match=r"hears no word at 0.00 to 0.01 s, where “breath” is said \(it hears: w i z"):
        ctc_words.at(weasels.clip, hama, Segment("breath", 0.0, 0.01))


def test_equal_words_are_counted_and_times_compared():
    words = [Segment(label, place, place + 1) for place, label in enumerate("abab")]
    assert [ctc_words.occurrence(words, place) for place in range(4)] == [1, 1, 2, 2]
    assert ctc_words.overlap(Segment("a", 0, 2), Segment("b", 1, 5)) == 1
    assert ctc_words.overlap(Segment("a", 0, 1), Segment("b", 1, 5)) == 0
    assert ctc_words.spoken_as(words, Segment("x", 0.4, 2.2)) == (words[0], words[1])
    assert ctc_words.spoken_as(words, Segment("x", 0.7, 0.9)) == (words[0],)
    assert ctc_words.spoken_as(words, Segment("x", 8, 9)) == ctc_words.spoken_as([], words[0]) == ()


def test_one_word_of_a_ctc_model_is_explained(hama, weasels):
    steps = attribution_tab._steps(weasels, hama, "words", values(word="5"))
    made = finish(steps)
    assert made.target == "“f oʊ n” rather than nothing there"
    assert [word.label for word in made.words] == ["phone"]
    assert made.labels[int(made.own.scores.argmax())] == "phone"
    whole = finish(attribution_tab._steps(weasels, hama, "words", values()))
    assert whole.target == "the whole string" and whole.words == ()
    rival = values(word="5", kind="contrast", against="b oʊ n")
    assert finish(attribution_tab._steps(weasels, hama, "words", rival)).target == "“f oʊ n” rather than “b oʊ n”"
    with pytest.raises(UserError, match=r"This clip has 6 words .* so there is no number 7"):
        attribution_tab._steps(weasels, hama, "words", values(word="7"))


def test_without_words_their_numbers_are_the_models(hama, weasels):
    bare = Session(weasels.clip, None)
    assert attribution_tab._chosen_word(bare, hama, "ctc", "4") == {"wanted": "f oʊ n", "occurrence": 1}


def test_the_phoneme_tab_explains_what_its_controls_name(hama, weasels, tiny_model):
    def explained(model, **changed):
        return phoneme_saliency_tab._explained(
            weasels, model, {"kind": "answer", "target": "0", "against": "", **changed}
        )

    assert explained(hama) == {}
    assert explained(hama, target="5") == {"kind": "ctc", "wanted": "f oʊ n", "occurrence": 1}
    contrast = {"kind": "contrast", "wanted": "f oʊ n", "occurrence": 1, "against": "b oʊ n"}
    assert explained(hama, target="5", kind="contrast", against=" b oʊ n ") == contrast
    assert explained(tiny_model) == {"kind": "transcript", "transcript": None}
    word = explained(tiny_model, target="5")
    assert (word["kind"], word["wanted"], word["occurrence"]) == ("word", "phone", 1)
    assert explained(tiny_model, kind="language", against="fr", target="5") == {"kind": "language", "against": "fr"}
    assert explained(tiny_model, kind="class") == {"kind": "class", "against": None}


def test_the_phoneme_tabs_words_follow_the_clip(weasels):
    (update,) = phoneme_saliency_tab._word_list(weasels, "phones", "5")
    assert ("5. phone", "5") in update["choices"] and update["value"] == "5"
    assert phoneme_saliency_tab._word_list(weasels, "phones", "9")[0]["value"] == "0"
    assert len(phoneme_saliency_tab._word_list(None, "phones", "80")[0]["choices"]) == 81


@pytest.fixture
def short_answers(monkeypatch):
    monkeypatch.setattr(whisper, "LONGEST_TRANSCRIPT", 12)


@pytest.mark.usefixtures("short_answers")
def test_phones_of_a_contrast(tiny_model, clip, segments):
    options = {"kind": "contrast", "wanted": "ab", "transcript": "ab cd", "language": "en", "window": "clip"}
    options |= {"segments": segments, "method": "input x gradient", "random_seeds": (), "draws": 2}
    found = phoneme_saliency.analyse(clip, tiny_model, against="b", **options)
    assert found.provenance["options"]["target"] == "“ab” rather than “b”"
    with pytest.raises(UserError, match="A contrast needs two words"):
        phoneme_saliency.analyse(clip, tiny_model, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "guess"}, "There is no “guess” for “method”"),
        ({"compared": ("LIME", "guess")}, "There is no “guess” for “compared”"),
        ({"variants": ("backwards",)}, "There is no “backwards” for “variants”"),
        ({"aggregate": "median"}, "There is no “median” for “aggregate”"),
        ({"pieces": "letters"}, "There is no “letters” for “pieces”"),
        ({"share": 0}, "The option “share” cannot be 0"),
        ({"orders": -1}, "The option “orders” cannot be -1"),
        ({"steps": 0}, "The option “steps” cannot be 0"),
        ({"samples": 1}, "The option “samples” cannot be 1"),
        ({"heads": 1}, "One head has no other to agree with"),
        ({"random_seeds": (0, 0)}, "The option “random_seeds” names 0 twice"),
    ],
)
def test_options_that_mean_nothing_are_one_sentence(tiny_model, clip, segments, options, message):
    with pytest.raises(UserError, match=message):
        attribution.analyse(clip, tiny_model, segments=segments, **options)
