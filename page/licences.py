"""Whose work the page shows, and on what terms: code, recordings, models."""

import csv
import re
from collections import Counter

import gradio as gr

from methods.core import __version__, corpus
from page.examples import FOLDER

SOFTWARE = f"""**The program**, Inside Speech Models {__version__}, is under
[Apache-2.0](https://www.apache.org/licenses/LICENSE-2.0), and so are our own CTC heads and probes. It uses Praat
through `praat-parselmouth`, which is under the [GPL, version 3](https://www.gnu.org/licenses/gpl-3.0.html) or later:
whoever passes on both together passes on the whole under the GPL's terms. Whisper's weights were published by OpenAI
under the [MIT licence](https://opensource.org/license/mit); other models have the licences that their pages on the hub
name.

**The recordings** are not under the program's licence. Whoever changes one under CC BY-SA passes it on under
CC BY-SA."""
SETS = ("index.csv", *(f"corpora/{name}/index.csv" for name in corpus.CORPORA))


def licences() -> None:
    """Lay out the terms, folded."""
    with gr.Accordion("Licences, and whose recordings these are", open=False, elem_id="licences"):
        gr.Markdown("\n".join([SOFTWARE, "", *map(_credit, _credits().items())]), elem_classes="quiet")


def _credits() -> Counter[str]:
    """Each attribution of the bundled recordings, and of how many they are."""
    found: Counter[str] = Counter()
    for name in SETS:
        with (FOLDER / name).open(encoding="utf-8", newline="") as file:
            found.update(row["attribution"] for row in csv.DictReader(file))
    return found


def _credit(credit: tuple[str, int]) -> str:
    text, recordings = credit
    linked = re.sub(r"https://[^\s)]+", lambda address: f"[{address[0]}]({address[0]})", text)
    return f"- {recordings} recording{'s' * (recordings > 1)}: {linked}"
