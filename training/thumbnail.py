"""Draw `thumbnail.png`, the picture that stands for the app where it is linked: a value-zeroing map of a real clip.

python training/thumbnail.py
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from matplotlib.figure import Figure

from methods import value_zeroing
from methods.core.models import load_model
from page.examples import FIRST
from page.session import from_example

LAYER = 3  # from 1: where the map of the first clip is neither diagonal nor even
SIZE = 12.0, 6.3  # inches at 100 dpi: 1200 × 630 pixels, what link previews show uncut
CAPTION = f"Who takes from whom,\nword by word: Whisper,\nvalue zeroing, layer {LAYER}"
INK, PAPER = "#1f2933", "#ffffff"


def main() -> None:
    session = from_example(FIRST)
    words = session.segments("words")
    result = value_zeroing.analyse(
        session.clip, load_model("openai/whisper-tiny.en"), segments=words, stacks=("encoder",), random_seeds=()
    )
    figure = Figure(figsize=SIZE, dpi=100, facecolor=PAPER)
    figure.text(0.05, 0.72, "Inside\nSpeech\nModels", fontsize=46, weight="bold", color=INK, va="center")
    figure.text(
        0.05, 0.36, "Who takes from whom,\nword by word: Whisper,\nvalue zeroing, layer 3", fontsize=19, color=INK
    )
    axes = figure.add_axes((0.55, 0.06, 0.4, 0.76))
    axes.imshow(result.shares("encoder").squeeze()[LAYER - 1], cmap="magma_r")
    labels = [word.label for word in words]
    axes.set_xticks(range(len(labels)), labels, rotation=35, ha="left", fontsize=15)
    axes.set_yticks(range(len(labels)), labels, fontsize=15)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    figure.savefig(ROOT / "thumbnail.png", metadata={"Software": "Inside Speech Models"})


if __name__ == "__main__":
    main()
