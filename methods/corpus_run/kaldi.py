"""A Kaldi data folder: `wav.scp`, and beside it words (`ctm`), texts (`text`) and speakers (`utt2spk`), if there.

`wav.scp` gives each utterance a file; a pipe of commands is not run. A `ctm` line is utterance, channel, start and
duration in seconds, word. Source: Kaldi's documentation, “Data preparation” (Povey et al. 2011).
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from methods.core.audio import clean_name
from methods.core.corpus.files import CorpusError
from methods.core.corpus.recordings import Reference
from methods.core.corpus.tables import Row

SCRIPT, WORDS, TEXT, SPEAKERS, SEGMENTS = "wav.scp", "ctm", "text", "utt2spk", "segments"


def references(folder: Path) -> tuple[Reference, ...]:
    """Its recordings, none of them read yet. Raises CorpusError that names the file and line."""
    if (folder / SEGMENTS).is_file():
        raise CorpusError(
            f"“{folder.name}” cuts its recordings by a file `segments`, which is not read here; write one file per "
            "utterance (`extract-segments`) and its own wav.scp."
        )
    words, speakers = _words(folder / WORDS), dict(_pairs(folder / SPEAKERS))
    texts = dict(_pairs(folder / TEXT, bare=True))  # of a recording in which nothing is said, only the name
    found: dict[str, Reference] = {}
    for name, place in _pairs(folder / SCRIPT):
        if name in found:
            raise CorpusError(f"wav.scp names “{name}” twice; each line needs a name of its own.")
        if place.endswith("|"):
            raise CorpusError(
                f"wav.scp gives “{name}” as a command, and none is run; write sound files, and name those."
            )
        path = folder / place  # an absolute one stays as it is
        if not path.is_file():
            raise CorpusError(f"wav.scp names “{place}” for “{name}”, and there is no such file.")
        who = {"speaker": speakers.get(name, "")}
        rows, text = tuple(words.get(name, ())), texts.get(name, "")
        found[name] = Reference(name, clean_name(name), path, None, rows, (), who, text)
    return tuple(found.values())


def _pairs(path: Path, *, bare: bool = False) -> Iterator[tuple[str, str]]:
    if path.is_file():
        for number, line in enumerate(_text(path).splitlines(), start=1):
            name, rest = (*line.split(maxsplit=1), "", "")[:2]  # by spaces or tabs
            if name and not rest and not bare:
                raise CorpusError(f"{path.name}, line {number}: “{name[:60]}” is followed by nothing.")
            if name:
                yield name, rest.strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as problem:
        raise CorpusError(f"{path.name} is not a text in UTF-8; save it so.") from problem


def _words(path: Path) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for number, (name, rest) in enumerate(_pairs(path), start=1):
        parts = rest.split()
        try:
            start, length = float(parts[1]), float(parts[2])
            label = parts[3]
        except (ValueError, IndexError) as problem:
            raise CorpusError(
                f"ctm, line {number}: it should hold utterance, channel, start and duration in seconds, and a word."
            ) from problem
        found[name].append(
            {"tier": "words", "label": label, "start": str(start), "end": str(start + length), "line": str(number)}
        )
    return found
