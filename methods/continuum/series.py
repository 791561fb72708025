"""From one sound to another in equal steps: a spectral morph put into two places, Praat's edits, or recordings.

    series = of_experiment("l-r")                                  # two contexts, each a series of clips
    series = between(clip, phones[3], clip, phones[8], count=7)    # one sound into the other, heard in both places

What is measured on such a series is in `methods/continuum/analysis.py`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from methods.core import corpus as corpora
from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples
from methods.core.corpus import Corpus
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.speech import praat
from methods.core.speech.phone_alphabets import in_arpabet

WINDOW, HOP = 512, 128  # samples: 32 and 8 ms
FLOOR = 1e-5  # of magnitude; below it a logarithm would speak of rounding
FADE = 80  # samples, 5 ms: too short to hear, long enough not to click
FEWEST, MOST = 2, 21  # steps
MOST_CONTEXTS = 4
LONGEST_SOUND = 1.0  # s; a morph is about a sound, not a sentence
EDITS = {"F1": "first formant", "F2": "second formant", "F3": "third formant", "length": "length"}
SENSE = {"first": (1, math.inf), "second": (1, math.inf), "amount": (0.25, 4), "count": (FEWEST, MOST)}
SOUND_TIER = "sound"  # of a visitor's own steps: where in a recording the sound is


@dataclass(frozen=True)
class Request:
    """The options of `analyse`: which series, and how its ends are called."""

    segments: tuple[Segment, ...]
    experiment: str
    first: int  # among the segments, from 1
    second: int
    amount: float
    count: int
    a: str
    b: str
    random_seeds: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Series:
    """Clips from sound A to sound B in one context, equally spaced."""

    context: str  # what stands around the sound
    clips: tuple[Clip, ...]
    places: tuple[Segment, ...]  # where the sound is in each clip

    def only(self, steps: Sequence[int]) -> "Series":
        """These steps of it."""
        return replace(
            self, clips=tuple(self.clips[step] for step in steps), places=tuple(self.places[step] for step in steps)
        )


@dataclass(frozen=True)
class StepPlace:
    """A phone of a bundled recording."""

    utterance: str  # its name in the prompts
    phone: str
    start: float  # s, to tell it from others of its kind
    context: str  # as it is shown, ? for the sound

    def find(self) -> tuple[Clip, Segment]:
        """The recording and the phone in it."""
        spoken = next(u for u in corpora.bundled("prompts").utterances if u.clip.name == self.utterance)
        found = [phone for phone in spoken.phones if phone.label == self.phone]
        return spoken.clip, min(found, key=lambda phone: abs(phone.start - self.start))


@dataclass(frozen=True)
class Experiment:
    """A ready-made continuum on bundled recordings."""

    title: str
    a: str  # ARPAbet
    b: str
    first: StepPlace
    second: StepPlace
    how: str = "morph"  # or one of EDITS
    amount: float = 1.0  # of an edit: the ratio that the last step has reached


# Of the prompts that were kept out of the training of our CTC heads (their card names them).
EXPERIMENTS: dict[str, Experiment] = {
    "l-r": Experiment(
        "l to r in “?etters of your party” and “been ?emoved”",
        "l", "r",
        StepPlace("dir-firstlast", "l", 0.05, "?etters of your party"),
        StepPlace("vm-tempremoved", "r", 2.01, "been ?emoved"),
    ),
    "d-t": Experiment(
        "d to t in “no ?irectory” and “is ?oo short”",
        "d", "t",
        StepPlace("dir-nomatch", "d", 0.39, "no ?irectory"),
        StepPlace("vm-tooshort", "t", 0.93, "is ?oo short"),
    ),
    "iy-ih": Experiment(
        "iy to ih in “pl?se” and “gr?ting”, by raising the first formant",
        "iy", "ih",
        StepPlace("conf-getconfno", "iy", 0.15, "pl?se"),
        StepPlace("vm-tempremoved", "iy", 1.35, "gr?ting"),
        "F1", 1.6,
    ),
}  # fmt: skip


def of_experiment(name: str, count: int = 7) -> tuple[Series, ...]:
    """The two series of a ready-made experiment."""
    if name not in EXPERIMENTS:
        raise UserError(f"There is no experiment “{name}”; choose one of {', '.join(EXPERIMENTS)}.")
    made = EXPERIMENTS[name]
    places = [place.find() for place in (made.first, made.second)]
    contexts = (made.first.context, made.second.context)
    if made.how == "morph":
        return between(*places[0], *places[1], count, contexts)
    return tuple(
        edited(clip, phone, made.how, made.amount, count, context)
        for (clip, phone), context in zip(places, contexts, strict=True)
    )


def between(
    clip_a: Clip,
    sound_a: Segment,
    clip_b: Clip,
    sound_b: Segment,
    count: int = 7,
    contexts: tuple[str, str] = ("in the first place", "in the second place"),
) -> tuple[Series, Series]:
    """The morph from one sound to another, put into the place of each: the same sounds in two contexts."""
    pieces = morph(*(_cut(clip, sound) for clip, sound in ((clip_a, sound_a), (clip_b, sound_b))), count)
    carriers = zip(contexts, (clip_a, clip_b), (sound_a, sound_b), strict=True)
    return tuple(_carried(context, clip, sound, pieces) for context, clip, sound in carriers)


def _cut(clip: Clip, sound: Segment) -> np.ndarray:
    samples = clip.samples[_at(sound.start) : _at(sound.end)].astype(np.float64)
    seconds = len(samples) / SAMPLE_RATE
    if not 2 * FADE <= len(samples) <= LONGEST_SOUND * SAMPLE_RATE:
        raise UserError(
            f"“{sound.label}” lasts {seconds:.3f} s, and a morph needs a sound of {2 * FADE / SAMPLE_RATE:g} to "
            f"{LONGEST_SOUND:g} s; choose phones or short words."
        )
    return samples


def _carried(context: str, clip: Clip, sound: Segment, pieces: np.ndarray) -> Series:
    clips = tuple(put_in(clip, sound, piece, f"{context} {n}") for n, piece in enumerate(pieces, start=1))
    place = Segment(sound.label, sound.start, sound.start + pieces.shape[1] / SAMPLE_RATE)
    return Series(context, clips, (place,) * len(clips))


def put_in(clip: Clip, place: Segment, piece: np.ndarray, name: str) -> Clip:
    """The clip with another sound in this place, of whatever length, cross-faded over 5 ms inside its edges."""
    old = clip.samples.astype(np.float64)
    first, stop = _at(place.start), min(_at(place.end), len(old))
    rise = (np.arange(FADE) + 0.5) / FADE
    new = piece.copy()
    new[:FADE] = rise * new[:FADE] + (1 - rise) * old[first : first + FADE]
    new[-FADE:] = rise[::-1] * new[-FADE:] + (1 - rise[::-1]) * old[stop - FADE : stop]
    return clip_from_samples(np.concatenate([old[:first], new, old[stop:]]), SAMPLE_RATE, name)


def edited(clip: Clip, sound: Segment, how: str, amount: float, count: int = 7, context: str = "") -> Series:
    """A series by Praat: one formant, or the length, of one sound multiplied by 1 up to `amount`, in equal ratios.

    Every step goes through the same resynthesis, the first one too, which changes nothing else.
    """
    if how not in EDITS:
        raise UserError(f"There is no edit “{how}”; choose one of {', '.join(EDITS)}.")
    if amount == 1:
        raise UserError("A ratio of 1 changes nothing; choose more or less than 100%.")
    _check_count(count)
    clips, places = [], []
    for step in np.linspace(0, 1, count):
        ratio = float(amount**step) if step else 1 + 1e-9  # a ratio of exactly 1 would skip the resynthesis
        if how == "length":
            clips.append(praat.lengthen(clip, sound, ratio))
            end = sound.start + (sound.end - sound.start) * ratio
        else:
            clips.append(praat.shift_formant(clip, sound, int(how[1]), ratio))
            end = sound.end
        places.append(Segment(sound.label, sound.start, end))
    return Series(context or f"{clip.name}, {sound.label}", tuple(clips), tuple(places))


def check_experiment(kind: str) -> None:
    """Raise UserError for a name that is neither a bundled experiment nor something that can be done to a clip."""
    if kind not in (*EXPERIMENTS, "morph", *EDITS):
        raise UserError(
            f"There is no experiment “{kind}”; choose one of {', '.join(EXPERIMENTS)}, or morph, {', '.join(EDITS)} "
            "for sounds of the clip."
        )


def asked_for(clip: Clip | Corpus, request: Request) -> tuple[tuple[Series, ...], str, str, list[Clip]]:
    """The series, the names of the two ends, and the recordings that they were made from."""
    kind, count = request.experiment, request.count
    if isinstance(clip, Corpus):
        return checked(of_corpus(clip)), request.a, request.b, []
    if kind in EXPERIMENTS:
        made = EXPERIMENTS[kind]
        sources = [place.find()[0] for place in (made.first, made.second)]
        return of_experiment(kind, count), made.a, made.b, sources
    numbers = (request.first, request.second)
    places = [_segment(request.segments, number) for number in numbers]
    named = zip((request.a, request.b), places, strict=True)
    known = in_arpabet(segment.label for segment in request.segments)
    phones = known.phones if len(known.phones) > len(known.unmapped) else {}  # they may be words
    a, b = (name or phones.get(place.label) or _plain(place.label) for name, place in named)
    contexts = tuple(f"place {n}, “{place.label}”" for n, place in zip(numbers, places, strict=True))
    if kind == "morph":
        if numbers[0] == numbers[1]:
            raise UserError("A sound cannot be turned into itself; choose two different ones.")
        return between(clip, places[0], clip, places[1], count, contexts), a, b, [clip]
    series = [
        edited(clip, place, kind, request.amount, count, context)
        for place, context in zip(places[: len(set(numbers))], contexts, strict=False)
    ]
    return tuple(series), a, b, [clip]


def _segment(segments: Sequence[Segment], number: int) -> Segment:
    if not 1 <= number <= len(segments):
        raise UserError(
            f"This clip has {len(segments)} segments, so there is no number {number}; choose others, or one of the "
            f"bundled experiments: {', '.join(EXPERIMENTS)}."
        )
    return segments[number - 1]


def _plain(label: str) -> str:
    return label.rstrip("012").casefold()


def of_corpus(corpus: Corpus) -> tuple[Series, ...]:
    """A visitor's own steps: a folder (speaker) per context, its recordings in order of their names from A to B.

    The sound is where a tier named “sound” has its first interval, or anywhere in the recording.
    """
    series = []
    for speaker in corpus.speakers:
        steps = [u for u in corpus.utterances if u.speaker == speaker]
        places = [next(iter(u.tiers.get(SOUND_TIER, ())), Segment("", 0.0, u.clip.seconds)) for u in steps]
        series.append(Series(speaker, tuple(u.clip for u in steps), tuple(places)))
    return tuple(series)


def checked(series: Sequence[Series]) -> tuple[Series, ...]:
    """The same series; raises UserError unless there are 1 to 4, of two steps or more, and all are as long."""
    if len(series) > MOST_CONTEXTS:
        raise UserError(f"There are {len(series)} contexts and the limit is {MOST_CONTEXTS}; give fewer of them.")
    counts = {len(part.clips) for part in series}
    if not series or len(counts) > 1:
        listed = ", ".join(f"“{part.context}” {len(part.clips)}" for part in series) or "none"
        raise UserError(
            f"The contexts have different numbers of steps ({listed}); give as many recordings for each, one folder "
            "or one beginning of the file name per context."
        )
    _check_count(counts.pop())
    return tuple(series)


def _check_count(count: int) -> None:
    if not FEWEST <= count <= MOST:
        raise UserError(f"A continuum needs at least two steps, its two ends, and at most {MOST}; here are {count}.")


def _at(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


# The morph


def morph(a: np.ndarray, b: np.ndarray, count: int) -> np.ndarray:
    """(count, samples of a): a spectral morph, good enough to play with and no substitute for resynthesis.

    B is stretched to A's length, then the logarithm of the spectrum's magnitude moves in equal steps from A's to B's,
    with A's phases throughout, so that the last step is not B itself but B's spectrum on A's phases.
    """
    _check_count(count)
    spectrum, other = _spectrum(a), _spectrum(b)
    old, new = np.linspace(0, 1, other.shape[1]), np.linspace(0, 1, spectrum.shape[1])
    stretched = np.stack([np.interp(new, old, row) for row in _log(other)])
    phases = np.exp(1j * np.angle(spectrum))
    blends = ((1 - w) * _log(spectrum) + w * stretched for w in np.linspace(0, 1, count))
    return np.stack([_sound(np.exp(blend) * phases, len(a)) for blend in blends])


def _spectrum(samples: np.ndarray) -> np.ndarray:
    return torch.stft(
        torch.from_numpy(samples), WINDOW, HOP, window=_window(), pad_mode="constant", return_complex=True
    ).numpy()


def _log(spectrum: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(np.abs(spectrum), FLOOR))


def _sound(spectrum: np.ndarray, length: int) -> np.ndarray:
    return torch.istft(torch.from_numpy(spectrum), WINDOW, HOP, window=_window(), length=length).numpy()


def _window() -> torch.Tensor:
    return torch.hann_window(WINDOW, dtype=torch.float64)
