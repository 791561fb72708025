"""A small labelled set of recordings: who says what, with words and phones in time.

    corpus = bundled("prompts")           # or read_folder("my recordings"), read_zip("my recordings.zip")
    items = phone_items(corpus)           # one row per phone: where it is, what it is, between what

A folder or zip of one's own holds sound files (up to 30 s each) and their labels, either way or both:

- a Praat TextGrid of the same name beside each, with interval tiers of words and phones; others may be probed too;
- one `segments.csv` with the columns file, tier, label, start, end (seconds), where the tier is words, phones, or any
  name of your own.

If wanted, `index.csv` with the columns file, speaker, sex (f or m), language tells who speaks. Without it the speaker
is the name of the folder that a file lies in. Columns called accent and group, in either table, sort the recordings in
any other way. Phones in ARPAbet come out in lower case without stress digits; any other alphabet stays as it is
written.
"""

from methods.core.alignment.tiers import MAUS, PHONE_TIERS, SILENCES, WORD_TIERS
from methods.core.corpus.files import CorpusError
from methods.core.corpus.items import Items, balanced, phone_items, word_items
from methods.core.corpus.recordings import (
    CORPORA,
    FOLDER,
    LONGEST_LABEL,
    MOST_LABELS,
    MOST_SECONDS,
    SEXES,
    Corpus,
    Utterance,
    bundled,
    from_hub,
    of_clip,
    read_folder,
    read_zip,
)

__all__ = [
    "CORPORA",
    "FOLDER",
    "LONGEST_LABEL",
    "MAUS",
    "MOST_LABELS",
    "MOST_SECONDS",
    "PHONE_TIERS",
    "SEXES",
    "SILENCES",
    "WORD_TIERS",
    "Corpus",
    "CorpusError",
    "Items",
    "Utterance",
    "balanced",
    "bundled",
    "from_hub",
    "of_clip",
    "phone_items",
    "read_folder",
    "read_zip",
    "word_items",
]
