"""Players of short sounds: an excerpt of a clip, and an edited sound beside the one it was made of."""

import base64
import html
from collections.abc import Sequence

import numpy as np

from methods.core.audio import SAMPLE_RATE, Clip, to_wav
from methods.core.corpus import Corpus
from methods.core.speech import edits

# Never by colour alone: each kind has a line or a slant too. Tints that text can be read on, light or dark.
STYLES = {
    "correct": "",
    "substituted": "background:rgba(217,119,6,.30);text-decoration:underline dotted",
    "inserted": "background:rgba(124,58,237,.25);font-style:italic",
    "deleted": "opacity:.6;text-decoration:line-through",
}


def player(clip: Clip, caption: str, answer: str | None = None) -> str:
    """A browser's own player for one sound, with what the model hears in it. Nothing is stored on the server."""
    data = base64.b64encode(to_wav(clip)).decode("ascii")
    said = "" if answer is None else f"<div>The model hears: “{html.escape(answer)}”</div>"
    notes = "".join(f"<small class='quiet'>{html.escape(note)}</small>" for note in clip.notes)
    label = html.escape(caption, quote=True)
    sound = f"<audio controls preload='metadata' aria-label='{label}' src='data:audio/wav;base64,{data}'></audio>"
    return f"<figure style='margin:4px 0'><figcaption>{label}</figcaption>{sound}{notes}{said}</figure>"


def compared(old: str, new: str) -> str:
    """The new answer as HTML, what differs from the old one marked word by word (capitals do not count)."""
    before, after = edits.plain_words(old), edits.plain_words(new)
    if not before or "|" in old:  # phones: there a list of marks is harder to read than the string
        return html.escape(new)
    spans = []
    for edit in edits.edits(before, after):
        text = html.escape(edit.meant if edit.kind == "deleted" else edit.said)
        spans.append(f"<span style='{STYLES[edit.kind]}' title='{edit.kind}'>{text}</span>")
    return " ".join(spans)


AROUND = 0.15  # s heard on either side: a phone alone is a click
FADE = 0.01  # s


def excerpt(clip: Clip, start: float, end: float, around: float = AROUND) -> Clip:
    """A stretch with a little of what is around it, faded in and out."""
    first = max(0, round((start - around) * SAMPLE_RATE))
    samples = clip.samples[first : round((end + around) * SAMPLE_RATE)].copy()
    edge = min(round(FADE * SAMPLE_RATE), len(samples) // 2)
    ramp = np.linspace(0, 1, edge, dtype=samples.dtype)
    samples[:edge] *= ramp
    samples[len(samples) - edge :] *= ramp[::-1]
    return Clip(samples, clip.name)


def players(corpus: Corpus, tokens: Sequence[tuple[str, int, float, float]], *, at_once: bool = False) -> str:
    """HTML for some tokens: caption, number of the recording, start and end (s). `at_once` plays the last one."""
    figures = []
    for number, (caption, utterance, start, end) in enumerate(tokens):
        clip = corpus.utterances[utterance].clip
        data = base64.b64encode(to_wav(excerpt(clip, start, end))).decode("ascii")
        label = html.escape(caption, quote=True)
        where = html.escape(f"{clip.name}, {start:.2f}–{end:.2f} s")
        auto = " autoplay" if at_once and number == len(tokens) - 1 else ""
        figures.append(
            f"<figure style='margin:4px 12px 4px 0;display:inline-block;max-width:100%'><figcaption><b>{label}</b><br>"
            f"<small class='quiet'>{where}</small></figcaption><audio controls{auto} preload='metadata' "
            f"style='max-width:100%;width:260px' aria-label='{label}' src='data:audio/wav;base64,{data}'></audio>"
            "</figure>"
        )
    return "".join(figures)
