"""A Kaldi data folder: `wav.scp`, with the words of a `ctm` and the speakers of `utt2spk` where they are there.

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

SCRIPT, WORDS, SPEAKERS, SEGMENTS = "wav.scp", "ctm", "utt2spk", "segments"


def references(folder: Path) -> tuple[Reference, ...]:
    """Its recordings, none of them read yet. Raises CorpusError that names the file and line."""
    if (folder / SEGMENTS).is_file():
        raise CorpusError(
            f"“{folder.name}” cuts its recordings by a file `segments`, which is not read here; write one file per "
            "utterance (`extract-segments`) and its own wav.scp."
        )
    words, speakers = _words(folder / WORDS), dict(_pairs(folder / SPEAKERS))
    found = []
    for name, place in _pairs(folder / SCRIPT):
        if place.endswith("|"):
            raise CorpusError(
                f"wav.scp gives “{name}” as a command, and none is run; write sound files, and name those."
            )
        path = folder / place  # an absolute one stays as it is
        if not path.is_file():
            raise CorpusError(f"wav.scp names “{place}” for “{name}”, and there is no such file.")
        who = {"speaker": speakers.get(name, "")}
        found.append(Reference(name, clean_name(name), path, None, tuple(words.get(name, ())), (), who))
    return tuple(found)


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    if path.is_file():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            name, _, rest = line.strip().partition(" ")
            if name and not rest:
                raise CorpusError(f"{path.name}, line {number}: “{name[:60]}” is followed by nothing.")
            if name:
                yield name, rest.strip()


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
