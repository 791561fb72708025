"""Small labelled corpora whose every phone lasts three frames, and states made to order for them."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from methods.core.audio import Clip
from methods.core.corpus import Corpus, Utterance
from methods.core.corpus.features import Features
from methods.core.frames import FrameGrid, Segment

WORDS = {
    "pea": ("p", "iy"), "see": ("s", "iy"), "mat": ("m", "ae", "t"), "sap": ("s", "ae", "p"), "eat": ("iy", "t"),
    "am": ("ae", "m"), "team": ("t", "iy", "m"), "tap": ("t", "ae", "p"),
}  # fmt: skip
PHONES = ("ae", "iy", "m", "p", "s", "t")
LENGTH = 0.06  # s of each phone: three frames of 20 ms


def spoken(recordings: int = 15, words: int = 8, speakers: Sequence[str] = ("ann",), seed: int = 0) -> Corpus:
    """Words drawn at random after 40 ms of silence, in a noise; speakers take turns. Stressed vowels are iy."""
    rng = np.random.default_rng(seed)
    utterances = []
    for number in range(recordings):
        said = rng.choice(list(WORDS), words)
        phones, spans, at = [], [], 0.04
        for word in said:
            begin = at
            for phone in WORDS[word]:
                phones.append(Segment(phone, round(at, 3), round(at + LENGTH, 3)))
                at += LENGTH
            spans.append(Segment(str(word), round(begin, 3), round(at, 3)))
        samples = rng.normal(size=round((at + 0.02) * 16_000)) * 0.1
        stress = tuple(
            Segment("1" if p.label == "iy" else "0", p.start, p.end) for p in phones if p.label in ("iy", "ae")
        )
        clip = Clip(samples.astype(np.float32), f"toy {seed} {number}")
        who = speakers[number % len(speakers)]
        utterances.append(
            Utterance(clip, who, "fm"[speakers.index(who) % 2], "en", tuple(spans), tuple(phones), {"stress": stress})
        )
    return Corpus("toy", tuple(utterances))


def states(corpus: Corpus, *makers: Callable[[str, str, int, str], Sequence[float]], noise: float = 0.0) -> Features:
    """One layer per maker, which says what a frame holds from its phone ("" in silence), word, place and speaker."""
    grids, parts = [], [[] for _ in makers]
    for utterance in corpus.utterances:
        grid = FrameGrid(0.0, 0.02, len(utterance.clip.samples) // 320 + 1)
        grids.append(grid)
        for time in grid.times:
            word = next((w for w in utterance.words if w.start - 1e-6 <= time < w.end - 1e-6), None)
            inside = (
                [] if word is None else [p for p in utterance.phones if word.start - 1e-6 <= p.start < word.end - 1e-6]
            )
            place = next((i for i, p in enumerate(inside) if p.start - 1e-6 <= time < p.end - 1e-6), -1)
            held = (
                (inside[place].label, word.label, place, utterance.speaker)
                if inside
                else ("", "", -1, utterance.speaker)
            )
            for part, make in zip(parts, makers, strict=True):
                part.append(make(*held))
    rng = np.random.default_rng(9)
    layers = []
    for part in parts:
        values = np.array(part, dtype=float)
        layers.append((values + noise * rng.normal(size=values.shape)).astype(np.float32))
    offsets = np.concatenate([[0], np.cumsum([grid.frames for grid in grids])])
    assert all(a < b for a, b in pairwise(offsets))
    names = tuple(str(number) for number in range(len(makers)))
    return Features(names, tuple(layers), offsets, np.concatenate([grid.times for grid in grids]), tuple(grids))


def phone_only(phone: str, _word: str, _place: int, _speaker: str) -> list[float]:
    """One feature per phone."""
    return [float(phone == name) for name in PHONES]


def word_and_place(_phone: str, word: str, place: int, _speaker: str) -> list[float]:
    """One feature per place of a word: the types of a control task."""
    return [float((word, place) == (name, i)) for name, phones in WORDS.items() for i in range(len(phones))]


class Noise:
    """Nothing but numbers drawn at random."""

    def __init__(self, dim: int = 8, seed: int = 0) -> None:
        self.rng, self.dim = np.random.default_rng(seed), dim

    def __call__(self, *_held: object) -> np.ndarray:
        return self.rng.normal(size=self.dim)
