"""The files of a corpus, from a folder or a zip, under names that are harmless and mean the same on every system."""

import os
import re
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from methods.core.audio import clean_name
from methods.core.errors import UserError

SOUNDS = (".wav", ".flac", ".ogg", ".mp3", ".m4a", ".aac", ".webm", ".opus", ".aiff", ".aif")
# Sound and films that `load_clip` may read, but that lie beside recordings as often as they are some.
UNREAD = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".avi", ".wmv", ".mpg", ".mpeg", ".3gp", ".mts"),
    *(".wma", ".amr", ".caf", ".w64", ".oga", ".aifc", ".au", ".ape", ".wv"),
)
GRID, TABLE, EMA = ".textgrid", ".csv", ".mat"
LABELS = (".phn", ".wrd", ".phones", ".words")  # of TIMIT and Buckeye, see `published`
MOST_FILES = 400  # recordings
MOST_BYTES = 300 * 2**20  # unpacked: 15 minutes of 48 kHz stereo at 24 bits are 260 MB
IN_UTF8 = 0x800  # flag of a zip's entry: its name is in UTF-8
LOCKED = 0x1  # flag: encrypted
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others unpack without a bound on memory
DAMAGE = (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, struct.error, zlib.error)


class CorpusError(UserError):
    """The recordings cannot be used as they are. The message says what was found, why, and what to do."""


class Files(dict[str, Path]):
    """Name relative to the folder -> file, for the files that matter; `unread` names what may be a recording too."""

    unread: tuple[str, ...] = ()


def in_folder(root: Path) -> Files:
    """Name relative to the folder -> file, for the files that matter. Links count: the hub's cache is made of them.

    A link that leads nowhere counts where it is called a sound or its labels: whoever reads it is told.
    """
    paths = {plain(path.relative_to(root).as_posix()): path for path in sorted(_walked(root))}
    found = {name: path for name, path in paths.items() if path.is_file() or _is_lost(name, path)}
    files = Files({name: path for name, path in found.items() if matters(name)})
    files.unread = _unread(found)
    return files


def _is_lost(name: str, path: Path) -> bool:
    return path.is_symlink() and not path.is_dir() and (is_sound(name) or name.lower().endswith(GRID))


def _walked(root: Path) -> Iterator[Path]:
    """Every file below a folder, those of linked folders last; none is walked through twice, since links may loop."""
    seen, waiting = set[str](), [root]
    while waiting:
        for place, folders, names in os.walk(waiting.pop(0), onerror=_refuse):
            real = os.path.realpath(place)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            waiting += [Path(place, folder) for folder in sorted(folders) if Path(place, folder).is_symlink()]
            yield from (Path(place, name) for name in names)


def _refuse(problem: OSError) -> None:
    raise CorpusError(
        f"The folder “{problem.filename}” cannot be read ({problem.strerror}); give yourself the right to read it, or "
        "take it out."
    ) from problem


@contextmanager
def in_zip(path: str | Path, *, bounded: bool = True) -> Iterator[Files]:
    """The same for a zip. The files are there for the length of a `with` block and then gone.

    They lie under numbers of ours, since a zip may hold `../../etc/passwd`; sizes are checked before and kept to
    while unpacking, since it may also hold a terabyte of zeros. `bounded` refuses more than the page takes.
    """
    try:
        archive = zipfile.ZipFile(Path(path))
    except DAMAGE as problem:
        raise CorpusError(
            "This is not a zip file, or it was cut off; put the sound files and their TextGrids into one zip."
        ) from problem
    with archive, tempfile.TemporaryDirectory() as place:
        yield _unpacked(archive, Path(place), bounded)


def _unpacked(archive: zipfile.ZipFile, place: Path, bounded: bool) -> Files:
    infos = [(plain(_name(info)), info) for info in archive.infolist() if not info.is_dir()]
    wanted = [(name, info) for name, info in infos if matters(name)]
    if bounded:
        _check_bounds(wanted)
    files = Files()
    files.unread = _unread(name for name, _ in infos)
    for number, (name, info) in enumerate(wanted):
        if name in files:
            raise CorpusError(f"The zip holds “{name}” twice; leave one of them out.")
        files[name] = _written(_content(archive, info, name), place / str(number), name)
    return files


def _written(content: bytes, folder: Path, name: str) -> Path:
    # A reader's error names the file, so that it keeps a name one can recognise.
    path = folder / f"{clean_name(PurePosixPath(name).stem)}{PurePosixPath(name).suffix.lower()}"
    try:
        folder.mkdir()
        path.write_bytes(content)
    except OSError as problem:
        raise CorpusError(
            f"“{name}” could not be unpacked ({problem.strerror}); make room on the disk, or unpack the zip yourself "
            "and give the folder."
        ) from problem
    return path


def _check_bounds(wanted: Sequence[tuple[str, zipfile.ZipInfo]]) -> None:
    check_count(sum(is_sound(name) or name.lower().endswith(EMA) for name, _ in wanted))  # EMA files hold their sound
    if sum(info.file_size for _, info in wanted) > MOST_BYTES or len(wanted) > 3 * MOST_FILES:
        raise CorpusError(
            f"The zip unpacks to more than {MOST_BYTES >> 20} MB or {3 * MOST_FILES} files; give fewer or shorter "
            "recordings."
        )


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> bytes:
    if info.flag_bits & LOCKED:
        raise CorpusError("The zip is protected by a password; make one without.")
    if info.compress_type not in PACKED:
        raise CorpusError("The zip is packed in an unusual way; make it with your system's own “Compress”.")
    try:
        with archive.open(info) as packed:
            return packed.read(info.file_size)  # with a size, or a header that lies could make us unpack gigabytes
    except DAMAGE as problem:
        raise CorpusError(f"The zip is damaged at “{name}”; make it again.") from problem


def _name(info: zipfile.ZipInfo) -> str:
    """The entry's name. Macs write UTF-8 without saying so, and it is then read as if it were of DOS."""
    try:
        return info.filename if info.flag_bits & IN_UTF8 else info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def plain(name: str) -> str:
    """A file's name with folders: composed letters (Macs part é in two), `/` between folders, no way out of them."""
    parts = PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/")).parts
    return "/".join(part for part in parts if part not in ("/", "//", "..") and not part.endswith(":"))


def reading_order(name: str) -> tuple[list[str | tuple[int, str]], str]:
    """The key that sorts names as people number them: 2 before 10, though as text 10 comes before 2."""
    parts = re.split("([0-9]+)", name)  # text and digits by turns, so that like is compared with like
    return [_as_number(part) if place % 2 else part for place, part in enumerate(parts)], name


def _as_number(digits: str) -> tuple[int, str]:
    """Sorts as the number does; Python makes none of more than 4300 digits."""
    bare = digits.lstrip("0")
    return len(bare), bare


def _unread(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(n for n in names if PurePosixPath(n).suffix.lower() in UNREAD and not _is_hidden(n))


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def matters(name: str) -> bool:
    """Whether it is a sound, a TextGrid, a table, labels or EMA, and not one of the hidden twins that Macs add."""
    return not _is_hidden(name) and PurePosixPath(name).suffix.lower() in (*SOUNDS, GRID, TABLE, EMA, *LABELS)


def is_sound(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SOUNDS


def check_count(sounds: int) -> None:
    """Raises CorpusError if there is no recording or too many."""
    if not sounds:
        raise CorpusError(
            "There is no sound file here (films are no such); give WAV or FLAC files with TextGrids of the same names."
        )
    if sounds > MOST_FILES:
        raise CorpusError(f"There are {sounds} recordings and the limit is {MOST_FILES}; give fewer of them.")
