"""Sound with pieces taken out of it: which pieces there are, what takes their place, and how the edges are joined.

    pieces = partition(clip.seconds, words)                  # words and the pauses between them, nothing left out
    quiet = replaced(clip.samples, [pieces[1]], "silence")   # one of them silenced
    game = Game(target, pieces, "silence")                   # the target's number with any of them taken away
    game.value(np.array([True, False, True]))

Speech has no natural “absent” value, so the choice of what takes a piece's place is part of every result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np

from methods.core.audio import MIN_SECONDS, SAMPLE_RATE, SILENCE_PEAK
from methods.core.errors import UserError
from methods.core.frames import Segment, without_overlap

Mode = Literal["silence", "white noise", "pink noise", "mean", "cut"]
MODES: dict[Mode, str] = {
    "silence": "digital silence",
    "white noise": "white noise at the clip's level",
    "pink noise": "pink noise at the clip's level",
    "mean": "the mean sample (silence, but for a microphone's offset)",
    "cut": "nothing: the rest moves together",
}
FADE = 0.005  # s, cross-fade at every edge: a sudden jump is a click, and a click is news to a model
PAUSE = "(pause)"
SHORTEST_PAUSE = 0.03  # s; less than this belongs to the word before
LIME_WINDOW = 0.07  # s, the fixed windows of LIME-TS


class Scorer(Protocol):
    """Anything that gives a number to a sound, as `targets.Target` does."""

    base: float  # for the unchanged clip

    def score(self, samples: np.ndarray) -> float:
        """The number for these (n,) samples."""


def partition(seconds: float, words: Sequence[Segment]) -> tuple[Segment, ...]:
    """Words and the pauses before, between and after them: every moment of the clip in exactly one piece.

    Words that overlap are parted in the middle of the overlap. Raises UserError where that cannot be done, and where
    a word lies beyond the clip.
    """
    pieces: list[Segment] = []
    for word in without_overlap(words):
        if word.start >= seconds:
            raise UserError(
                f"“{word.label}” begins at {word.start:.2f} s but the clip ends at {seconds:.2f} s; these times "
                "probably belong to another recording: use the alignment of this clip."
            )
        before = pieces[-1].end if pieces else 0.0
        if word.start - before >= SHORTEST_PAUSE:
            pieces.append(Segment(PAUSE, before, word.start))
        elif pieces:
            pieces[-1] = Segment(pieces[-1].label, pieces[-1].start, word.start)
        start = 0.0 if word.start < SHORTEST_PAUSE and not pieces else word.start
        pieces.append(Segment(word.label, start, min(word.end, seconds)))
    if not pieces:
        return (Segment(PAUSE, 0.0, seconds),)
    if seconds - pieces[-1].end >= SHORTEST_PAUSE:
        return (*pieces, Segment(PAUSE, pieces[-1].end, seconds))
    return (*pieces[:-1], Segment(pieces[-1].label, pieces[-1].start, seconds))


def windows(seconds: float, width: float = LIME_WINDOW) -> tuple[Segment, ...]:
    """Windows of one width (s) side by side over the clip; a rest of less than half of it joins the last one."""
    if not 0 < width <= seconds:
        raise UserError(f"Windows of {width:g} s do not fit into a clip of {seconds:.2f} s; choose a shorter width.")
    count = max(1, round(seconds / width))
    edges = [*(width * number for number in range(count)), seconds]
    return tuple(Segment(f"{a:.2f} s", a, b) for a, b in pairwise(edges))


def replaced(
    samples: np.ndarray,
    segments: Sequence[Segment],
    mode: Mode = "silence",
    *,
    before: float = 0.0,
    after: float = 0.0,
    fade: float = FADE,
    seed: int = 0,
) -> np.ndarray:
    """(n,) float32 samples with these segments replaced; shorter if they are cut out.

    `before` and `after` (s) widen every segment, never beyond the clip. `fade` (s) is centred on each edge. If all is
    cut out, 0.1 s of silence is left, the least that a model can be given.
    """
    gone = _gone(len(samples), segments, before, after)
    if mode == "cut":
        return _cut(samples, gone, fade)
    return _blended(samples, filling(samples, mode, seed), gone, fade)


def exchanged(
    samples: np.ndarray, instead: np.ndarray, segments: Sequence[Segment], *, fade: float = FADE
) -> np.ndarray:
    """(n,) float32 samples, in these segments those of `instead` (n,), with a ramp of `fade` s at each edge."""
    return _blended(samples, instead, _gone(len(samples), segments), fade)


def _gone(count: int, segments: Sequence[Segment], before: float = 0.0, after: float = 0.0) -> np.ndarray:
    gone = np.zeros(count, bool)
    for segment in segments:
        start, end = (round(time * SAMPLE_RATE) for time in (segment.start - before, segment.end + after))
        gone[max(start, 0) : max(end, 0)] = True
    return gone


def _blended(samples: np.ndarray, instead: np.ndarray, gone: np.ndarray, fade: float) -> np.ndarray:
    share = _faded(gone, round(fade * SAMPLE_RATE))
    return (samples + share * (instead - samples)).astype(np.float32)


def only(samples: np.ndarray, segments: Sequence[Segment], mode: Mode = "silence", **options: float) -> np.ndarray:
    """(n,) the opposite of `replaced`: these segments are kept and all else is replaced."""
    rest, done = [], 0.0
    for segment in [*sorted(segments, key=lambda each: each.start), None]:
        start = len(samples) / SAMPLE_RATE if segment is None else segment.start
        if start > done:
            rest.append(Segment("rest", done, start))
        done = done if segment is None else max(done, segment.end)
    return replaced(samples, rest, mode, **options)


def filling(samples: np.ndarray, mode: Mode, seed: int = 0) -> np.ndarray:
    """(n,) what takes the place of samples; noise has the level (root mean square) of the whole clip."""
    if mode == "silence":
        return np.zeros(len(samples))
    if mode == "mean":
        return np.full(len(samples), samples.mean(dtype=np.float64))
    if mode not in ("white noise", "pink noise"):
        raise UserError(f"There is no replacement {mode!r}; choose one of {', '.join(MODES)}.")
    noise = np.random.default_rng(seed).standard_normal(len(samples))
    if mode == "pink noise":
        spectrum = np.fft.rfft(noise)
        spectrum[0] = 0.0
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))  # power falls with 1 / frequency
        noise = np.fft.irfft(spectrum, len(samples))
    level = np.sqrt(np.mean(np.square(samples, dtype=np.float64)))
    return noise * level / np.sqrt(np.mean(noise**2))


def _faded(gone: np.ndarray, width: int) -> np.ndarray:
    """(n,) 0 to 1: how far each sample is replaced, with straight ramps `width` samples long, centred on the edges.

    A moving average, so that what two segments lose together is the sum of what each loses alone.
    """
    if width < 2:
        return gone.astype(float)
    padded = np.pad(gone.astype(float), (width // 2, width - width // 2), mode="edge")
    total = np.concatenate(([0.0], np.cumsum(padded)))
    return (total[width:] - total[:-width])[: len(gone)] / width


def _cut(samples: np.ndarray, gone: np.ndarray, fade: float) -> np.ndarray:
    """What is left, joined by cross-fades that borrow from both edges of what is gone, so that no time is lost."""
    edges = np.flatnonzero(np.diff(np.concatenate(([True], gone, [True])).astype(np.int8)))
    runs = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))  # kept, [start, stop)
    if sum(stop - start for start, stop in runs) < MIN_SECONDS * SAMPLE_RATE:
        return np.zeros(round(MIN_SECONDS * SAMPLE_RATE), np.float32)
    joined = np.array(samples[slice(*runs[0])], dtype=np.float64)
    for (start, stop), (_, last) in zip(runs[1:], runs, strict=False):
        half = min(round(fade * SAMPLE_RATE), start - last, 2 * (stop - start), 2 * len(joined)) // 2
        part = np.array(samples[start:stop], dtype=np.float64)
        if half:
            ramp = (np.arange(2 * half) + 0.5) / (2 * half)
            left = np.concatenate((joined[-half:], samples[last : last + half]))
            right = np.concatenate((samples[start - half : start], part[:half]))
            mixed = left * (1 - ramp) + right * ramp
            joined[-half:], part[:half] = mixed[:half], mixed[half:]
        joined = np.concatenate((joined, part))
    return joined.astype(np.float32)


def energies(samples: np.ndarray, pieces: Sequence[Segment]) -> np.ndarray:
    """(pieces,) mean power of each: the ranking that every attribution of speech has to beat."""
    parts = [samples[round(p.start * SAMPLE_RATE) : round(p.end * SAMPLE_RATE)] for p in pieces]
    return np.array([np.mean(np.square(part, dtype=np.float64)) if len(part) else 0.0 for part in parts])


def check_audible(samples: np.ndarray) -> None:
    """Raise UserError for a clip in which nothing could be taken away."""
    if len(samples) == 0 or float(np.ptp(samples)) / 2 < SILENCE_PEAK:
        raise UserError(
            "This clip is silent, so there is nothing whose part in the answer could be told; choose another."
        )


@dataclass(eq=False)
class Game:
    """The target's number for any choice of pieces that are kept; no choice is run twice."""

    target: Scorer
    samples: np.ndarray  # (n,) the unchanged clip
    pieces: tuple[Segment, ...]
    mode: Mode = "silence"
    before: float = 0.0  # s, margins around every piece that is taken out
    after: float = 0.0
    seed: int = 0  # of the noise
    known: dict[bytes, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_audible(self.samples)
        self.known.setdefault(np.ones(len(self.pieces), bool).tobytes(), self.target.base)

    def __len__(self) -> int:
        return len(self.pieces)

    def sound(self, kept: np.ndarray) -> np.ndarray:
        """(n,) the clip with the pieces that are not `kept` replaced."""
        gone = [piece for piece, keep in zip(self.pieces, kept, strict=True) if not keep]
        if not gone:
            return np.asarray(self.samples)
        return replaced(self.samples, gone, self.mode, before=self.before, after=self.after, seed=self.seed)

    def value(self, kept: np.ndarray) -> float:
        """The target's number when only these pieces, (pieces,) bool, are left."""
        key = np.asarray(kept, bool).tobytes()
        if key not in self.known:
            self.known[key] = self.target.score(self.sound(kept))
        return self.known[key]

    @property
    def sizes(self) -> np.ndarray:
        """(pieces,) seconds of each."""
        return np.array([piece.end - piece.start for piece in self.pieces])


Value = Callable[[np.ndarray], float]  # (pieces,) bool, True for what is kept -> the target's number
