"""What the recordings of a set are called, each by a name of its own."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from methods.core.audio import clean_name


def titled(sounds: Sequence[str]) -> list[str]:
    """A name for each recording: with its folders where the bare one is not its own, and a number if need be."""
    bare = [clean_name(PurePosixPath(sound).stem) for sound in sounds]
    alone = Counter(bare)
    long = [clean_name(str(PurePosixPath(sound).with_suffix("")).replace("/", "_")) for sound in sounds]
    titles = [a if alone[a] == 1 else b for a, b in zip(bare, long, strict=True)]
    return _apart(titles)


def _apart(titles: list[str]) -> list[str]:
    """Those that are there several times get numbers: long names are cut, and characters of markup left out."""
    count, taken, last = Counter(titles), set(titles), Counter[str]()
    found = []
    for title in titles:
        name = title
        while count[title] > 1 and name in taken:
            last[title] += 1
            name = f"{title} ({last[title]})"
        taken.add(name)
        found.append(name)
    return found
