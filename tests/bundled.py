"""The bundled clips as the tests read them: the rows of their index, and their tiers by regular expression."""

import csv
import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "examples_audio"

with (FOLDER / "index.csv").open(encoding="utf-8", newline="") as _file:
    ROWS = list(csv.DictReader(_file))
ENGLISH = [row["file"] for row in ROWS if row["language"] == "en"]


def read_tiers(path: Path) -> dict[str, list[tuple[float, float, str]]]:
    """A Praat long TextGrid by regular expression: tier name -> (start s, end s, label)."""
    interval = re.compile(r'xmin = (\S+)\s+xmax = (\S+)\s+text = "(.*)"')
    pieces = re.split(r'name = "(\w+)"', path.read_text(encoding="utf-8"))[1:]
    return {
        name: [(float(start), float(end), label) for start, end, label in interval.findall(text)]
        for name, text in zip(pieces[::2], pieces[1::2], strict=True)
    }
