"""Classes of phones, and which labels are ARPAbet at all."""

from collections import Counter

import numpy as np
import pytest

from methods.core.corpus import spaces
from methods.core.figures import matrix
from methods.core.speech import phonology
from methods.rsa import items as rsa_items
from methods.rsa import similarity

# The 39 phones of the CMU Pronouncing Dictionary, from its own documentation.
CMU = """AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"""


def test_the_phones_are_those_of_the_cmu_dictionary():
    assert sorted(phonology.PHONES) == CMU.lower().split()
    assert not set(phonology.CONSONANTS) & set(phonology.VOWELS)
    assert len(phonology.CONSONANTS) == 24 and len(phonology.VOWELS) == 15


def test_no_two_consonants_share_all_three_features():
    assert len(set(phonology.CONSONANTS.values())) == 24


@pytest.mark.parametrize(
    ("name", "phones"),
    [
        # Natural classes as textbooks list them (Ladefoged & Johnson), not read from the table.
        ("plosive", "p b t d k g"),
        ("nasal", "m n ng"),
        ("fricative", "f v th dh s z sh zh hh"),
        ("affricate", "ch jh"),
        ("approximant", "l r w y"),
        ("vowel", "iy ih ey eh ae aa ao ow uh uw ah er ay aw oy"),
    ],
)
def test_manners(name, phones):
    assert {phone for phone in phonology.PHONES if phonology.feature(phone, "manner") == name} == set(phones.split())


def test_voiced_and_voiceless_pairs_differ_in_nothing_else():
    for pair in ("pb", "td", "kg", "fv", ("th", "dh"), "sz", ("sh", "zh"), ("ch", "jh")):
        voiceless, voiced = pair
        assert phonology.feature(voiceless, "voicing") == "voiceless"
        assert phonology.feature(voiced, "voicing") == "voiced"
        for name in ("manner", "place"):
            assert phonology.feature(voiceless, name) == phonology.feature(voiced, name)


def test_what_is_not_defined_is_empty():
    assert phonology.feature("t", "height") == ""
    assert phonology.feature("iy", "place") == ""
    assert phonology.feature("iy", "voicing") == "voiced"
    assert phonology.feature("ʃ", "manner") == ""
    assert phonology.feature("t", "colour") == ""
    for phone in phonology.PHONES:
        defined = {name for name in phonology.FEATURES if phonology.feature(phone, name)}
        vowel = {"manner", "voicing", "height", "backness", "rounding"}
        assert defined == (vowel if phone in phonology.VOWELS else {"manner", "place", "voicing"})


@pytest.mark.parametrize(
    ("label", "phone"),
    [("AH1", "ah"), (" iy0 ", "iy"), ("T", "t"), ("ə", None), ("", None), ("1", None), ("ax", None)],
)
def test_arpabet(label, phone):
    assert phonology.arpabet(label) == phone


@pytest.mark.parametrize(
    ("labels", "plain"),
    [
        ("S IY1 T AH0", "s iy t ah"),
        ("s iy t ah", "s iy t ah"),
        ("s sh", "s sh"),
        ("SH S", "sh s"),
        ("s S t", None),  # SAMPA: “S” is the first sound of “ship”
        ("s S iy", None),
        ("S Z N", None),  # could be either: taken as it is
        ("S @ t", None),
        ("s iy ax", None),  # TIMIT's larger set
        ("ʃ iː", None),
        ("", None),
    ],
)
def test_labels_are_arpabet_all_together_or_not_at_all(labels, plain):
    known = phonology.arpabet_of_all(labels.split())
    assert (known and [known[label] for label in labels.split()]) == (plain and plain.split())


def test_a_stray_label_does_not_take_classes_and_order_from_the_others():
    labels = [*"ptksmnl", "iy", "ae", "uw"] * 2 + ["spn"]
    assert phonology.nearly_all_known(labels) and not phonology.nearly_all_known([*"ptk", "spn"])
    assert not phonology.nearly_all_known([])
    assert phonology.in_table_order(["spn", "s", "iy", "p"]) == ["iy", "p", "s", "spn"]
    assert matrix.in_order(["spn", "s", "iy", "p"]) == [2, 3, 1, 0] and matrix.in_order(["b", "who", "a"]) == [0, 1, 2]
    classes = spaces._classes(np.array(labels))
    assert classes.shape[0] == 21 and not classes[-1].any() and classes[:-1].any(1).all()
    described = {**phonology.CONSONANTS, **phonology.VOWELS}
    alike = similarity.shared([rsa_items._described(described, label) for label in ("spn", "spn", "s", "z")])
    np.testing.assert_allclose(alike, [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0.6], [0, 0, 0.6, 1]])


@pytest.mark.parametrize(
    ("labels", "plain", "strays"),
    [
        ("AH0 AH1 AH2 T IY1 " * 10 + "NS", "ah ah ah t iy " * 10 + "NS", "NS"),
        ("ah t iy " * 10 + "AH0 t", "ah t iy " * 10 + "ah t", ""),  # two cases, both of them sure
        ("AH0 T IY1 " * 10 + "t", "ah t iy " * 10 + "t", "t"),  # “t” alone could be of any alphabet
        ("AH0 T IY1 " * 10 + "NS {LG} NS", "ah t iy " * 10 + "NS {LG} NS", "NS {LG}"),
        ("S E p @ " * 10, "S E p @ " * 10, ""),  # SAMPA
        ("S T AH0 NS", "S T AH0 NS", ""),  # a quarter is no stray
        ("p t k s m n l " * 10 + "@", "p t k s m n l " * 10 + "@", ""),  # nothing shows which alphabet
    ],
)
def test_strays_do_not_change_the_others(labels, plain, strays):
    known, found = phonology.arpabet_of_most(Counter(labels.split()))
    assert [known.get(label, label) for label in labels.split()] == plain.split()
    assert found == tuple(strays.split())
