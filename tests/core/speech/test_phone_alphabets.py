"""Labels of other alphabets as ARPAbet: against published transcriptions of the same words, not against our table."""

import pytest

from methods.core.speech.phone_alphabets import IPA, in_arpabet, is_phone

# The same words in Wells's X-SAMPA, in IPA (Ladefoged & Johnson), in MFA's US English and in the CMU dictionary.
WORDS = [
    ("tS i: z", "t͡ʃ iː z", "tʃ iː z", "ch iy z"),  # cheese
    ("D @ dZ V dZ", "ð ə d͡ʒ ʌ d͡ʒ", "ð ə dʒ ɐ dʒ", "dh ah jh ah jh"),  # the judge
    ("T I N k", "θ ɪ ŋ k", "θ ɪ ŋ k", "th ih ng k"),  # think
    ('b O: t "f { S @ n', "b ɔː t ˈf æ ʃ ə n", "b ɔ t f æ ʃ ə n", "b ao t f ae sh ah n"),  # bought fashion
    ("eI aI OI aU @U", "eɪ aɪ ɔɪ aʊ oʊ", "ej aj ɔj aw ow", "ey ay oy aw ow"),
    ("b 3` d h U k u:", "b ɝ d h ʊ k uː", "b ɝ d h ʊ k ʉː", "b er d hh uh k uw"),  # bird, hook, ooh
    ("r\\ E d j E l v Z A:", "ɹ ɛ d j ɛ l v ʒ ɑː", "ɹ ɛ d j ɛ l v ʒ ɑː", "r eh d y eh l v zh aa"),
    ("p_h t_h k_h l= n=", "pʰ tʰ kʰ l̩ n̩", "pʰ tʰ kʰ ɫ̩ n̩", "p t k l n"),
]


@pytest.mark.parametrize("column", [0, 1, 2])
def test_transcriptions_of_the_same_words_are_the_same_phones(column):
    found = [label for word in WORDS for label in word[column].split()]
    meant = [phone for word in WORDS for phone in word[3].split()]
    read = in_arpabet(found)
    assert [read.of(label) for label in found] == meant
    assert read.alphabet == ("X-SAMPA" if column == 0 else "IPA") and read.unmapped == ()


@pytest.mark.parametrize(
    ("labels", "alphabet", "plain", "unmapped"),
    [
        ("y ʁ ɛ̃ ɛ t ʔ y", "IPA", "- - - eh t - -", "y ɛ̃ ʁ ʔ"),  # French y is no ARPAbet y; named, most frequent first
        ("y R E~ E t ?", "X-SAMPA", "- - - eh t -", "? E~ R y"),
        ("e t æ ʃ", "IPA", "eh t ae sh", ""),  # British e is DRESS where there is no ɛ
        ("e ɛ t ʃ", "IPA", "ey eh t sh", ""),
        ("s S t", "X-SAMPA", "s sh t", ""),
        ("S T @ N", "X-SAMPA", "sh th ah ng", ""),
        ("S Z N", "", "- - -", "N S Z"),  # of either alphabet
        ("W IY1 NS", "ARPAbet", "w iy -", "NS"),
        ("s iy ax t", "ARPAbet", "s iy - t", "ax"),
        ("p a t j o", "IPA", "p - t y ow", "a"),
        ("ɡ g", "IPA", "g g", ""),
        ("ɹ̩ ɹ", "IPA", "er r", ""),
        ("😀 <unk>", "", "- -", "<unk> 😀"),
        ("", "", "", ""),
    ],
)
def test_label_by_label(labels, alphabet, plain, unmapped):
    read = in_arpabet(labels.split())
    assert [read.of(label) or "-" for label in labels.split()] == plain.split()
    assert (read.alphabet, read.unmapped) == (alphabet, tuple(unmapped.split()))


def test_every_phone_of_ours_has_its_letter_of_ipa():
    read = in_arpabet(IPA.values())
    assert {ipa: read.of(ipa) for ipa in IPA.values()} == {ipa: phone.lower() for phone, ipa in IPA.items()}


def test_what_is_a_phone_at_all():
    assert all(map(is_phone, ["y", "ʁ", "ɛ̃", "œ", "9", "R", "?", "x"]))
    assert not any(map(is_phone, ["qq", "NS", "😀", "", "<unk>"]))
