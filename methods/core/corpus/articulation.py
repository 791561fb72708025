"""Recordings with the movements of the vocal tract: measured (EMA) or computed by a model of the vocal tract.

    moved = bundled()                      # synthetic: VocalTractLab, a German-speaking model vocal tract
    moved = read_ema(["F01_B01_S01.mat"])  # a visitor's own: HPRC's MATLAB files

Trajectories are x (front to back) and the vertical axis. In HPRC's files the second axis is left to right: it is
left out, for the tongue hardly moves sideways and a probe of it explains noise.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np
from scipy.signal import resample_poly

from methods.core.audio import SAMPLE_RATE, clean_name, clip_from_samples
from methods.core.corpus import FOLDER, MOST_SECONDS, Corpus, Utterance, matlab
from methods.core.corpus import files as corpus_files
from methods.core.corpus.files import CorpusError
from methods.core.corpus.titles import titled
from methods.core.frames import Segment

SYNTHETIC = "vocal_tract"
OWN = "own articulation"
FILE = FOLDER / SYNTHETIC / "vtl_set.npz"
SYNTHETIC_RATE = 100.0  # Hz
SYNTHETIC_NOTE = "synthetic: VocalTractLab 2.4 (Birkholz), speaker model JD3, a computed vocal tract and not a person"
CENTIMETRE = 10.0  # mm; VocalTractLab counts in centimetres
SENSORS = ("TR", "TB", "TT", "UL", "LL", "JAW")  # of HPRC; the others are copies or references
FRONT_BACK, VERTICAL = 0, 2  # columns of an HPRC sensor's signal
HPRC_SPEAKER = re.compile("[FM]0[1-4]")  # its four women and four men; the F of “Frank_s1” states nothing
MOST_RATE = 1000.0  # Hz; EMA is recorded at 100 to 400


@dataclass(frozen=True, eq=False)
class Articulation:
    """A corpus and, for each utterance, where the articulators are."""

    corpus: Corpus
    channels: tuple[str, ...]  # such as "TT-x"
    tracks: tuple[np.ndarray, ...]  # one per utterance, (samples, channels) mm; NaN where a sensor was lost
    rate: float  # Hz
    note: str

    def at(self, utterance: int, times: np.ndarray, step: float) -> np.ndarray:
        """(n, channels) mm at the centres of frames that are `step` s apart.

        Low-passed and thinned first where the track has four samples or more per frame and no gap; NaN outside the
        track or beside a gap.
        """
        track, rate = self.tracks[utterance], self.rate
        factor = int(rate * step / 2 + 1e-9)
        if factor > 1 and len(track) > 30 * factor and np.isfinite(track).all():
            # Beyond its ends a track goes on where it was: with zeros there, the first 0.1 s would bend towards them.
            track, rate = resample_poly(track, 1, factor, axis=0, padtype="edge"), rate / factor
        known = np.arange(len(track)) / rate
        columns = [np.interp(times, known, column, left=np.nan, right=np.nan) for column in track.T]
        return np.stack(columns, axis=1)


@cache
def bundled() -> Articulation:
    """40 random syllable strings of a computed vocal tract, 88 s."""
    with np.load(FILE, allow_pickle=False) as kept:
        channels = tuple(str(name) for name in kept["names"])
        numbers = sorted(name.removeprefix("audio") for name in kept.files if name.startswith("audio"))
        made = [(n, kept[f"audio{n}"], kept[f"ema{n}"], kept[f"seg{n}"]) for n in numbers]
    utterances = tuple(_synthetic(number, audio, segments) for number, audio, _, segments in made)
    tracks = tuple(_closed(ema.astype(np.float64) * CENTIMETRE) for _, _, ema, _ in made)
    corpus = Corpus(SYNTHETIC, utterances, SYNTHETIC_NOTE, "CC0 1.0")
    return Articulation(corpus, channels, tracks, SYNTHETIC_RATE, SYNTHETIC_NOTE)


def _synthetic(number: str, audio: np.ndarray, segments: np.ndarray) -> Utterance:
    clip = clip_from_samples(audio.astype(np.float32) / 32768, SAMPLE_RATE, f"vtl_{number}")
    phones, start = [], 0.0
    for text in segments:
        label, seconds = str(text).rsplit(" ", 1)
        if label:
            phones.append(Segment(label, start, start + float(seconds)))
        start += float(seconds)
    return Utterance(clip, "vtl_jd3", "m", "", (), tuple(phones))


def read_ema(paths: Sequence[str | Path], names: Sequence[str] | None = None) -> Articulation:
    """One's own recordings in the MATLAB format of the Haskins Production Rate Comparison database (HPRC).

    Each file holds one variable, a row of records with NAME, SRATE and SIGNAL: the sound under AUDIO, then sensors
    with columns x, y (lateral), z and angles. `names` are the files' names with their folders, where they lie
    elsewhere now. Who speaks: HPRC's speaker at the beginning of the name, else the folder where there are several
    or it is called like such a speaker, else what stands before the first “_”. Raises CorpusError for anything else.
    """
    if not paths:
        raise CorpusError("There is no file here; give HPRC's .mat files, one per sentence.")
    named = [PurePosixPath(name) for name in names or [Path(path).as_posix() for path in paths]]
    titles, speakers = titled([str(name) for name in named]), _speakers(named)
    read = [_read_mat(Path(path), *who) for path, *who in zip(paths, titles, speakers, strict=True)]
    rates = {rate for _, _, rate in read}
    if len(rates) > 1:
        raise CorpusError(f"The files have movements at {len(rates)} different rates; give files of one recording.")
    corpus = Corpus(OWN, tuple(utterance for utterance, _, _ in read))
    if corpus.seconds > MOST_SECONDS:
        raise CorpusError(f"The recordings last more than {MOST_SECONDS / 60:.0f} minutes; give fewer of them.")
    channels = tuple(f"{sensor}-{axis}" for sensor in SENSORS for axis in "xz")
    return Articulation(corpus, channels, tuple(track for _, track, _ in read), rates.pop(), "your own recordings")


def read_zip(path: str | Path) -> Articulation | None:
    """The same from a zip of such files; None if it holds none."""
    with corpus_files.in_zip(path) as files:
        found = [name for name in sorted(files) if name.lower().endswith(corpus_files.EMA)]
        return read_ema([files[name] for name in found], found) if found else None


def _speakers(names: Sequence[PurePosixPath]) -> list[str]:
    """Who speaks in each file, from the names of files and folders."""
    first, folders = [name.stem.split("_")[0] for name in names], [name.parent.name for name in names]
    several = len(set(folders)) > 1
    return [clean_name(_speaker(*pair, several)) for pair in zip(first, folders, strict=True)]


def _speaker(start: str, folder: str, several: bool) -> str:
    by_folder = folder and (several or HPRC_SPEAKER.fullmatch(folder))
    return folder if by_folder and not HPRC_SPEAKER.fullmatch(start) else start


def _read_mat(path: Path, title: str, speaker: str) -> tuple[Utterance, np.ndarray, float]:
    records = _records(path)
    try:
        (sound_rate, sound), sensors = records["AUDIO"], [records[name] for name in SENSORS]
    except KeyError as problem:
        raise CorpusError(
            f"“{path.name}” lacks {problem}: an HPRC file has the sound under AUDIO and the sensors "
            f"{', '.join(SENSORS)}; give such files."
        ) from problem
    rate, sizes = sensors[0][0], {signal.shape for _, signal in sensors}
    if not 10 <= rate <= MOST_RATE:
        raise CorpusError(f"“{path.name}” says its sensors run at {rate:g} Hz; EMA is recorded at 10 to 1000 Hz.")
    if len(sizes) > 1 or min(sizes)[1] <= VERTICAL:
        raise CorpusError(
            f"The sensors of “{path.name}” are not equally long, or lack one of x, y and z; give HPRC files as "
            "they were published."
        )
    track = np.hstack([signal[:, [FRONT_BACK, VERTICAL]].astype(np.float64) for _, signal in sensors])
    sex = speaker[0].lower() if HPRC_SPEAKER.fullmatch(speaker) else ""  # no other name states it
    clip = clip_from_samples(sound.ravel(), sound_rate, title)
    return Utterance(clip, speaker, sex), _closed(np.where(np.isfinite(track), track, np.nan)), rate


def _records(path: Path) -> dict[str, tuple[float, np.ndarray]]:
    """Name of each record in capitals -> its rate (Hz) and its signal, (samples, columns)."""
    try:
        rows = matlab.records(path.read_bytes(), corpus_files.MOST_BYTES)
    except (OSError, matlab.MatlabError) as problem:
        raise CorpusError(
            f"“{path.name}” is damaged or not a MATLAB file of version 5 to 7; save it again with save(…, '-v7')."
        ) from problem
    found = {}
    for row in rows:
        name, rate, signal = (row.get(field) for field in ("NAME", "SRATE", "SIGNAL"))
        if isinstance(name, str) and np.size(rate) == 1 and rate is not None and np.ndim(signal) == 2:
            found[name.upper()] = (float(np.ravel(rate)[0]), signal)
    return found


def _closed(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values
