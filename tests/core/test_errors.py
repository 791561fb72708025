"""How many of what, in words; and that no sentence leaves it to the reader."""

import re

from tree import tree_sources

from methods.core.errors import counted

UNDECIDED = re.compile(r"\w\(e?s\)(?=[ ,.;”\"'])")  # “word(s)”
CALL = re.compile(r"(?:\b(?:set|len|list|str|int|sorted|tuple|float|factorial))\(e?s\)")


# One of these can be all there is: the first control of a run, a clip alone as a corpus.
ONE_AT_TIMES = re.compile(
    r"(?:(?<!len\(parts\))\} seeds|(?:utterances\)|utterances'\]|\.recordings)\} recordings|[wW]ords\)?\} words)\b"
)


def test_counts_agree_with_their_nouns():
    assert [counted(number, "word") for number in (0, 1, 2)] == ["no words", "1 word", "2 words"]


def test_no_sentence_leaves_the_plural_to_the_reader():
    sources = {path: CALL.sub("", text) for path, text in tree_sources().items()}
    said = [
        path for path, text in sources.items() if path.startswith(("methods/", "page/")) and UNDECIDED.search(text)
    ]
    assert said == []


def test_no_sentence_says_1_seeds_or_1_recordings():
    named = {path: ONE_AT_TIMES.findall(text) for path, text in tree_sources().items() if path.endswith(".py")}
    assert {path: found for path, found in named.items() if found and path.startswith(("methods/", "page/"))} == {}
