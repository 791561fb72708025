"""How cue contribution is computed: how much the cue adds to the word that it decides."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from methods.core import mixing, models
from methods.core.audio import Clip
from methods.core.frames import Segment
from methods.core.mixing import STACKS, Passage
from methods.core.models.sites import Site, Stack
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import listed, read_only
from methods.cue_contribution import consequences
from methods.cue_contribution import cue as cues
from methods.cue_contribution.cue import CueAsked, CuePlace
from methods.cue_contribution.result import CueContribution
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
    draws: int = 39,
    draw_seed: int = 0,
    silenced: int = 5,
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Steps[CueContribution]:
    """How much of a target word comes from its cue, layer by layer, and what happens without the cue?

    `cue` and `target` are words (or several in a row) of the segments and of the text; an occurrence counts from 1.
    `alternative` is another spelling of the target, or several, `swapped` a cue to write instead. `prompt=False`
    divides a decoder row among the text alone: a cue that opens the text then gets everything, whatever the model
    does. `draw_seed` picks at most `draws` random stretches (all where there are fewer; it takes 19 to mark a share),
    and `silenced` others whose sound is silenced in the cue's stead, an encoder pass each. Without a decoder only the
    encoder's part is made. Raises UserError where a word is absent or ambiguous, a spelling blank, or the cue does not
    come first.
    """
    asked = CueAsked(
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
    yield from mixing.heard(clip, model, Step(0.0, f"{model.id}, trained weights"))
    passage = mixing.passage(clip, model, segments=segments, transcript=transcript, language=language)
    return (yield from _measured(passage, cues.find_place(passage, asked), asked))


def _measured(passage: Passage, place: CuePlace, asked: CueAsked) -> Steps[CueContribution]:
    """The trained shares first, then all that they are compared with."""
    yield Step(0.1, f"{passage.model.id}, trained weights")
    result = _measure(passage, place, asked)
    result = yield from within(_with_stretches(result, passage, place, asked), 0.15, 0.3, result)
    found = yield from within(consequences.measured(passage, place, asked), 0.3, 0.5, result)
    result, seeds = replace(result, **found), asked.random_seeds
    for number, seed in enumerate(seeds):
        step = Step(0.5 + 0.5 * number / len(seeds), f"random weights, seed {seed}", result)
        twin = yield from mixing.twin(passage, seed, step)
        result = replace(result, random=(*result.random, _measure(twin, place, asked)))
    return result


def _measure(passage: Passage, place: CuePlace, asked: CueAsked) -> CueContribution:
    """The cue's shares, and as yet nothing to compare them with."""
    shares = dict.fromkeys(STACKS) | {stack: _shares(passage, place, stack, asked) for stack in asked.stacks}
    return CueContribution(
        **shares,
        **{f"{stack}_null": None for stack in STACKS},
        null_places=(),
        cue=asked.cue,
        target=asked.target,
        cue_seconds=consequences.seconds(passage, place.cue),
        target_seconds=consequences.seconds(passage, place.target),
        words=len(passage.segments),
        **consequences.NONE,
        provenance=mixing.origin("cue contribution", passage, listed(asked)),
    )


@torch.inference_mode()
def _shares(passage: Passage, place: CuePlace, stack: Stack, asked: CueAsked) -> np.ndarray:
    """(3, layers) shares from the cue."""
    rows, columns, cue, _ = _positions(passage, place, stack, asked.prompt)
    maps = (cues.score_maps(site, rows, columns) for site in passage.sites(stack))
    return read_only(np.stack([cues.cue_contribution(words, range(len(rows)), cue) for words in maps], 1))


def _with_stretches(
    result: CueContribution, passage: Passage, place: CuePlace, asked: CueAsked
) -> Steps[CueContribution]:
    """The result with the shares of random stretches, a layer at a time."""
    for number, stack in enumerate(asked.stacks):
        rows, columns, cue, target = _positions(passage, place, stack, asked.prompt)
        end = columns[-1].stop if stack == "decoder" else models.frame_grid(passage.clip, passage.model).frames
        # A causal row cannot read what comes later, so a decoder's runs of tokens end before the target.
        last = target.start if stack == "decoder" else end
        # The prompt is no text: its first token is a sink of attention that no word can be compared with.
        first = len(passage.transcript.prompt) if stack == "decoder" else 0
        drawn = random_stretches([columns[index] for index in cue], target, last, asked.draws, asked.draw_seed, first)
        null = []
        for layer, site in enumerate(passage.sites(stack), start=1):
            yield Step(number / len(asked.stacks), f"random stretches, {stack}, layer {layer}")
            null.append(_drawn_shares(site, rows, columns, cue, drawn))
        places = (*result.null_places, (stack, drawn.where))
        result = replace(result, **{f"{stack}_null": read_only(np.stack(null, 1))}, null_places=places)
    return result


@torch.inference_mode()
def _drawn_shares(site: Site, rows: list[range], columns: list[range], cue: range, drawn: Stretches) -> np.ndarray:
    """(3, places) shares of random stretches in one layer."""
    maps = cues.score_maps(site, rows, [*columns, *(span for moved in drawn.places for span in moved)])
    words, stretches = maps[..., : len(columns)], maps[..., len(columns) :]
    sums = stretches.reshape(*maps.shape[:2], len(drawn.places), len(cue)).sum(-1)  # (3, rows, places)
    return (sums / words.sum(-1, keepdims=True)).mean(1)


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
