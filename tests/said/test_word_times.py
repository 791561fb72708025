"""What README and page promise of word times by cross-attention, measured anew, and OpenAI's recipe left behind.

The lag that is taken off was measured on the first, third, … of the bundled recordings (`benchmarks/word_times.py`);
here are the others.
"""

import re
from pathlib import Path

import numpy as np
import pytest
from bundled import FOLDER

from methods import cue_contribution, two_lenses
from methods.core import corpus as corpora
from methods.core.alignment import attended_words
from methods.core.alignment.characters import MEASURED
from methods.core.audio import load_clip
from methods.core.models import load_model
from page import session as sessions
from page.top.corrections import ALIGNING

pytestmark = [pytest.mark.weights, pytest.mark.slow]

TINY, BASE = "openai/whisper-tiny.en", "openai/whisper-base"
NEAR = 0.1001  # s; TextGrids have two decimals
README = " ".join((Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").split())
# Word starts (s) that the spectrogram shows beyond doubt, read off by eye: hiss of [s], a closure before its release,
# a voice after silence. The texts are those that are said.
FRENCH = {
    "fr_f_votre_message": ("Votre message a été sauvegardé.", {"sauvegardé": 1.08}),
    "fr_f_vos_messages": ("Pour écouter vos messages, appuyez sur un.", {"appuyez": 1.40, "sur": 1.90, "un": 2.35}),
    "fr_f_composez": (
        "Composez votre mot de passe, suivi du dièse.",
        {"Composez": 0.06, "passe": 1.12, "suivi": 1.60, "du": 2.04, "dièse": 2.20},
    ),
    "fr_f_votre_appel": (
        "Votre appel sera le prochain à être traité.",
        {"sera": 0.71, "prochain": 1.15, "traité": 2.24},
    ),
}


def off_forced_alignment(name: str) -> np.ndarray:
    """(words, 2) s, starts and ends less those of the TextGrids, over the recordings on which nothing was measured."""
    model, rows = load_model(name), []
    recordings = [each for corpus in ("prompts", "voices") for each in corpora.bundled(corpus).utterances]
    for utterance in recordings[1::2]:
        text = " ".join(word.label for word in utterance.words).capitalize() + "."
        language = "en" if model.decoding.languages else None
        words = attended_words(utterance.clip, model, transcript=text, language=language)
        rows += [(w.start - t.start, w.end - t.end) for w, t in zip(words, utterance.words, strict=True)]
    return np.array(rows)


@pytest.mark.parametrize(
    ("name", "median", "share"), [(TINY, 0.05, 0.85), pytest.param(BASE, 0.04, 0.90, marks=pytest.mark.long)]
)
def test_starts_are_as_near_as_readme_and_page_say(name, median, share):
    off = off_forced_alignment(name)
    middle, within = np.median(abs(off), axis=0), (abs(off) < NEAR).mean(0)
    assert middle[0] <= median and within[0] >= share  # what was asked for
    assert abs(off[:, 0].mean()) < 0.02  # less than a frame is left of the lag
    known = MEASURED[name]
    assert (known.median, known.within) == pytest.approx((middle[0], within[0].round(2)), abs=1e-9)
    said = (
        f"{name.removeprefix('openai/')}`: half of the starts within {1000 * middle[0]:.0f} ms, "
        f"{within[0]:.0%} within 0.1 s (ends: {1000 * middle[1]:.0f} ms, {within[1]:.0%})"
    )
    assert said in README
    for lesson in (two_lenses.__doc__, cue_contribution.__doc__):
        assert f"{1 - within[0]:.0%} " in lesson
    timing = sessions.by_attention(load_model(name))
    assert f"within {1000 * middle[0]:.0f} ms" in timing and f"{within[0]:.0%} within 0.1 s" in timing


def test_french_starts_are_as_near_as_readme_and_page_say():
    off = []
    for key, (text, starts) in FRENCH.items():
        clip = load_clip(FOLDER / "cc-by-sa-3.0" / f"{key}.wav")
        found = {w.label: w.start for w in attended_words(clip, load_model(BASE), transcript=text, language="fr")}
        off += [found[word] - start for word, start in starts.items()]
    near = int((np.abs(off) < NEAR).sum())
    said = f"half within {1000 * np.median(np.abs(off)):.0f} ms, {near} within 0.1 s"
    assert len(off) == 12
    assert said in README
    assert said in ALIGNING.replace("\n", " ")


def test_nothing_promises_a_tenth_of_a_second_any_more():
    root = Path(__file__).parents[2]
    files = [root / "README.md", *(root / "methods").rglob("*.py"), *(root / "page").rglob("*.py")]
    pattern = re.compile(r"±\s*0[.,]1 s|about 0\.1 s for words|about 100 ms")
    assert [str(f.name) for f in files if pattern.search(f.read_text(encoding="utf-8"))] == []
