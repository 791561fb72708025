"""Stretches of a corpus to listen to: a browser's own player for each, nothing stored on the server."""

import base64
import html
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
import numpy as np

from methods.core.audio import SAMPLE_RATE, Clip, to_wav
from methods.core.corpus import Corpus
from methods.core.errors import UserError
from page import corpus_area
from page.clip_area import present
from page.errors import toast
from page.session import Session
from page.technique_tab import Own, Shell, Tab

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


def connect(tab: Tab, shell: Shell, plots: Sequence[Any], hear: Callable, also: Sequence[str], heard: gr.HTML) -> None:
    """A press on one of the plots is to be heard: `hear(result, session, own, corpus, *also, event)` makes players."""
    inputs = [tab.result, shell.session, shell.corpus, *(tab.controls[name] for name in ("corpus", *also))]
    for plot in plots:
        plot.select(toast(hear), inputs, [heard], show_progress="hidden", api_visibility="private")


def recordings(result: Any, session: Session, own: Own, corpus: str) -> Corpus:
    """The recordings that a result was made of, if they are still those that are chosen."""
    sounds = corpus_area.chosen(corpus_area.with_corpus(present(session), own), corpus)
    if sounds.sha256 != result.provenance["corpus_sha256"]:
        raise UserError("The plot shows other recordings than those chosen now; press “Run” to hear them.")
    return sounds
