"""Reading a corpus: which file is a recording, who speaks in it, and which of its labels are words or phones."""

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

from methods.core.alignment.textgrid import Tiers, read_textgrid
from methods.core.alignment.tiers import chosen
from methods.core.audio import Clip, load_clip
from methods.core.corpus import files as corpus_files
from methods.core.corpus import published, tables
from methods.core.corpus.files import GRID, SOUNDS, TABLE, CorpusError, Files
from methods.core.corpus.tables import GROUPS
from methods.core.corpus.titles import titled
from methods.core.errors import UserError, counted
from methods.core.frames import Segment
from methods.core.models import hub
from methods.core.options import needs_made
from methods.core.speech.phonology import arpabet_of_most

FOLDER = Path(__file__).resolve().parents[3] / "examples_audio" / "corpora"
CORPORA = {
    "prompts": "55 prompts of one woman, English, 158 s",
    "voices": "11 clips of three men, English, 39 s",
}
PATTERNS = [f"*{ending}" for ending in (*SOUNDS, ".TextGrid", TABLE)]  # of files that are fetched from the Hub
MOST_SECONDS = 900.0  # of one's own corpus: 15 minutes keep two cores busy for a minute per layer
MOST_LABELS = 100_000  # five times what 15 minutes of words, phones and stresses need
LONGEST_LABEL = 100  # characters; every table of items is as wide as its longest label
SEXES = {"female": "f", "woman": "f", "male": "m", "man": "m"}


@dataclass(frozen=True, eq=False)
class Utterance:
    """One recording of one speaker."""

    clip: Clip
    speaker: str
    sex: str = ""  # "f", "m", what else the index says, or empty where it is not known
    language: str = ""  # code, such as "en"; empty where it is not known
    words: tuple[Segment, ...] = ()  # without silences
    phones: tuple[Segment, ...] = ()  # without silences; ARPAbet in lower case without stress digits, or as given
    tiers: Mapping[str, tuple[Segment, ...]] = field(default_factory=dict)  # all other tiers
    accent: str = ""  # as the tables name it; empty where they do not
    group: str = ""  # any other way to sort recordings; likewise


@dataclass(frozen=True, eq=False)
class Corpus:
    """Recordings that belong together."""

    name: str
    utterances: tuple[Utterance, ...]
    source: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()  # what a reader should know about it: files without labels, say

    def __repr__(self) -> str:
        who, count = counted(len(self.speakers), "speaker"), counted(len(self.utterances), "recording")
        return f"Corpus({self.name!r}, {count} of {who}, {self.seconds:.0f} s)"

    @cached_property
    def sha256(self) -> str:
        """Which sounds and labels are these? Changes with any sample, time or label."""
        digest = hashlib.sha256()
        for utterance in self.utterances:
            digest.update(utterance.clip.sha256.encode())
            tiers = {"words": utterance.words, "phones": utterance.phones, **utterance.tiers}
            who = (utterance.speaker, utterance.sex, utterance.language)
            who += (utterance.accent, utterance.group) if utterance.accent or utterance.group else ()
            digest.update(repr((who, sorted(tiers.items()))).encode())
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
        if lacking := wanted.difference(self.speakers):
            raise CorpusError(
                f"“{self.name}” has no speaker {min(lacking)!r}; choose among {', '.join(self.speakers[:20])}."
            )
        kept = tuple(u for u in self.utterances if u.speaker in wanted)
        return replace(self, name=f"{self.name} ({', '.join(sorted(wanted))})", utterances=kept)

    def joined(self, other: "Corpus") -> "Corpus":
        """Both together."""
        source, licence = (
            " / ".join(dict.fromkeys(part for part in parts if part))
            for parts in ((self.source, other.source), (self.licence, other.licence))
        )
        name, notes = f"{self.name} + {other.name}", self.notes + other.notes
        return Corpus(name, self.utterances + other.utterances, source, licence, notes)


@cache
def bundled(name: str = "prompts") -> Corpus:
    """One of the corpora that come with the app: see `CORPORA`, and examples_audio/corpora/README.md for licences."""
    if name not in CORPORA:
        raise CorpusError(f"There is no bundled corpus “{name}”; choose one of {', '.join(CORPORA)}.")
    corpus = read_folder(FOLDER / name, name)
    with (FOLDER / name / "index.csv").open(encoding="utf-8", newline="") as file:
        licences = dict.fromkeys(row["licence"] for row in csv.DictReader(file))
    return replace(corpus, source=CORPORA[name], licence=", ".join(licences))


@needs_made
def of_clip(
    clip: Clip,
    words: Sequence[Segment],
    phones: Sequence[Segment] = (),
    *,
    speaker: str = "speaker",
    language: str = "",
) -> Corpus:
    """One clip as a corpus."""
    tiers = {"words": tuple(words), "phones": tuple(phones)}
    utterances, strays = _canonical([_utterance(clip, tiers, {"speaker": speaker, "language": language})])
    return Corpus(clip.name, utterances, notes=strays)


def read_folder(folder: str | Path, name: str | None = None) -> Corpus:
    """A corpus from a folder of sound files with labels (see this module's text).

    Raises CorpusError if there is no sound file, no label, or more than 400 files or 15 minutes.
    """
    root = Path(folder)
    if folder == "" or not root.is_dir():  # an empty path would be this folder, with all that is in it
        raise CorpusError(f"There is no folder “{root}”; check its path (a zip is for read_zip).")
    return _assembled(name or root.resolve().name, corpus_files.in_folder(root))


def read_zip(path: str | Path, name: str = "own") -> Corpus:
    """A corpus from a zip of such a folder. Nothing of it stays on the disk."""
    with corpus_files.in_zip(path) as files:
        return _assembled(name, files)


def from_hub(identifier: str) -> Corpus:
    """A data set on the Hugging Face Hub that is kept as sound files with labels. Needs a network the first time."""
    return read_folder(hub.data_set(identifier, PATTERNS), identifier)


def _assembled(name: str, files: Files) -> Corpus:
    found = references(files)
    corpus_files.check_count(len(found))
    utterances, seconds, labels = [], 0.0, 0
    said: dict[str, list[str]] = defaultdict(list)  # what was changed in a TextGrid -> where
    for reference in found:
        clip, tiers = reference.labelled()
        for note in tiers.notes:
            said[note].append(reference.title)
        seconds, labels = seconds + clip.seconds, labels + sum(map(len, tiers.values()))
        if seconds > MOST_SECONDS:
            raise CorpusError(f"The recordings last more than {MOST_SECONDS / 60:.0f} minutes; give fewer of them.")
        if labels > MOST_LABELS:
            raise CorpusError(f"There are more than {MOST_LABELS} labels; leave out the tiers that nobody asks about.")
        utterances.append(_utterance(clip, tiers, reference.who))
    if not any(map(_is_labelled, utterances)):
        raise CorpusError(
            "None of the recordings has a label; put a TextGrid of the same name beside each, with tiers named words "
            "and phones, or a table segments.csv."
        )
    used = {reference.grid for reference in found}
    unused = [file for file, path in files.items() if file.lower().endswith(GRID) and path not in used]
    if files.unread:
        said["left out, as only sound files are read (save the sound of films as WAV)"] = list(files.unread)
    plain, strays = _canonical(utterances)
    return Corpus(name, plain, notes=(*_notes(utterances, unused, said), *strays))


def references(files: Files) -> tuple["Reference", ...]:
    """Every recording of a folder with its labels, none of them read yet: a set may be larger than the memory."""
    sounds = sorted(filter(corpus_files.is_sound, files), key=corpus_files.reading_order)
    grids = _grids(files, sounds)
    facts = tables.by_sound(files, tables.INDEX, sounds)
    listed = tables.by_sound(files, tables.SEGMENTS, sounds)
    labels = published.beside(files, sounds)
    found = []
    for sound, title in zip(sounds, titled(sounds), strict=True):
        about = facts.get(sound, [])
        who = {"speaker": PurePosixPath(sound).parent.name} | (about or [{}])[0] | tables.speaker(sound, about)
        who |= tables.groups(sound, [*about, *listed.get(sound, [])])
        rows, own = tuple(listed.get(sound, [])), labels.get(sound, ())
        found.append(Reference(sound, title, files[sound], files.get(grids.get(sound, "")), rows, own, who))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Reference:
    """A recording of a set and where its labels are; it is read when it is asked for, in whatever process."""

    sound: str  # name within the set
    title: str
    path: Path
    grid: Path | None  # TextGrid
    rows: tuple[tables.Row, ...]  # its rows of the tables
    labels: tuple[tuple[str, Path], ...]  # ending and file, as published corpora keep them
    who: Mapping[str, str]  # what the tables say of its speaker
    text: str = ""  # what is said in it, where that is known without times
    held: bytes | None = None  # the sound itself, where it is no file of this machine

    @property
    def files(self) -> tuple[Path, ...]:
        """The sound, then its labels."""
        return (self.path, *([self.grid] if self.grid else []), *(path for _, path in self.labels))

    def moved(self, folder: Path) -> "Reference":
        """The same whose files lie in this folder, under their own names."""
        grid, labels = self.grid and folder / self.grid.name, tuple((e, folder / p.name) for e, p in self.labels)
        return replace(self, path=folder / self.path.name, grid=grid, labels=labels)

    def contents(self) -> dict[str, bytes]:
        """Name -> bytes of the sound and its labels, in the order of `files`."""
        if self.held is not None:
            return {self.path.name: self.held}
        return {path.name: path.read_bytes() for path in self.files}

    @cached_property
    def sha256(self) -> str:
        """Which sound and labels are these? Of the files as they are, so that nothing has to be decoded to know.

        Of files that cannot be read, only that: whoever tries to measure them learns why.
        """
        digest = hashlib.sha256()
        try:
            for content in self.contents().values():
                digest.update(content)
        except OSError as problem:
            digest.update(repr(problem).encode())
        rows = [_without_line(row) for row in self.rows]  # a row that is added above changes nothing here
        digest.update(repr((self.title, rows, _without_line(self.who), self.text)).encode())
        return digest.hexdigest()

    def labelled(self) -> tuple[Clip, Tiers]:
        """The sound and all its labels, as they were given. Raises CorpusError that names the file."""
        clip = _clip(self.sound, self.path, self.title)
        return clip, _tiers(self, clip)

    def utterance(self) -> Utterance:
        """The recording as techniques read it, its phones spelt as those of a corpus are."""
        return _canonical([_utterance(*self.labelled(), self.who)])[0][0]


def _without_line(row: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted((column, value) for column, value in row.items() if column != "line")


def _grids(files: Mapping[str, Path], sounds: Sequence[str]) -> dict[str, str]:
    """Sound -> the TextGrid of the same name; capitals matter only where there is a choice."""
    stems = Counter(map(_stem, sounds))
    twice = next((stem for stem, count in stems.items() if count > 1), None)
    if twice is not None:
        raise CorpusError(f"There are {stems[twice]} sound files called “{twice}”; keep one of them.")
    exact = {_stem(file): file for file in files if file.lower().endswith(GRID)}
    folded = {stem.casefold(): file for stem, file in exact.items()}
    found = {sound: exact.get(_stem(sound)) or folded.get(_stem(sound).casefold()) for sound in sounds}
    return {sound: grid for sound, grid in found.items() if grid}


def _stem(file: str) -> str:
    return str(PurePosixPath(file).with_suffix(""))


def _clip(sound: str, path: Path, title: str) -> Clip:
    try:
        clip = load_clip(path)
    except UserError as problem:
        raise CorpusError(f"In “{sound}”: {problem}") from problem
    return replace(clip, name=title)


def _tiers(one: Reference, clip: Clip) -> Tiers:
    """All labels of a recording, as they were given."""
    try:
        drawn = read_textgrid(one.grid.read_bytes(), seconds=clip.seconds) if one.grid else Tiers()
        listed = tables.tiers(one.rows, clip.seconds)
        for ending, path in one.labels:
            listed |= published.read(path, ending, clip.seconds)
        chosen({**drawn, **listed})  # refuses words or phones that overlap threefold while the file is known
    except (UserError, OSError) as problem:
        raise CorpusError(f"The labels of “{one.sound}” cannot be used. {problem}") from problem
    if both := set(drawn) & set(listed):
        raise CorpusError(
            f"“{one.sound}” has its tier “{min(both)}” both in a TextGrid and in segments.csv; leave one of them out."
        )
    tiers = Tiers({name: tuple(map(_short, tier)) for name, tier in {**drawn, **listed}.items()})
    tiers.notes = drawn.notes
    return tiers


def _short(segment: Segment) -> Segment:
    long = len(segment.label) > LONGEST_LABEL
    return replace(segment, label=segment.label[: LONGEST_LABEL - 1] + "…") if long else segment


def _notes(
    utterances: Sequence[Utterance], unused: Sequence[str], said: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    bare = [utterance.clip.name for utterance in utterances if not _is_labelled(utterance)]
    lost = [f"{u.clip.name} ({'; '.join(u.clip.lost)})" for u in utterances if u.clip.lost]
    found = (
        ("without labels", bare),
        ("TextGrids without a recording of their name", unused),
        ("not read in full", lost),
        *said.items(),
    )
    return tuple(f"{what}: {', '.join(names[:5])}{', …' * (len(names) > 5)}" for what, names in found if names)


def _is_labelled(utterance: Utterance) -> bool:
    return bool(utterance.words or utterance.phones or any(utterance.tiers.values()))


def _utterance(clip: Clip, tiers: dict[str, tuple[Segment, ...]], who: Mapping[str, str]) -> Utterance:
    found = chosen(tiers)
    rest = {name: tier for name, tier in tiers.items() if name not in (found.word_tier, found.phone_tier)}
    speaker, sex = _tidy(who.get("speaker", "")) or "speaker", _tidy(who.get("sex", "")).lower()
    language, (accent, group) = _tidy(who.get("language", "")).lower(), (_tidy(who.get(g, "")) for g in GROUPS)
    return Utterance(clip, speaker, SEXES.get(sex, sex), language, found.words, found.phones, rest, accent, group)


def _tidy(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:60]


def _canonical(utterances: Sequence[Utterance]) -> tuple[tuple[Utterance, ...], tuple[str, ...]]:
    """The same with phones in plain ARPAbet if that is what they are written in, and a note on those that are not."""
    known, strays = arpabet_of_most(Counter(phone.label for u in utterances for phone in u.phones))
    plain = [tuple(Segment(known.get(p.label, p.label), p.start, p.end) for p in u.phones) for u in utterances]
    where = {p.label: u.clip.name for u in reversed(utterances) for p in u.phones}
    named = ", ".join(f"“{label}” (first in {where[label]})" for label in strays[:5]) + ", …" * (len(strays) > 5)
    notes = (f"labels among the ARPAbet phones that are none of them, kept as they are: {named}",) if strays else ()
    return tuple(replace(u, phones=phones) for u, phones in zip(utterances, plain, strict=True)), notes
