"""The bundled clips, as their index describes them."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from methods.core.alignment.textgrid import read_textgrid
from methods.core.audio import Clip, load_clip
from methods.core.frames import Segment

FOLDER = Path(__file__).resolve().parent.parent / "examples_audio"


@dataclass(frozen=True)
class Example:
    """One bundled clip."""

    key: str  # its name in links: the file's stem, stable for ever
    file: str  # relative to examples_audio
    title: str
    language: str
    transcript: str
    why: str
    credit: str  # attribution and licence, one line

    def clip(self) -> Clip:
        """The sound."""
        return _sound(self.file)

    def tiers(self) -> dict[str, tuple[Segment, ...]]:
        """Words and phones that were aligned beforehand; empty where there is no alignment (French)."""
        path = (FOLDER / self.file).with_suffix(".TextGrid")
        return dict(read_textgrid(path.read_bytes())) if path.is_file() else {}


@cache
def _sound(file: str) -> Clip:
    return load_clip(FOLDER / file)  # one for all visitors: each session would hold its own 0.2 MB


def _read_index() -> dict[str, Example]:
    with (FOLDER / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    examples = [
        Example(
            key=Path(row["file"]).stem,
            file=row["file"],
            title=row["title"],
            language=row["language"],
            transcript=row["transcript"],
            why=row["why"],
            credit=f"{row['speaker']}. {row['licence']}. {row['attribution']}",
        )
        for row in rows
    ]
    return {example.key: example for example in examples}


EXAMPLES = _read_index()
FIRST = "en_f_weasels"
