"""Sentences in which a cue decides how a target is spelled: bundled ones, a folder, a zip, or the published set.

    examples = bundled("french")          # or read_folder("my sentences"), read_zip("my sentences.zip"), from_hub()

A folder or zip holds recordings (up to 30 s each) and an `index.csv` with the columns file, transcript, cue, target;
and, as far as they are there, second_target, language, template, number (singular or plural), group (sentences that
belong together). Words come from a TextGrid of the recording's name, where there is one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from methods.core import corpus
from methods.core.alignment.textgrid import read_textgrid
from methods.core.audio import Clip, load_clip
from methods.core.corpus import files as corpus_files
from methods.core.corpus import tables
from methods.core.errors import UserError
from methods.core.frames import Segment
from methods.core.models import hub
from methods.cue_contribution.cue import PAIRS

HUB = "hosein-m/french_homophone_asr"
FILES = ["*.csv", "*.wav", "*.flac", "*.mp3", "*.ogg", "*.TextGrid"]
INDEX = "index.csv"
NEEDED = ("file", "transcript", "cue", "target")
NUMBERS = ("singular", "plural")
LONGEST = 300  # characters of a transcript, cue or target: 30 s hold fewer than 500 in any language, and a cell fits
MOST_SECONDS = 900.0  # of a zip, whose recordings are held in memory: 58 MB
BUNDLED = {
    "french": "5 French pairs (votre message, vos messages …); needs Whisper base",
    "english": "16 English prompts with homophones (to/two, your/you're, be/bee …)",
}
# Prompt of the bundled corpus -> cue, target. English spells by sense, not by agreement: the cue is the word before
# that asks for this part of speech. Only targets and cues that occur once in their sentence.
ENGLISH = {
    "conf-placeintoconf": ("will", "be"), "cannot-complete-as-dialed": ("cannot", "be"),
    "at-tone-time-exactly": ("will", "be"), "tt-monkeysintro": ("carried", "by"), "conf-getconfno": ("enter", "your"),
    "dir-nomatch": ("match", "your"), "privacy-prompt": ("enter", "your"), "confbridge-unmuted": ("are", "no"),
    "dir-nomore": ("are", "no"), "vm-tooshort": ("is", "too"), "queue-quantity2": ("waiting", "to"),
    "privacy-unident": ("trying", "to"), "followme_sorry": ("unable", "to"),
    "vm-review-nonurgent": ("press", "four"), "vm-toforward": ("press", "eight"), "vm-nonumber": ("don't", "know"),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class CueSentence:
    """One sentence in which a cue decides how a target is spelled."""

    name: str
    sound: Callable[[], Clip]  # read when it is needed: the published set does not fit into memory
    transcript: str
    cue: str
    target: str
    group: str  # examples of one sentence share it: they are not independent
    language: str | None = None
    template: str = ""  # det_noun, pronoun_verb, …
    number: str = ""  # of the target: "singular", "plural", or unknown
    words: tuple[Segment, ...] | None = None  # with their times; None: ask the model


def bundled(name: str) -> tuple[CueSentence, ...]:
    """The sentences that come with the app: "french" or "english". Raises UserError for any other name."""
    made = {"french": _french, "english": _english}.get(name)
    if made is None:
        raise UserError(f"There is no bundled set “{name}”; choose one of {', '.join(BUNDLED)}.")
    return made()


def _french() -> tuple[CueSentence, ...]:
    folder = corpus.FOLDER.parent / "cc-by-sa-3.0"

    def sound(name: str) -> Callable[[], Clip]:
        return lambda: load_clip(folder / f"{name}.wav")

    return tuple(
        CueSentence(pair.clip, sound(pair.clip), pair.transcript, pair.cue, pair.target, pair.clip, pair.language)
        for pair in PAIRS
    )


def _english() -> tuple[CueSentence, ...]:
    found = []
    for spoken in corpus.bundled("prompts").utterances:
        if spoken.clip.name in ENGLISH:
            text = " ".join(word.label for word in spoken.words)
            text, place = f"{text[:1].upper()}{text[1:]}.", ENGLISH[spoken.clip.name]
            clip = spoken.clip
            found.append(
                CueSentence(clip.name, lambda clip=clip: clip, text, *place, clip.name, "en", words=spoken.words)
            )
    return tuple(found)


def read_folder(folder: str | Path) -> tuple[CueSentence, ...]:
    """The examples that a folder's index.csv names. Raises UserError for an index that is missing or incomplete."""
    return _read(corpus_files.in_folder(Path(folder)), Path(folder).name, lambda path: lambda: load_clip(path))


def read_zip(path: str | Path, most: int) -> tuple[CueSentence, ...]:
    """The same of a zip, with at most so many examples. Nothing of it stays on the disk: its sound is held in memory.

    Raises UserError for a zip that is damaged, too large, or without an index, and for more than 15 minutes of sound.
    """
    heard: dict[Path, Clip] = {}

    def load(file: Path) -> Callable[[], Clip]:
        if file not in heard:
            heard[file] = load_clip(file)
        if sum(clip.seconds for clip in heard.values()) > MOST_SECONDS:
            raise UserError(f"The recordings are longer than {MOST_SECONDS / 60:.0f} minutes; give fewer of them.")
        return lambda clip=heard[file]: clip

    with corpus_files.in_zip(path) as files:
        return _read(files, "the zip", load, most)


def from_hub(identifier: str = HUB) -> tuple[CueSentence, ...]:
    """The examples of a public data set in the same layout; fetched once. Raises UserError where that cannot be."""
    return read_folder(hub.data_set(identifier, FILES))


def _read(
    files: Mapping[str, Path], where: str, load: Callable[[Path], Callable[[], Clip]], most: int | None = None
) -> tuple[CueSentence, ...]:
    """The examples of an index among these files (name -> where it lies), which never names a file outside them."""
    places = sorted((name for name in files if PurePosixPath(name).name.lower() == INDEX), key=lambda n: n.count("/"))
    if not places:
        raise UserError(
            f"There is no {INDEX} in {where}; make one that lists the recordings, with the columns "
            f"{', '.join(NEEDED)}."
        )
    rows = tables.read(files[places[0]].read_bytes(), places[0], ())
    missing = [name for name in NEEDED if rows and name not in rows[0]]
    if missing or not rows:
        raise UserError(f"{INDEX} lists no example or lacks what it needs ({', '.join(missing) or 'a first row'}).")
    number = sum(1 + bool(row.get("second_target")) for row in rows)
    if most is not None and number > most:
        raise UserError(f"{INDEX} makes {number} examples and the limit is {most}; take some lines out.")
    beside = PurePosixPath(places[0]).parent
    return tuple(example for row in rows for example in _examples(files, beside, row, load))


def _examples(
    files: Mapping[str, Path], beside: PurePosixPath, row: tables.Row, load: Callable
) -> Iterator[CueSentence]:
    name = row["file"]
    found = corpus_files.plain(str(beside / name.replace("\\", "/")))
    if found not in files or not corpus_files.is_sound(found):
        raise UserError(
            f"{INDEX} names “{name[:60]}”, which is not in the folder or no sound file; add it or take the line out."
        )
    long = [column for column in NEEDED if len(row[column]) > LONGEST]
    if long:
        raise UserError(f"{INDEX}, line {row['line']}: “{long[0]}” has over {LONGEST} characters; shorten it.")
    grid = files.get(str(PurePosixPath(found).with_suffix(".TextGrid")))
    shared = {
        "sound": load(files[found]),
        "transcript": row["transcript"],
        "group": row.get("group") or name,
        "language": row.get("language") or None,
        "template": row.get("template") or "",
        "words": dict(read_textgrid(grid.read_bytes())).get("words") if grid else None,
    }
    number = (row.get("number") or "").casefold()
    known = {"s": "singular", "p": "plural", "number_sing": "singular", "number_plur": "plural"}
    yield CueSentence(name=name, cue=row["cue"], target=row["target"], number=known.get(number, number), **shared)
    if row.get("second_target"):  # the first target is part of the second one's cue
        cue = f"{row['cue']} {row['target']}"
        yield CueSentence(name=f"{name}, second target", cue=cue, target=row["second_target"], **shared)
