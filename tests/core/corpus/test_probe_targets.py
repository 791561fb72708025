"""What a probe is asked: labels from phones, words and tiers, and the finer types of the control tasks."""

from dataclasses import replace

import numpy as np
import pytest
from spoken import PHONES, WORDS, spoken

from methods.core.corpus.labels import TARGETS, asks, control_codes, shuffled_codes, split, task
from methods.core.errors import UserError
from methods.core.frames import Segment


@pytest.fixture(scope="module")
def corpus():
    return spoken(speakers=("ann", "bob", "cat"))


def counts(labels):
    return dict(zip(*np.unique(labels, return_counts=True), strict=True))


def said(corpus):
    """Every phone with its word and place, straight from the vocabulary."""
    return [
        (phone, word.label, place + 1)
        for utterance in corpus.utterances
        for word in utterance.words
        for place, phone in enumerate(WORDS[word.label])
    ]


def test_phones_with_their_places_in_words_as_types(corpus):
    asked = task(corpus, "phone")
    spoken_phones = said(corpus)
    assert asked.classes == PHONES and asked.dropped == ()
    assert asked.items.label.tolist() == [phone for phone, _, _ in spoken_phones]
    assert asked.types.tolist() == [f"{word}/{place}" for _, word, place in spoken_phones]
    assert [asked.classes[code] for code in asked.codes] == asked.items.label.tolist()
    most = max(counts([phone for phone, _, _ in spoken_phones]).values())
    assert asked.majority == pytest.approx(most / len(spoken_phones))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        # From any textbook: /p/ and /m/ are made with the lips, /s/ and /t/ behind the teeth; /iy/ is a high front
        # vowel and /ae/ a low front one, neither rounded.
        ("manner", {"p": "plosive", "t": "plosive", "s": "fricative", "m": "nasal", "iy": "vowel", "ae": "vowel"}),
        ("place", {"p": "labial", "m": "labial", "s": "alveolar", "t": "alveolar"}),
        ("voicing", dict.fromkeys("pst", "voiceless") | {"m": "voiced", "iy": "voiced", "ae": "voiced"}),
        ("height", {"iy": "high", "ae": "low"}),
    ],
)
def test_features_of_phones(corpus, target, expected):
    asked = task(corpus, target)
    kept = [expected[phone] for phone, _, _ in said(corpus) if phone in expected]
    assert asked.items.label.tolist() == kept
    assert asked.classes == tuple(sorted(set(expected.values())))
    assert asked.question == TARGETS[target]


@pytest.mark.parametrize("target", ["backness", "rounding"])
def test_one_class_is_no_question(corpus, target):
    with pytest.raises(UserError, match=f"“toy” has 1 kind.*of “{target}”.*a probe needs two; choose another target"):
        task(corpus, target)


def test_stress_is_asked_about_vowels_by_their_word_and_phone(corpus):
    asked = task(corpus, "stress")
    vowels = [(phone, word) for phone, word, _ in said(corpus) if phone in ("iy", "ae")]
    names = {"iy": "stressed", "ae": "unstressed"}
    assert asked.items.label.tolist() == [names[phone] for phone, _ in vowels]
    assert asked.types.tolist() == [f"{word}/{phone}" for phone, word in vowels]  # finer than stressed or not


def test_secondary_stress_is_left_out(corpus):
    tiers = [
        {"stress": tuple(replace(s, label="2") if s.label == "1" else s for s in u.tiers["stress"])}
        for u in corpus.utterances
    ]
    doubtful = replace(
        corpus,
        utterances=tuple(replace(u, tiers=t) for u, t in zip(corpus.utterances[:9], tiers[:9], strict=True))
        + corpus.utterances[9:],
    )
    asked, whole = task(doubtful, "stress"), task(corpus, "stress")
    secondary = sum(s.label == "2" for t in tiers[:9] for s in t["stress"])
    assert len(asked.items) == len(whole.items) - secondary


def test_words_with_the_word_before_as_types(corpus):
    asked = task(corpus, "word")
    expected = [w.label for u in corpus.utterances for w in u.words]
    before = [b for u in corpus.utterances for b in ("#", *(w.label for w in u.words[:-1]))]
    common = [label for label in WORDS if expected.count(label) >= 8]
    assert asked.classes == tuple(sorted(common))
    kept = [(b, w) for b, w in zip(before, expected, strict=True) if w in common]
    assert asked.items.label.tolist() == [w for _, w in kept]
    assert asked.types.tolist() == [f"{b} {w}" for b, w in kept]  # a type has one word: finer than the label


def test_who_speaks_is_asked_phone_by_phone(corpus):
    asked = task(corpus, "speaker")
    assert asked.classes == ("ann", "bob", "cat") and len(asked.items) == len(said(corpus))
    assert set(asked.items.label[asked.items.utterance == 1]) == {"bob"}
    assert task(corpus, "sex").classes == ("f", "m")
    with pytest.raises(UserError, match="1 kind"):
        task(corpus, "language")
    bare = replace(corpus, utterances=tuple(replace(u, phones=()) for u in corpus.utterances))
    assert len(task(bare, "speaker").items) == sum(len(u.words) for u in corpus.utterances)  # words will do


def test_a_tier_of_ones_own(corpus):
    def marked(utterance):
        halves = [
            Segment(label, a, b) for label, (a, b) in {"x": (0.0, 0.3), "y": (0.3, 0.6), "z": (0.6, 0.7)}.items()
        ]
        if utterance.clip.name.endswith(("1", "2")):
            halves = halves[:2]
        return replace(utterance, tiers={"tone": tuple(halves)})

    own = replace(corpus, utterances=tuple(map(marked, corpus.utterances)))
    asked = task(own, "tier:tone")
    assert asked.classes == ("x", "y", "z") and asked.dropped == ()
    assert asked.question == "which label of the tier “tone”"
    for recordings, dropped in ((10, ()), (9, ("z",))):  # "z" is in all of them but two: in eight, and in seven
        assert task(replace(own, utterances=own.utterances[:recordings]), "tier:tone").dropped == dropped
    with pytest.raises(UserError, match=r"“toy” has no labels in a tier “pitch”; its tiers are words, phones, tone"):
        task(own, "tier:pitch")


def test_rare_classes_are_dropped_and_named(corpus):
    # Eight items in two recordings are too few, in three they are enough, and seven in three are too few.
    extra = tuple(Segment("zh", 0.0 + i * 0.005, 0.004 + i * 0.005) for i in range(4))
    two = [replace(u, phones=extra + u.phones) if i < 2 else u for i, u in enumerate(corpus.utterances)]
    assert task(replace(corpus, utterances=tuple(two)), "phone").dropped == ("zh",)
    three = [replace(u, phones=extra + u.phones) if i < 3 else u for i, u in enumerate(corpus.utterances)]
    assert "zh" in task(replace(corpus, utterances=tuple(three)), "phone").classes
    seven = [
        replace(u, phones=extra[: 3 - (i == 0) * 2] + u.phones) if i < 3 else u
        for i, u in enumerate(corpus.utterances)
    ]
    assert task(replace(corpus, utterances=tuple(seven)), "phone").dropped == ("zh",)


def test_phones_that_swallowed_a_pause_are_left_out(corpus):
    first = corpus.utterances[0]
    long = replace(
        first, phones=(*first.phones[:-1], Segment("t", first.phones[-1].start, first.phones[-1].start + 0.36))
    )
    asked = task(replace(corpus, utterances=(long, *corpus.utterances[1:])), "phone")
    assert len(asked.items) == len(said(corpus)) - 1


def test_another_corpus_is_asked_about_the_same_classes(corpus):
    other = spoken(recordings=2, words=3, seed=5)  # far too few for classes of its own
    asked = task(other, "phone", classes=("iy", "p", "zh"))
    assert asked.classes == ("iy", "p", "zh")
    assert set(asked.items.label) <= {"iy", "p"}
    assert asks(other, "phone", ("iy", "ae", "zh")) and not asks(other, "phone", ("iy", "zh"))
    assert not asks(other, "tier:tone", ("x", "y"))


def test_unknown_targets_and_alphabets():
    corpus = spoken()
    with pytest.raises(UserError, match=r"no target “colour”; choose one of phone, manner, .*, or tier:NAME"):
        task(corpus, "colour")
    strange = [replace(u, phones=tuple(replace(p, label=f"{p.label}Ж") for p in u.phones)) for u in corpus.utterances]
    foreign = replace(corpus, utterances=tuple(strange))
    assert task(foreign, "phone").classes == tuple(f"{p}Ж" for p in PHONES)
    with pytest.raises(
        UserError, match=r"no counterpart in ARPAbet, so their manner is not known; label them in a tier"
    ):
        task(foreign, "manner")
    written = {"iy": "iː", "ae": "æ", "sh": "ʃ"}  # IPA: the phones' own labels stay, and their classes are known
    other = [
        replace(u, phones=tuple(replace(p, label=written.get(p.label, p.label)) for p in u.phones))
        for u in corpus.utterances
    ]
    ipa = replace(corpus, utterances=tuple(other))
    np.testing.assert_array_equal(task(ipa, "manner").items.label, task(corpus, "manner").items.label)
    mute = replace(corpus, utterances=tuple(replace(u, phones=()) for u in corpus.utterances))
    with pytest.raises(UserError, match=r"no phones tier, which “phone” needs; its tiers are words, stress, so"):
        task(mute, "phone")
    bare = replace(corpus, utterances=tuple(replace(u, phones=(), words=(), tiers={}) for u in corpus.utterances))
    with pytest.raises(UserError, match=r"no words tier, which “word” needs; it has no tiers at all, so"):
        task(bare, "word")
    with pytest.raises(UserError, match=r"no phones tier, which “speaker” needs"):
        task(bare, "speaker")
    unknown = replace(corpus, utterances=tuple(replace(u, sex="") for u in corpus.utterances))
    with pytest.raises(UserError, match=r"“toy” does not name the sex of its speakers; name it for each recording"):
        task(unknown, "sex")
    vowels = replace(corpus, utterances=tuple(_only(u, "iy", "ae") for u in corpus.utterances))
    with pytest.raises(UserError, match=r"“toy” has no item with a known place; its tiers are words, phones, stress"):
        task(vowels, "place")


def _only(utterance, *phones):
    return replace(utterance, phones=tuple(p for p in utterance.phones if p.label in phones))


def test_too_rare_labels_are_named():
    few = spoken(2, 8)  # of five phones several items, in two recordings
    with pytest.raises(UserError, match=r"has no kinds of “phone” with .* \(ae, iy, m, p, t too rare\) and a"):
        task(few, "phone")


# Control tasks


def test_a_control_task_gives_each_type_one_label_from_the_real_shares():
    rng = np.random.default_rng(0)
    types = rng.integers(0, 3000, 6000).astype(str)
    codes = rng.choice(3, 6000, p=[0.6, 0.3, 0.1])
    control = control_codes(types, codes, seed=1)
    labels = {}
    for kind, code in zip(types, control, strict=True):
        assert labels.setdefault(kind, code) == code
    # Some 2,600 types, drawn independently: three standard errors of a share of 0.6 are 0.029.
    shares = np.bincount(list(labels.values()), minlength=3) / len(labels)
    np.testing.assert_allclose(shares, np.bincount(codes) / 6000, atol=0.03)
    np.testing.assert_array_equal(control, control_codes(types, codes, seed=1))
    assert (control != control_codes(types, codes, seed=2)).any()


def bare(corpus, **tiers):
    """The same recordings with these tiers only."""
    return replace(
        corpus,
        utterances=tuple(replace(u, **{"words": (), "phones": (), "tiers": {}} | tiers) for u in corpus.utterances),
    )


def tier_of(corpus):
    """The phones of each recording under the name of a tier that the app does not know."""
    return replace(
        corpus,
        utterances=tuple(replace(u, words=(), phones=(), tiers={"x": u.phones}) for u in corpus.utterances),
    )


def ambiguous(types, labels):
    """Whether some class has several types, and some type is not alone: by sets, not by counting."""
    return len(set(types)) > 1 and len(set(zip(types, labels, strict=True))) > len(set(labels))


def test_without_words_a_phone_and_the_one_before_are_the_types(corpus):
    phones = bare(corpus)
    phones = replace(
        phones,
        utterances=tuple(
            replace(b, phones=u.phones) for b, u in zip(phones.utterances, corpus.utterances, strict=True)
        ),
    )
    for asked, name in (
        (task(phones, "phone"), "phone with what comes before it"),
        (task(tier_of(corpus), "tier:x"), "label with what comes before it"),
    ):
        # Phones follow one another without a gap here, and the first of a recording follows nothing.
        expected = [
            f"{before} {phone.label}"
            for u in corpus.utterances
            for before, phone in zip(["#", *(p.label for p in u.phones)], u.phones, strict=False)
        ]
        assert asked.types.tolist() == expected and asked.types_are == name
        assert ambiguous(asked.types, asked.items.label)
    # A class of several phones needs no neighbours: the phone is finer.
    asked = task(phones, "manner")
    assert asked.types.tolist() == [f"/{p}" for p in asked.items.columns["phone"]] and asked.types_are == "phone"
    assert task(corpus, "phone").types_are == "place in the word"


def test_isolated_words_have_no_finer_type(corpus):
    alone = tuple(replace(u, words=u.words[:1], phones=(), tiers={}) for u in spoken(120).utterances)
    asked = task(replace(corpus, utterances=alone), "word")
    assert asked.types is None and asked.types_are == "no finer type is known"
    # One label of a tier per recording: nothing but itself is known of it.
    tones = tuple(replace(u, words=(), tiers={"x": (Segment(w.label, w.start, w.end),)})
                  for u in alone for w in u.words)  # fmt: skip
    asked = task(replace(corpus, utterances=tones), "tier:x")
    assert asked.types is None and asked.types_are == "no finer type is known (no words tier)"


def test_a_few_odd_items_make_no_finer_types(corpus):
    # Always x y x y …: only the first of each recording has another neighbour, one item of its class in ten.
    def marked(utterance):
        turns = tuple(Segment("xy"[i % 2], 0.05 * i, 0.05 * i + 0.05) for i in range(20))
        return replace(utterance, words=(), phones=(), tiers={"x": turns})

    assert task(replace(corpus, utterances=tuple(map(marked, corpus.utterances))), "tier:x").types is None


# Splits


def test_sex_is_split_by_speaker_where_every_class_keeps_somebody():
    four = task(spoken(16, 4, speakers=("ann", "bob", "cat", "dan")), "sex")
    assert split(four, "sex", "auto") == (
        "speaker",
        "split by speaker, so that nobody is on both sides",
    )
    assert split(four, "sex", "utterance") == (
        "utterance",
        "the same speakers are on both sides, so this may be who speaks",
    )
    assert split(four, "sex", "speaker") == ("speaker", "")
    assert split(four, "phone", "auto") == ("utterance", "") and split(four, "phone", "speaker") == ("speaker", "")
    for names in (
        ("ann", "bob"),
        ("ann", "bob", "cat"),
    ):  # of men there is one: held out, nobody is left to learn from
        by, caution = split(task(spoken(15, 4, speakers=names), "sex"), "sex", "auto")
        assert by == "utterance"
        assert caution == (
            "the same speakers are on both sides (too few speakers of each class to split by them), "
            "so this may be who speaks"
        )
    # A recording each: splitting by recording is splitting by speaker, and there is nothing to warn of.
    each = task(spoken(12, 8, speakers=tuple("abcdefghijkl")), "sex")
    assert split(each, "sex", "utterance") == ("utterance", "")


def test_shuffling_keeps_the_counts():
    codes = np.repeat([0, 1, 2], [50, 30, 20])
    shuffled = shuffled_codes(codes, 0)
    assert np.bincount(shuffled).tolist() == [50, 30, 20]
    assert (shuffled != codes).any() and (shuffled_codes(codes, 0) == shuffled).all()
