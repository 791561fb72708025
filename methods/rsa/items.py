"""What representational similarity is asked about: words, phones or whole recordings, and other ways to compare them.

items = chosen(corpus, states, "words", 150)
references = compared(corpus, model, items)        # name -> (n, n) similarities
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from methods.core.corpus import FOLDER, Corpus, features
from methods.core.corpus.features import Features
from methods.core.corpus.items import Items, balanced, phone_items, phone_reading, word_items
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.speech import phonology
from methods.rsa import similarity, tree_kernel
from methods.rsa.tree_kernel import Tree

UNITS = {"words": "words", "phones": "phones", "utterances": "whole recordings"}
REFERENCES = {
    "string": "same phones in the same order (edit distance)",
    "label": "same word, phone or not",
    "class": "shared articulatory classes of phones",
    "tree": "shared subtrees of the parses",
    "acoustic": "how they sound (MFCC, aligned)",
    "duration": "how long they last",
    "speaker": "same speaker or not",
}
CONFOUNDS = ("duration", "speaker", "acoustic")
OF_ITEMS = ("duration", "speaker")  # confounds that each item has by itself, so that they can be taken out of it
DISTANCES = ("acoustic", "duration")  # references that are minus a distance
LEAST_LEFT = 5  # dimensions of the items that must remain when the confounds are out
PER_LABEL = 4  # tokens: enough for pairs of the same, without filling the set with "the"
FEWEST = 10  # items: 45 pairs, and 3.6 million orders to shuffle into
PARSES = FOLDER / "prompts" / "parses.txt"


@dataclass(frozen=True, eq=False)
class ItemsAsked:
    """The items, what is known of each, and which references they allow."""

    unit: str
    items: Items
    phones: tuple[tuple[str, ...], ...]  # (n,) the phones of each
    trees: tuple[Tree, ...]  # (n,) or empty

    def __len__(self) -> int:
        return len(self.items)


def chosen(corpus: Corpus, unit: str, most: int, parses: str = "", seed: int = 0) -> ItemsAsked:
    """At most `most` items. Raises UserError for fewer than FEWEST."""
    if unit not in UNITS:
        raise UserError(f"There is no unit “{unit}”; choose one of {', '.join(UNITS)}.")
    trees: dict[int, Tree] = {}
    if unit == "utterances":
        items, trees = _utterances(corpus), _trees(corpus, parses)
        if len(trees) >= FEWEST:
            items = items.only(np.isin(items.utterance, list(trees)))
    else:
        items = balanced(word_items(corpus) if unit == "words" else phone_items(corpus), PER_LABEL, seed)
    if len(items) < FEWEST:
        raise UserError(
            f"“{corpus.name}” has {len(items)} {UNITS[unit]} (at most {PER_LABEL} of a kind) and this comparison "
            f"needs at least {FEWEST}; choose a longer clip, more recordings, or another unit."
        )
    if len(items) > most:
        items = items.only(np.sort(np.random.default_rng(seed).choice(len(items), most, replace=False)))
    known = tuple(trees[u] for u in items.utterance) if len(trees) >= FEWEST else ()
    return ItemsAsked(unit, items, _phones(corpus, items), known)


def _utterances(corpus: Corpus) -> Items:
    """Every recording as one item, from its first word (phone) to its last, or whole where nothing is labelled."""
    rows = []
    for number, utterance in enumerate(corpus.utterances):
        spoken = utterance.words or utterance.phones
        span = (spoken[0].start, spoken[-1].end) if spoken else (0.0, utterance.clip.seconds)
        rows.append((number, *span, utterance.clip.name, utterance.speaker))
    number, start, end, name, speaker = zip(*rows, strict=True)
    columns = {"speaker": np.array(speaker, dtype=str)}
    return Items(np.array(number), np.array(start), np.array(end), np.array(name, dtype=str), columns)


def _phones(corpus: Corpus, items: Items) -> tuple[tuple[str, ...], ...]:
    def inside(phones: Sequence[Segment], start: float, end: float) -> tuple[str, ...]:
        return tuple(phone.label for phone in phones if start <= (phone.start + phone.end) / 2 < end)

    spans = zip(items.utterance, items.start, items.end, strict=True)
    return tuple(inside(corpus.utterances[number].phones, start, end) for number, start, end in spans)


@cache
def bundled_parses() -> str:
    """Parses of the bundled prompts in the style of the Penn Treebank, written by hand."""
    return PARSES.read_text(encoding="utf-8")


def _trees(corpus: Corpus, parses: str) -> dict[int, Tree]:
    """Utterance -> its parse, found by its words."""
    text = parses if parses.strip() else bundled_parses()
    by_words = {"".join(tree.words).lower(): tree for tree in tree_kernel.read(text)}
    said = {i: "".join(word.label.lower() for word in u.words) for i, u in enumerate(corpus.utterances)}
    found = {i: by_words[words] for i, words in said.items() if words in by_words}
    if parses.strip() and len(found) < FEWEST:
        raise UserError(
            f"{len(found)} of the {len(by_words)} parses have the words of a recording and {FEWEST} are needed; the "
            "words of a parse, joined, must be those of the recording's tier of words."
        )
    return found


def compared(corpus: Corpus, model: SpeechModel, asked: ItemsAsked) -> dict[str, np.ndarray]:
    """Name -> (n, n) similarities, for every reference that differs between these items."""
    items = asked.items
    sound = features.acoustic(corpus, model, "mfcc")
    made = {"acoustic": similarity.acoustic(sound.layers[0], features.frames_of(sound, items))}
    made["duration"] = similarity.durations(items.end - items.start)
    made["speaker"] = similarity.labels(items.columns["speaker"].tolist())
    if asked.unit != "utterances":
        made["label"] = similarity.labels(items.label.tolist())
    if asked.unit != "phones" and all(asked.phones):
        made["string"] = similarity.strings(asked.phones)
    known = phone_reading(corpus)
    if asked.unit == "phones" and phonology.nearly_all_known([known.of(x) or x for x in items.label.tolist()]):
        described = {**phonology.CONSONANTS, **phonology.VOWELS}
        made["class"] = similarity.shared([_described(described, known.of(label) or label) for label in items.label])
    if asked.trees:
        made["tree"] = tree_kernel.similarities(asked.trees)
    return {name: made[name] for name in REFERENCES if name in made and _varies(made[name])}


def _described(described: dict[str, tuple[str, str, str]], label: str) -> tuple[str, ...]:
    if label not in described:
        return (f"stray {label}",)  # like itself alone
    kind = "vowel" if label in phonology.VOWELS else "consonant"
    return (kind, *described[label])


def _varies(matrix: np.ndarray) -> bool:
    return float(np.ptp(matrix[np.triu_indices(len(matrix), 1)])) > 1e-9


def known_of_items(asked: ItemsAsked, names: Sequence[str]) -> np.ndarray | None:
    """(n, rank) basis of duration (a cubic in its logarithm) and speaker, those of them in `names`; None: too much."""
    items, columns = asked.items, []
    if "duration" in names:
        columns.append(similarity.polynomial(np.log(np.maximum(items.end - items.start, 1e-3))))
    if "speaker" in names:
        speakers = items.columns["speaker"]
        columns.append((speakers[:, None] == np.unique(speakers)[None, 1:]).astype(float))
    basis = similarity.item_basis(columns, len(items))
    return basis if len(items) - basis.shape[1] >= LEAST_LEFT else None


def residual_layers(states: Features, asked: ItemsAsked, basis: np.ndarray) -> np.ndarray:
    """(layers, n, n) cosines of what the known leaves of the items' mean vectors."""
    pooled = (layer.astype(np.float64) for layer in features.pooled(states, asked.items))
    return np.stack([similarity.vectors(layer - basis @ (basis.T @ layer), centred=False) for layer in pooled])


def residual_reference(name: str, matrix: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """(n, n) what the known leaves of a reference; of distances d, -d² / 2 are inner products once centred (Gower)."""
    return similarity.left(-(matrix**2) / 2 if name in DISTANCES else matrix, basis)


def layers(states: Features, asked: ItemsAsked, centred: bool) -> np.ndarray:
    """(layers, n, n) cosines of the items' mean vectors."""
    pooled = features.pooled(states, asked.items)
    for name, layer in zip(states.names, pooled, strict=True):
        if float(np.ptp(layer, axis=0).max()) <= 0:
            raise UserError(f"Layer {name} is the same for all {len(asked)} items, so nothing can be compared.")
    return np.stack([similarity.vectors(layer, centred) for layer in pooled])
