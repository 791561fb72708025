"""A cue, a target, and what passes between them: words found in text and sound, shares, random spans, spellings.

A target is a word whose spelling depends on another word that comes before it, the cue: in “votre message” nothing
but “votre” says that “message” is written without an s. Everything here works on words that have been found already
(`find_words`), on any map of context mixing, and on the probability that a decoder gives to a spelling.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from methods.core import models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.mixing import Passage, norms
from methods.core.mixing.zeroing import site_distances
from methods.core.models import whisper
from methods.core.models.sites import Site, Stack
from methods.core.models.speech_model import SpeechModel
from methods.core.speech.words import bare_word, find_words, plain_word, text_words
from methods.cue_contribution.stretches import nearest_stretches

SCORES = ("attention", "norm", "value zeroing")


@dataclass(frozen=True)
class Pair:
    """A bundled clip in which a cue decides how a target is spelled."""

    clip: str  # the clip's name in links
    transcript: str  # what is said
    cue: str
    target: str
    alternative: str  # the same sound, spelled otherwise
    swapped: str | None  # a cue that asks for the other spelling
    language: str = "fr"


# “Composez votre mot de passe” begins with its target, so no cue comes before it: the pair's own clip is “Veuillez
# composer”, and there is no other cue of the same sound to swap in.
PAIRS: tuple[Pair, ...] = (
    Pair("fr_f_votre_message", "Votre message a été sauvegardé.", "Votre", "message", "messages", "Vos"),
    Pair("fr_f_vos_messages", "Pour écouter vos messages, appuyez sur un.", "vos", "messages", "message", "votre"),
    Pair("fr_f_composer", "Veuillez composer votre nouveau mot de passe, suivi du dièse.", "Veuillez", "composer",
         "composez", None),
    Pair("fr_f_votre_appel", "Votre appel sera le prochain à être traité.", "Votre", "appel", "appels", "Vos"),
    Pair("fr_f_les_appels", "Le numéro que vous tentez de joindre n'accepte pas les appels inconnus.", "les", "appels",
         "appel", "le"),
)  # fmt: skip

# Words that sound alike in English and are told apart by what stands around them.
HOMOPHONES: tuple[tuple[str, ...], ...] = (
    ("there", "their", "they're"), ("to", "two", "too"), ("its", "it's"), ("see", "sea"), ("four", "for"),
    ("your", "you're"), ("one", "won"), ("here", "hear"), ("our", "hour"), ("know", "no"), ("write", "right"),
    ("by", "buy", "bye"), ("be", "bee"), ("weather", "whether"), ("whose", "who's"), ("eight", "ate"),
)  # fmt: skip


def check_order(cue: range, target: range, cue_name: str, target_name: str) -> None:
    """Raise UserError unless the cue ends before the target begins."""
    if cue.stop > target.start:
        raise UserError(
            f"The cue “{cue_name}” does not end before the target “{target_name}” begins. A decoder cannot read what "
            "comes later, so choose a cue that comes first, or another occurrence.",
            mend={"cue": "…", "cue_occurrence": "…"},
        )


@dataclass(frozen=True)
class CuePlace:
    """Where cue and target are: indices of segments, and decoder positions where there is a decoder."""

    cue: range  # of the segments
    target: range
    cue_tokens: range | None
    target_tokens: range | None


@dataclass(frozen=True)
class CueAsked:
    """The options of cue contribution; see `cue_contribution.analyse`."""

    cue: str
    target: str
    alternative: str | Sequence[str] | None
    swapped: str | None
    cue_occurrence: int | None
    target_occurrence: int | None
    prompt: bool
    draws: int
    draw_seed: int
    silenced: int
    stacks: tuple[Stack, ...]
    random_seeds: tuple[int, ...]

    @property
    def others(self) -> Sequence[str]:
        """The other spellings, however they were given."""
        return [self.alternative] if isinstance(self.alternative, str) else self.alternative or ()


def find_place(passage: Passage, asked: CueAsked) -> CuePlace:
    """Cue and target among the segments and among the words of the text;

    Raises UserError where one is absent or ambiguous, or the cue does not come first.
    """
    spoken = _both([segment.label for segment in passage.segments], asked)
    if passage.transcript is None:
        return CuePlace(*spoken, None, None)
    words = text_words(passage.transcript)
    written = [words[found.start : found.stop] for found in _both([word.label for word in words], asked)]
    tokens = [range(found[0].tokens.start, found[-1].tokens.stop) for found in written]
    return CuePlace(*spoken, *tokens)


def _both(labels: list[str], asked: CueAsked) -> list[range]:
    wanted = (("cue", asked.cue, asked.cue_occurrence), ("target", asked.target, asked.target_occurrence))
    found = [find_words(labels, word, role, occurrence) for role, word, occurrence in wanted]
    check_order(*found, asked.cue, asked.target)
    return found


def cue_contribution(maps: np.ndarray, rows: Sequence[int], cue: Sequence[int]) -> np.ndarray:
    """(…,) mean over the target's rows of the share that comes from the cue's columns; maps (…, rows, columns).

    Each row is divided by its own sum first, so its scale does not matter; NaN where a row is all zero.
    """
    chosen = np.asarray(maps, dtype=np.float64)[..., list(rows), :]
    total = chosen.sum(-1)
    part = chosen[..., list(cue)].sum(-1)
    return np.divide(part, total, out=np.full_like(part, np.nan), where=total > 0).mean(-1)


def score_maps(site: Site, rows: Sequence[range], columns: Sequence[range]) -> np.ndarray:
    """(3, rows, columns) attention, norm and value zeroing between groups of positions, in the order of `SCORES`.

    Attention and norms are means over a column's positions (Mohebbi's word maps), so that only value zeroing grows
    with the length of a word. Columns may overlap: random stretches stand beside the words.
    """
    weights = site.weights()
    read = norms.averaged(weights, rows).mean(0)  # (rows, keys)
    attention = torch.stack([read[:, group.start : group.stop].mean(-1) for group in columns], -1).numpy()
    used = torch.tensor(sorted({index for group in rows for index in group}))
    place = {int(index): number for number, index in enumerate(used)}
    keys = slice(min(group.start for group in columns), max(group.stop for group in columns))
    parts = site.contributions(keys).double()
    length = norms.summed_norms(weights[:, used, keys].double(), norms.gram(parts)).numpy()
    norm = np.array(
        [
            [length[np.ix_([place[i] for i in row], np.array(group) - keys.start)].mean() for group in columns]
            for row in rows
        ]
    )
    return np.stack([attention, norm, site_distances(site, rows, columns)])


def silenced(clip: Clip, start: float, end: float) -> Clip:
    """The clip with digital zeros from `start` to `end` (s), put there before any front end.

    Whisper's log-mel is clamped 8 (log10 units, 80 dB) under the clip's own maximum: silencing its loudest stretch
    lowers that floor in every frame. wav2vec 2.0's processor divides by the clip's spread, which changes likewise.
    """
    samples = clip.samples.copy()
    samples[round(start * 16_000) : round(end * 16_000)] = 0.0
    return Clip(samples, f"{clip.name}, {start:.2f} to {end:.2f} s silenced", clip.notes)


@torch.inference_mode()
def encoder_output(clip: Clip, model: SpeechModel) -> torch.Tensor:
    """What the decoder reads of a changed clip; not kept, unlike `models.encoder_states`."""
    with model.lock:
        own = models.frame_grid(clip, model).frames
        return models.family_of(model).encode(model, clip.samples, own).output


def with_cue(before: tuple[int, ...], place: CuePlace, tokens: Sequence[int]) -> tuple[int, ...]:
    """The ids before the target with other tokens in the cue's place."""
    return (*before[: place.cue_tokens.start], *tokens, *before[place.cue_tokens.stop :])


def replaced_elsewhere(
    before: tuple[int, ...], place: CuePlace, first: int, token: int, most: int
) -> tuple[list[tuple[int, ...]], int]:
    """The ids before the target with other runs of text, from `first` on and as long as the cue, replaced instead.

    At most `most` of them; none where the cue is all the text there is. The second value says how many of the runs
    overlap no other.
    """
    found = nearest_stretches([place.cue_tokens], len(before), most, first)
    runs = [moved[0] for moved in found.places]
    return [(*before[: run.start], *(token,) * len(run), *before[run.stop :]) for run in runs], found.distinct


def check_spelling(role: str, spelling: str) -> None:
    """Raise UserError for a spelling without a letter, which would be scored as if nothing were written."""
    if not bare_word(spelling):
        raise UserError(f"The {role} is blank, so there is nothing to write; give a word, or leave it out.")


def spelled(model: SpeechModel, word: str) -> tuple[int, ...]:
    """The token ids of a word inside a text, its leading space included."""
    return whisper.spelled(model, word)


@dataclass(frozen=True)
class Homophone:
    """A word of an English text that could be spelled otherwise."""

    word: str
    position: int  # among the words of the text, from 0
    spellings: tuple[str, ...]  # the text's own first


def find_homophones(text: str) -> tuple[Homophone, ...]:
    """Which words of an English text sound like another word of our list?"""
    found = []
    for position, word in enumerate(re.findall(r"\S+", text)):
        plain = plain_word(word)
        group = next((group for group in HOMOPHONES if plain in group), None)
        if group is not None:
            others = tuple(_cased(other, bare_word(word)) for other in group if other != plain)
            found.append(Homophone(bare_word(word), position, (bare_word(word), *others)))
    return tuple(found)


def _cased(word: str, like: str) -> str:
    return word[:1].upper() + word[1:] if like[:1].isupper() else word
