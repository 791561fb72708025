"""How an English transcript is said: numbers, symbols, and words that no dictionary holds."""

import pytest

from methods.core.speech import pronunciation
from methods.core.speech.pronunciation import guessed_phones, written_words
from methods.core.speech.words import bare_word

ARPABET = set(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()  # noqa: SIM905
)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("42", "forty two"),
        ("0", "zero"),
        ("13", "thirteen"),
        ("100", "one hundred"),
        ("815", "eight hundred fifteen"),
        ("9999", "nine thousand nine hundred ninety nine"),
        ("1,250", "one thousand two hundred fifty"),
        ("1984", "nineteen eighty four"),
        ("1905", "nineteen oh five"),
        ("1900", "nineteen hundred"),
        ("2005", "two thousand five"),
        ("2026", "twenty twenty six"),
        ("007", "zero zero seven"),
        ("21st", "twenty first"),
        ("30th", "thirtieth"),
        ("8th", "eighth"),
        ("1990s", "nineteen nineties"),
        ("3.14", "three point one four"),
        ("-5", "minus five"),
        ("$5.50", "five dollars fifty"),
        ("£1", "one pound"),
        ("50%", "fifty percent"),
        ("#", "pound"),
        ("*", "star"),
        ("#1", "number one"),
        ("and/or", "and or"),
        ("ill-disposed", "ill disposed"),
        ("“Don’t", "don't"),
        ("'em", "'em"),
        ("'hello'", "hello"),
        ("*emphasis*", "emphasis"),
        ("café", "cafe"),
        ("PBX", "pbx"),
        ("XQZ", "x. q. z."),
        ("wav2vec", "wav two vec"),
    ],
)
def test_numbers_and_symbols_are_spelled_out(written, said):
    (word,) = written_words(f"{written}, the")[:-1]
    assert " ".join(word.said) == said


def test_every_number_to_9999_is_said_in_dictionary_words():
    known = pronunciation.dictionary_words()
    for number in range(10_000):
        (word,) = written_words(str(number))
        assert word.label == str(number)
        assert set(word.said) <= known, word
        assert number == 0 or set(written_words(f"{number}th")[0].said) <= known, number  # "zeroth" must be guessed


def test_labels_are_the_users_spelling_and_remarks_are_left_out():
    words = written_words("[door slams] “Weasels” — have eaten: 42 PHONES… <unk> (almost), ill-disposed!")
    assert [w.label for w in words] == ["Weasels", "have", "eaten", "42", "PHONES", "almost", "ill-disposed"]


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        (" Weasels,", "Weasels"),
        ("...", ""),
        (" #", "#"),
        ("50%", "50%"),
        ("$5.", "$5"),
        ("’tis’", "tis"),
        ("été", "été"),
    ],
)
def test_bare_words(text, bare):
    assert bare_word(text) == bare


def test_guessed_phones_are_arpabet_and_mostly_those_of_the_dictionary():
    """A sane guess for a name, and under 15 % of phones wrong on words that the dictionary knows (measured: 9 %)."""
    assert guessed_phones("weasley") == "W IY Z L IY"
    assert set(pronunciation.IPA_TO_ARPABET.values()) <= ARPABET
    assert len(set(pronunciation.IPA_TO_ARPABET.values())) == 39  # every English phone can be guessed
    known = {
        "judge": "JH AH JH", "thing": "TH IH NG", "measure": "M EH ZH ER", "boy": "B OY", "house": "HH AW S",
        "phone": "F OW N", "church": "CH ER CH", "value": "V AE L Y UW", "young": "Y AH NG", "eaten": "IY T AH N",
    }  # fmt: skip
    wrong = sum(_edits(guessed_phones(word).split(), phones.split()) for word, phones in known.items())
    assert wrong <= 0.15 * sum(len(phones.split()) for phones in known.values())


def _edits(a: list[str], b: list[str]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        left = [i]
        for j, y in enumerate(b, start=1):
            left.append(min(row[j] + 1, left[-1] + 1, row[j - 1] + (x != y)))
        row = left
    return row[-1]


@pytest.mark.parametrize("word", ["слово", "łódź", "a" * 41, "", "a b", "w\n"])
def test_hopeless_words_are_not_guessed(word):
    assert guessed_phones(word) is None
