"""How cue contribution is computed: how much the cue adds to the word that it decides."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from methods.core import mixing, models
from methods.core.audio import Clip
from methods.core.frames import Segment
from methods.core.mixing import STACKS, Passage
from methods.core.models.sites import Stack
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Steps
from methods.core.results import listed, read_only
from methods.cue_contribution import cue as cues
from methods.cue_contribution.cue import Asked, CuePlace
from methods.cue_contribution.result import CueContribution
from methods.cue_contribution.spelling import Listener
from methods.cue_contribution.stretches import Stretches, random_stretches

SENSE = {"draws": (0, 1000), "silenced": (0, 100), "cue_occurrence": (1, math.inf), "target_occurrence": (1, math.inf)}


@analysis(SENSE)
def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    cue: str,
    target: str,
    alternative: str | Sequence[str] | None = None,
    swapped: str | None = None,
    cue_occurrence: int | None = None,
    target_occurrence: int | None = None,
    segments: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    stacks: Sequence[Stack] = STACKS,
    prompt: bool = True,
    draws: int = 20,
    draw_seed: int = 0,
    silenced: int = 5,
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Steps[CueContribution]:
    """How much of a target word comes from its cue, layer by layer, and what happens without the cue?

    `cue` and `target` are words (or several in a row) of the segments and of the text; an occurrence counts from 1.
    `alternative` is another spelling of the target, or several, `swapped` a cue to write instead. `prompt=False`
    divides a decoder row among the text alone: a cue that opens the text then gets everything, whatever the model
    does. `draw_seed` picks at most `draws` random stretches (all where there are fewer), and `silenced` others whose
    sound is silenced in the cue's stead, an encoder pass each. Without a decoder only the encoder's part is made.
    Raises UserError where a word is absent or ambiguous, a spelling blank, or the cue does not come first.
    """
    asked = Asked(
        cue=cue,
        target=target,
        alternative=alternative,
        swapped=swapped,
        cue_occurrence=cue_occurrence,
        target_occurrence=target_occurrence,
        prompt=prompt,
        draws=draws,
        draw_seed=draw_seed,
        silenced=silenced,
        stacks=mixing.possible_stacks(model, stacks or STACKS),
        random_seeds=tuple(random_seeds),
    )
    for role, word in (*(("alternative", other) for other in asked.others), ("swapped cue", swapped)):
        if word is not None:
            cues.check_spelling(role, word)
    passage = mixing.passage(clip, model, segments=segments, transcript=transcript, language=language)
    place = cues.find_place(passage, asked)
    return (yield from mixing.with_controls(passage, asked.random_seeds, lambda one: _measure(one, place, asked)))


def _measure(passage: Passage, place: CuePlace, asked: Asked) -> CueContribution:
    fields: dict[str, np.ndarray | None] = {name: None for stack in STACKS for name in (stack, f"{stack}_null")}
    drawn = {}
    for stack in asked.stacks:
        shares, null, drawn[stack] = _stack_shares(passage, place, stack, asked)
        fields[stack], fields[f"{stack}_null"] = read_only(shares), read_only(null)
    seconds = {name: _seconds(passage, found) for name, found in (("cue", place.cue), ("target", place.target))}
    return CueContribution(
        **fields,
        null_places=tuple((stack, found.where) for stack, found in drawn.items()),
        null_distinct=read_only([found.distinct for found in drawn.values()], np.int64),
        cue=asked.cue,
        target=asked.target,
        cue_seconds=seconds["cue"],
        target_seconds=seconds["target"],
        words=len(passage.segments),
        **_consequences(passage, place, asked),
        provenance=mixing.origin("cue contribution", passage, listed(asked)),
    )


def _seconds(passage: Passage, found: range) -> tuple[float, float]:
    return passage.segments[found.start].start, passage.segments[found.stop - 1].end


@torch.inference_mode()
def _stack_shares(
    passage: Passage, place: CuePlace, stack: Stack, asked: Asked
) -> tuple[np.ndarray, np.ndarray, Stretches]:
    """(3, layers) shares from the cue, (3, layers, draws) from random stretches, and those stretches."""
    rows, columns, cue, target = _positions(passage, place, stack, asked.prompt)
    end = columns[-1].stop if stack == "decoder" else models.frame_grid(passage.clip, passage.model).frames
    # A causal row cannot read what comes later, so a decoder's runs of tokens end before the target or do not exist.
    last = target.start if stack == "decoder" else end
    # The prompt is no text: its first token is a sink of attention that no word can be compared with.
    first = len(passage.transcript.prompt) if stack == "decoder" else 0
    spans = [columns[index] for index in cue]
    drawn = random_stretches(spans, target, last, asked.draws, asked.draw_seed, first)
    every = [*columns, *(span for moved in drawn.places for span in moved)]
    shares, null = [], []
    for site in passage.sites(stack):
        maps = cues.score_maps(site, rows, every)
        words, stretches = maps[..., : len(columns)], maps[..., len(columns) :]
        shares.append(cues.cue_contribution(words, range(len(rows)), cue))
        sums = stretches.reshape(*maps.shape[:2], len(drawn.places), len(spans)).sum(-1)  # (3, rows, draws)
        null.append((sums / words.sum(-1, keepdims=True)).mean(1))
    return np.stack(shares, 1), np.stack(null, 1), drawn


def _positions(
    passage: Passage, place: CuePlace, stack: Stack, prompt: bool
) -> tuple[list[range], list[range], range, range]:
    """Rows of the target, all columns, the cue's places among the columns, and the positions of the target.

    The state that reads one token writes the next: the target's rows in the decoder are those just before its tokens.
    """
    spans = list(passage.spans)
    if stack == "encoder":
        rows = [spans[index] for index in place.target]
    else:
        rows = [range(token - 1, token) for token in place.target_tokens]
    if stack == "decoder":
        first = 0 if prompt else len(passage.transcript.prompt)
        columns = [range(token, token + 1) for token in range(first, len(passage.transcript.ids))]
        return rows, columns, range(place.cue_tokens.start - first, place.cue_tokens.stop - first), place.target_tokens
    found = range(spans[place.target.start].start, spans[place.target.stop - 1].stop)
    return rows, spans, place.cue, found


def _consequences(passage: Passage, place: CuePlace, asked: Asked) -> dict[str, tuple[str, ...] | np.ndarray | None]:
    """Probabilities of the target's spellings under each condition, for a trained model that writes text."""
    nothing = dict.fromkeys(("logprobs", "probabilities", "silenced_null", "replaced_null", "apart"))
    if passage.transcript is None or not passage.model.trained:
        return {"conditions": (), "spellings": (), **nothing}
    model, ids, clip = passage.model, passage.transcript.ids, passage.clip
    before, neutral = ids[: place.target_tokens.start], model.decoding.end
    blank = cues.with_cue(before, place, (neutral,) * len(place.cue_tokens))
    sound = Listener(model, models.encoder_states(clip, model).output)
    silence = cues.silenced(clip, *_seconds(passage, place.cue))
    quiet = Listener(model, cues.encoder_output(silence, model))
    token = model.tokenizer.convert_ids_to_tokens(neutral)
    cases = {
        "as it is": (sound, before),
        "cue silenced in the sound": (quiet, before),
        f"cue replaced by {token} in the text": (sound, blank),
        "both": (quiet, blank),
    }
    if asked.swapped:
        changed = cues.with_cue(before, place, cues.spelled(model, asked.swapped))
        cases[f"cue swapped for “{asked.swapped}” in the text"] = (sound, changed)
    spellings = {asked.target: ids[place.target_tokens.start : place.target_tokens.stop]}
    spellings |= {other: cues.spelled(model, other) for other in asked.others}
    table = [[heard.spelled(ids, tokens) for tokens in spellings.values()] for heard, ids in cases.values()]
    first, draws = len(passage.transcript.prompt), asked.draws
    elsewhere, texts_apart = cues.replaced_elsewhere(before, place, first, neutral, draws)
    replaced = [[sound.spelled(ids, tokens)[1] for tokens in spellings.values()] for ids in elsewhere]
    quiet_null, sounds_apart = _silenced_elsewhere(passage, place, asked, before, list(spellings.values()))
    return {
        "conditions": tuple(cases),
        "spellings": tuple(spellings),
        "logprobs": read_only([[total for total, _ in row] for row in table]),
        "probabilities": read_only([[mean for _, mean in row] for row in table]),
        "silenced_null": read_only(quiet_null),
        "replaced_null": read_only(np.array(replaced).reshape(len(replaced), len(spellings))),
        "apart": (sounds_apart, texts_apart),
    }


def _silenced_elsewhere(
    passage: Passage, place: CuePlace, asked: Asked, before: tuple[int, ...], spellings: list[tuple[int, ...]]
) -> tuple[np.ndarray, int]:
    """(draws, spellings) the spellings' probability when other stretches, as long as the cue, are silenced.

    And how many of these overlap no other.
    """
    grid = models.frame_grid(passage.clip, passage.model)
    start, end = (round(time / grid.step) for time in _seconds(passage, place.cue))
    target = range(*(round(time / grid.step) for time in _seconds(passage, place.target)))
    span = [range(start, max(end, start + 1))]
    drawn = random_stretches(span, target, grid.frames, asked.silenced, asked.draw_seed)
    found = []
    for (moved,) in drawn.places:
        quiet = cues.silenced(passage.clip, moved.start * grid.step, moved.stop * grid.step)
        heard = Listener(passage.model, cues.encoder_output(quiet, passage.model))
        found.append([heard.spelled(before, tokens)[1] for tokens in spellings])
    return np.array(found).reshape(len(found), len(spellings)), drawn.distinct
