"""Does the answer change without its cue? The target's probability when the cue is silenced, replaced or swapped."""

import numpy as np

from methods.core import models
from methods.core.mixing import Passage
from methods.core.progress import Step, Steps
from methods.core.results import read_only
from methods.cue_contribution import cue as cues
from methods.cue_contribution.cue import CueAsked, CuePlace
from methods.cue_contribution.spelling import SpellingScorer
from methods.cue_contribution.stretches import random_stretches

MOST_REPLACED = 20  # other runs of text that are replaced, a decoder pass each
Found = dict[str, tuple[str, ...] | tuple[int, int] | np.ndarray | None]  # fields of the result
NONE: Found = {
    "conditions": (),
    "spellings": (),
    **dict.fromkeys(("logprobs", "probabilities", "silenced_null", "replaced_null", "apart")),
}


def seconds(passage: Passage, found: range) -> tuple[float, float]:
    """Start and end of some segments, s."""
    return passage.segments[found.start].start, passage.segments[found.stop - 1].end


def measured(passage: Passage, place: CuePlace, asked: CueAsked) -> Steps[Found]:
    """Probabilities of the target's spellings under each condition, for a model that writes text."""
    if passage.transcript is None or not passage.model.trained:
        return NONE
    model, ids, clip = passage.model, passage.transcript.ids, passage.clip
    before, neutral = ids[: place.target_tokens.start], model.decoding.end
    blank = cues.with_cue(before, place, (neutral,) * len(place.cue_tokens))
    yield Step(0.0, "the cue silenced")
    sound = SpellingScorer(model, models.encoder_states(clip, model).output)
    quiet = SpellingScorer(model, cues.encoder_output(cues.silenced(clip, *seconds(passage, place.cue)), model))
    replacing = f"cue replaced by {model.tokenizer.convert_ids_to_tokens(neutral)} in the text"
    cases = {"as it is": (sound, before), "cue silenced in the sound": (quiet, before)}
    cases |= {replacing: (sound, blank), "both": (quiet, blank)}
    if asked.swapped:
        changed = cues.with_cue(before, place, cues.spelled(model, asked.swapped))
        cases[f"cue swapped for “{asked.swapped}” in the text"] = (sound, changed)
    spellings = {asked.target: ids[place.target_tokens.start : place.target_tokens.stop]}
    spellings |= {other: cues.spelled(model, other) for other in asked.others}
    yield Step(0.1, "how likely each spelling is")
    table = [[heard.spelled(ids, tokens) for tokens in spellings.values()] for heard, ids in cases.values()]
    elsewhere, texts_apart = cues.replaced_elsewhere(
        before, place, len(passage.transcript.prompt), neutral, min(asked.draws, MOST_REPLACED)
    )
    replaced = []
    for text in elsewhere:
        yield Step(0.2, "other text replaced")
        replaced.append([sound.spelled(text, tokens)[1] for tokens in spellings.values()])
    quiet_null = yield from _silenced_elsewhere(passage, place, asked, before, list(spellings.values()))
    return {
        "conditions": tuple(cases),
        "spellings": tuple(spellings),
        "logprobs": read_only([[total for total, _ in row] for row in table]),
        "probabilities": read_only([[mean for _, mean in row] for row in table]),
        "silenced_null": read_only(quiet_null),
        "replaced_null": read_only(np.array(replaced).reshape(len(replaced), len(spellings))),
        "apart": (len(quiet_null), texts_apart),
    }


def _silenced_elsewhere(
    passage: Passage, place: CuePlace, asked: CueAsked, before: tuple[int, ...], spellings: list[tuple[int, ...]]
) -> Steps[np.ndarray]:
    """(places, spellings) the spellings' probability when other stretches, as long as the cue, are silenced."""
    grid = models.frame_grid(passage.clip, passage.model)
    start, end = (round(time / grid.step) for time in seconds(passage, place.cue))
    target = range(*(round(time / grid.step) for time in seconds(passage, place.target)))
    span = [range(start, max(end, start + 1))]
    drawn = random_stretches(span, target, grid.frames, asked.silenced, asked.draw_seed)
    found = []
    for number, (moved,) in enumerate(drawn.places):
        yield Step(0.3 + 0.7 * number / len(drawn.places), f"other sound silenced, {number + 1}")
        quiet = cues.silenced(passage.clip, moved.start * grid.step, moved.stop * grid.step)
        heard = SpellingScorer(passage.model, cues.encoder_output(quiet, passage.model))
        found.append([heard.spelled(before, tokens)[1] for tokens in spellings])
    return np.array(found).reshape(len(found), len(spellings))
