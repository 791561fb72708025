"""A small labelled set of recordings: who says what, with words and phones in time.

    corpus = bundled("prompts")           # or read_folder("my recordings"), read_zip("my recordings.zip")
    items = phone_items(corpus)           # one row per phone: where it is, what it is, between what

A folder or zip of one's own holds sound files (up to 30 s each), for each a Praat TextGrid of the same name with tiers
of words and phones, and, if wanted, `index.csv` with the columns file, speaker, sex, language. Without it the speaker
is the name of the folder that a file lies in.
"""

import csv
import hashlib
import io
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

from methods.core import models_hub
from methods.core.audio import Clip, load_clip
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.items import Items, balanced, phone_items, word_items
from methods.core.phonology import arpabet
from methods.core.textgrid import read_textgrid

__all__ = [
    "CORPORA",
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

FOLDER = Path(__file__).resolve().parents[2] / "examples_audio" / "corpora"
CORPORA = {
    "prompts": "55 prompts of one woman, English, 158 s",
    "voices": "11 clips of three men, English, 39 s",
}
SOUNDS = (".wav", ".flac", ".ogg", ".mp3", ".m4a", ".aac", ".webm", ".opus", ".aiff", ".aif")
SILENCES = {"", "sil", "sp", "spn", "<sil>", "<p:>", "#", "_", "pau", "h#"}  # labels of silence in TextGrids
WORD_TIERS = ("words", "word", "mots", "mot", "ort-mau")
PHONE_TIERS = ("phones", "phone", "phonemes", "phoneme", "segments", "segment", "mau")
MOST_FILES, MOST_SECONDS = 400, 900.0  # of one's own corpus: 15 minutes keep two cores busy for a minute per layer
MOST_BYTES = 300 * 2**20  # unpacked


class CorpusError(UserError):
    """The recordings cannot be used as they are. The message says what was found, why, and what to do."""


@dataclass(frozen=True, eq=False)
class Utterance:
    """One recording of one speaker."""

    clip: Clip
    speaker: str
    sex: str = ""  # "f", "m", or empty where it is not known
    language: str = ""  # code, such as "en"; empty where it is not known
    words: tuple[Segment, ...] = ()  # without silences
    phones: tuple[Segment, ...] = ()  # without silences; ARPAbet labels in lower case without stress digits
    tiers: Mapping[str, tuple[Segment, ...]] = field(default_factory=dict)  # all other tiers, as they were given


@dataclass(frozen=True, eq=False)
class Corpus:
    """Recordings that belong together."""

    name: str
    utterances: tuple[Utterance, ...]
    source: str = ""
    licence: str = ""

    @cached_property
    def sha256(self) -> str:
        """Which sounds and labels are these? Changes with any sample, time or label."""
        digest = hashlib.sha256()
        for utterance in self.utterances:
            digest.update(utterance.clip.sha256.encode())
            tiers = {"words": utterance.words, "phones": utterance.phones, **utterance.tiers}
            digest.update(repr((utterance.speaker, sorted(tiers.items()))).encode())
        return digest.hexdigest()

    @property
    def sound_sha256(self) -> str:
        """Which sounds, whatever their labels: hidden states depend on nothing else."""
        return hashlib.sha256("".join(u.clip.sha256 for u in self.utterances).encode()).hexdigest()

    @property
    def seconds(self) -> float:
        return sum(utterance.clip.seconds for utterance in self.utterances)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who speaks, in order of appearance."""
        return tuple(dict.fromkeys(utterance.speaker for utterance in self.utterances))

    def only(self, speakers: Iterable[str]) -> "Corpus":
        """The part of it that these speakers say."""
        wanted = set(speakers)
        kept = tuple(u for u in self.utterances if u.speaker in wanted)
        return Corpus(f"{self.name} ({', '.join(sorted(wanted))})", kept, self.source, self.licence)

    def joined(self, other: "Corpus") -> "Corpus":
        """Both together."""
        licence = " / ".join(dict.fromkeys(part for part in (self.licence, other.licence) if part))
        return Corpus(f"{self.name} + {other.name}", self.utterances + other.utterances, self.source, licence)


@cache
def bundled(name: str = "prompts") -> Corpus:
    """One of the corpora that come with the app: see `CORPORA`, and examples_audio/corpora/README.md for licences."""
    if name not in CORPORA:
        raise CorpusError(f"There is no bundled corpus “{name}”; choose one of {', '.join(CORPORA)}.")
    corpus = read_folder(FOLDER / name, name)
    return Corpus(name, corpus.utterances, CORPORA[name], _licences(FOLDER / name / "index.csv"))


def _licences(index: Path) -> str:
    return ", ".join(dict.fromkeys(row["licence"] for row in _rows(index.read_bytes(), "index.csv")))


def of_clip(
    clip: Clip,
    words: Sequence[Segment],
    phones: Sequence[Segment] = (),
    *,
    speaker: str = "speaker",
    language: str = "",
) -> Corpus:
    """One clip as a corpus."""
    return Corpus(
        clip.name, (_utterance(clip, {"words": tuple(words), "phones": tuple(phones)}, speaker, "", language),)
    )


def read_folder(folder: str | Path, name: str | None = None) -> Corpus:
    """A corpus from a folder of sound files with TextGrids (see this module's text).

    Raises CorpusError if there is no sound file, no label, or more than 400 files or 15 minutes.
    """
    root = Path(folder)
    files = {
        path.relative_to(root).as_posix(): path
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
    if not files:
        raise CorpusError(f"There are no files in “{root.name}”; give a folder of sound files with TextGrids.")
    return _assembled(name or root.name, files)


def read_zip(path: str | Path, name: str = "own") -> Corpus:
    """A corpus from a zip of such a folder. Nothing of it stays on the disk."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as problem:
        raise CorpusError(
            "This is not a zip file, or the upload was cut off; put the sound files and their TextGrids into one zip."
        ) from problem
    with archive, tempfile.TemporaryDirectory() as place:
        return _assembled(name, _unpacked(archive, Path(place)))


def _unpacked(archive: zipfile.ZipFile, place: Path) -> dict[str, Path]:
    """The files that matter under names of ours: a zip may hold `../../etc/passwd` or a terabyte of zeros."""
    wanted = [info for info in archive.infolist() if _matters(info)]
    if sum(info.file_size for info in wanted) > MOST_BYTES:
        raise CorpusError(f"The zip unpacks to more than {MOST_BYTES >> 20} MB; give fewer or shorter recordings.")
    files = {}
    for number, info in enumerate(wanted):
        target = place / f"{number}{PurePosixPath(info.filename).suffix.lower()}"
        with archive.open(info) as packed:
            content = packed.read(info.file_size + 1)
        if len(content) > info.file_size:  # a header that lies about its size
            raise CorpusError("The zip is damaged: a file is longer than it says; make the zip again.")
        target.write_bytes(content)
        files[info.filename] = target
    return files


def _matters(info: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(info.filename)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not info.is_dir() and not hidden and path.suffix.lower() in (*SOUNDS, ".textgrid", ".csv")


def from_hub(identifier: str) -> Corpus:
    """A data set on the Hugging Face Hub that is kept as sound files and TextGrids. Needs a network."""
    patterns = [f"*{ending}" for ending in (*SOUNDS, ".TextGrid", ".csv")]
    return read_folder(models_hub.data_set(identifier, patterns), identifier)


def _assembled(name: str, files: Mapping[str, Path]) -> Corpus:
    sounds = {file: path for file, path in files.items() if PurePosixPath(file).suffix.lower() in SOUNDS}
    if not sounds:
        raise CorpusError("There is no sound file here; give WAV or FLAC files with TextGrids of the same names.")
    if len(sounds) > MOST_FILES:
        raise CorpusError(f"There are {len(sounds)} recordings and the limit is {MOST_FILES}; give fewer of them.")
    grids = {_stem(f): path for f, path in files.items() if f.lower().endswith(".textgrid")}
    facts = _facts(files)
    utterances, seconds = [], 0.0
    for file, path in sounds.items():
        utterance = _read_utterance(file, path, grids.get(_stem(file)), facts.get(PurePosixPath(file).name, {}))
        seconds += utterance.clip.seconds
        if seconds > MOST_SECONDS:
            raise CorpusError(f"The recordings last more than {MOST_SECONDS / 60:.0f} minutes; give fewer of them.")
        utterances.append(utterance)
    if not any(u.words or u.phones or u.tiers for u in utterances):
        raise CorpusError(
            "None of the recordings has a label; put a TextGrid of the same name beside each, with tiers named words "
            "and phones."
        )
    return Corpus(name, tuple(utterances))


def _read_utterance(file: str, path: Path, grid: Path | None, facts: Mapping[str, str]) -> Utterance:
    shown = PurePosixPath(file).name
    try:
        clip = load_clip(path)
        tiers = dict(read_textgrid(grid.read_bytes(), seconds=clip.seconds + 0.05)) if grid else {}
    except UserError as problem:
        raise CorpusError(f"In “{shown}”: {problem}") from problem
    clip = Clip(clip.samples, PurePosixPath(file).stem[:60], clip.notes)
    folder = PurePosixPath(file).parent.name
    speaker = facts.get("speaker") or folder or "speaker"
    return _utterance(clip, tiers, speaker, facts.get("sex", ""), facts.get("language", ""))


def _utterance(clip: Clip, tiers: dict, speaker: str, sex: str, language: str) -> Utterance:
    words, phones = _taken(tiers, WORD_TIERS), _taken(tiers, PHONE_TIERS)
    return Utterance(clip, speaker, sex, language, words, _canonical(phones), tiers)


def _taken(tiers: dict[str, tuple[Segment, ...]], names: Sequence[str]) -> tuple[Segment, ...]:
    """The tier that goes by one of these names, taken out of the others, without its silences."""
    for name in list(tiers):
        if any(name.lower() == wanted or name.lower().endswith((f" {wanted}", f"-{wanted}")) for wanted in names):
            return tuple(s for s in tiers.pop(name) if s.label.strip().lower() not in SILENCES)
    return ()


def _canonical(phones: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """ARPAbet in lower case without stress digits; any other alphabet as it is, for there case may matter."""
    known = [arpabet(phone.label) for phone in phones]
    if None in known:
        return phones
    return tuple(Segment(label, p.start, p.end) for label, p in zip(known, phones, strict=True))


def _facts(files: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """File name -> its row of index.csv, if there is such a table."""
    index = next((path for file, path in files.items() if PurePosixPath(file).name.lower() == "index.csv"), None)
    if index is None:
        return {}
    rows = _rows(index.read_bytes(), "index.csv")
    if rows and "file" not in rows[0]:
        raise CorpusError(
            "index.csv has no column called “file”; its first line must name the columns: file, speaker, sex."
        )
    return {PurePosixPath(row["file"]).name: {k: str(v or "").strip()[:60] for k, v in row.items()} for row in rows}


def _rows(content: bytes, name: str) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as problem:
        raise CorpusError(f"{name} is not a table in UTF-8; save it as “CSV UTF-8”.") from problem


def _stem(file: str) -> str:
    return str(PurePosixPath(file).with_suffix(""))
