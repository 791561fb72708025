"""Small labelled corpora of tones, on disk, in zips and in memory."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from methods.core.audio import SAMPLE_RATE, Clip
from methods.core.corpus import Corpus, Utterance
from methods.core.frames import Segment

Tier = Sequence[tuple[str, float, float]]  # label, start s, end s
WORDS: Tier = (("", 0.0, 0.1), ("See", 0.1, 0.5), ("it", 0.5, 0.8), ("", 0.8, 1.0))
PHONES: Tier = (
    ("", 0.0, 0.1),
    ("S", 0.1, 0.3),
    ("IY1", 0.3, 0.5),
    ("IH0", 0.5, 0.65),
    ("T", 0.65, 0.8),
    ("", 0.8, 1.0),
)


def tone(hertz: float = 300.0, seconds: float = 1.0, rate: int = SAMPLE_RATE) -> np.ndarray:
    """(n,) float64 in [-0.5, 0.5]."""
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def textgrid(tiers: Mapping[str, Tier], seconds: float = 1.0) -> str:
    """Praat's short text format, written here by hand: our own writer is not its own judge."""
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "0",
        str(seconds),
        "<exists>",
        str(len(tiers)),
    ]
    for name, tier in tiers.items():
        lines += ['"IntervalTier"', f'"{name}"', "0", str(seconds), str(len(tier))]
        for label, start, end in tier:
            lines += [str(start), str(end), f'"{label}"']
    return "\n".join(lines) + "\n"


def record(path: Path, tiers: Mapping[str, Tier] | None = None, *, hertz: float = 300.0, seconds: float = 1.0) -> Path:
    """A tone as WAV or FLAC and, if there are tiers, a TextGrid beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(hertz, seconds), SAMPLE_RATE, subtype="PCM_16")
    if tiers is not None:
        path.with_suffix(".TextGrid").write_text(textgrid(tiers, seconds), encoding="utf-8")
    return path


def zipped(folder: Path, path: Path) -> Path:
    """All files of a folder as a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder).as_posix())
    return path


def toy_corpus() -> Corpus:
    """Three recordings of two speakers, of unequal length, in memory; phones with a silence, and one in no word."""
    first = Utterance(
        Clip(tone(200, 0.50), "one"), "ann", "f", "en",
        words=(Segment("See", 0.05, 0.25), Segment("it", 0.35, 0.45)),
        phones=(
            Segment("s", 0.05, 0.15), Segment("iy", 0.15, 0.25), Segment("ih", 0.35, 0.40), Segment("t", 0.40, 0.45),
        ),
        tiers={"creaky": (Segment("yes", 0.16, 0.40),)},
    )  # fmt: skip
    second = Utterance(
        Clip(tone(300, 0.73), "two"), "bob", "m", "en",
        words=(Segment("sea", 0.10, 0.30),),
        phones=(Segment("s", 0.10, 0.20), Segment("iy", 0.20, 0.30), Segment("m", 0.31, 0.70)),
    )  # fmt: skip
    third = Utterance(Clip(tone(400, 0.31), "three"), "ann", "f", "en", phones=(Segment("t", 0.10, 0.11),))
    return Corpus("toy", (first, second, third))
