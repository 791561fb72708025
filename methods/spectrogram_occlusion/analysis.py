"""How spectrogram occlusion is computed: patches are hidden at random and the text is read again."""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from methods.core import models
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.explain.perturb import check_audible
from methods.core.explain.rereading import Rereader
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import Window
from methods.core.options import analysis
from methods.core.progress import TIME_LIMIT, Step, Steps, check_time
from methods.core.results import listed, provenance, read_only
from methods.core.speech.words import text_words
from methods.spectrogram_occlusion import masks as spectrogram_masks
from methods.spectrogram_occlusion.masks import Masks
from methods.spectrogram_occlusion.result import FEWEST_MASKS, MOST_MASKS, SpectrogramOcclusion, Twin
from methods.spectrogram_occlusion.superpixels import superpixels
from methods.spectrogram_occlusion.token_divergence import divergence, hidden_text
from methods.spectrogram_occlusion.trials import map_trial

Neutral = Literal["mean", "padding"]
FEWEST_PATCHES = 8
SENSE = {
    "masks": (FEWEST_MASKS, MOST_MASKS),
    "patches_per_second": (0.1, 1000),
    "share": (0.01, 0.99),
    "points": (1, 100),
    "random_maps": (0, 100),
    "time_limit": (0, math.inf),
}
FIRST_PICTURE = 16  # masks; its noise is told beside it, as the correlation of both halves
BETWEEN_PICTURES = 24  # masks from one partial result to the next


@analysis(SENSE)
def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    masks: int = 300,
    patches_per_second: Sequence[float] = (20.0, 40.0, 60.0),
    share: float = 0.5,
    neutral: Neutral = "mean",
    window: Window = "clip",
    seed: int = 0,
    points: int = 10,
    random_maps: int = 5,
    random_seeds: Sequence[int] = (0, 1, 2),
    time_limit: float = TIME_LIMIT,
) -> Steps[SpectrogramOcclusion]:
    """Where in the spectrogram is what each token rests on?

    `masks` are shared among the patch sizes; each hides every patch with probability `share` behind the clip's mean
    value or the one that digital silence has. `points` steps make up the deletion and insertion curves, for
    `random_maps` maps of chance too. Random weights get a third of the masks each. `segments` are words with their
    times, which are only shown. Raises UserError for a model without a decoder, a silent clip, too few masks, and
    where it would take longer than `time_limit` seconds.
    """
    _check(clip, model, patches_per_second)
    asked = _Asked(
        transcript=transcript, language=language, masks=masks, patches_per_second=tuple(patches_per_second),
        share=share, neutral=neutral, window=window, seed=seed, points=points, random_maps=random_maps,
        random_seeds=tuple(random_seeds), time_limit=time_limit,
    )  # fmt: skip
    yield Step(0.0, f"{model.id} reads the clip")
    text = models.transcribe(clip, model, text=transcript, language=language)
    _check_written(model, text.tokens)
    reader = Rereader(clip, model, text, window)
    result = yield from _masked(reader, _first_reading(reader, asked), asked, tuple(segments or ()))
    result = replace(result, text_impacts=hidden_text(reader))
    for number, twin_seed in enumerate(random_seeds):
        done = 0.6 + 0.1 * number / len(random_seeds)
        yield Step(done, f"random weights, seed {twin_seed}", partial=result)
        twin, rows = Rereader(clip, models.random_twin(model, twin_seed), text, window), []
        for batch in _impacts(twin, result.masks.first(max(FEWEST_MASKS, len(result.masks) // 3)), result.neutral):
            rows.append(batch)
            yield Step(done, f"random weights, seed {twin_seed}")
        result = replace(result, random=(*result.random, Twin(twin_seed, read_only(np.concatenate(rows)))))
    return (yield from _judged(result, reader, asked))


def _check_written(model: SpeechModel, tokens: Sequence[int]) -> None:
    if not tokens:
        raise UserError(
            f"{model.id} writes no word for this clip, so there is none to explain; give a transcript.",
            mend={"transcript": "…"},
        )


@dataclass(frozen=True)
class _Asked:
    """The options of `analyse` but the words."""

    transcript: str | None
    language: str | None
    masks: int
    patches_per_second: tuple[float, ...]
    share: float
    neutral: Neutral
    window: Window
    seed: int
    points: int
    random_maps: int
    random_seeds: tuple[int, ...]
    time_limit: float


def _check(clip: Clip, model: SpeechModel, patches_per_second: Sequence[float]) -> None:
    if not model.writes_text:
        raise UserError(f"{model.id} writes no text token by token, which this needs; choose a Whisper model.")
    check_audible(clip.samples)
    if not len(patches_per_second):
        raise UserError("No size of patches was chosen, so there is nothing to hide; give at least one.")


def _first_reading(reader: Rereader, asked: _Asked) -> str:
    """What the model writes; how long it takes, not counting waits for other runs, tells if all can be done."""
    start = time.thread_time()
    states = reader.unchanged  # read here for the first time, so that this is timed
    read = time.thread_time() - start
    heard = reader.texts(states)[0]
    written = time.thread_time() - start - read
    masks = asked.masks + len(asked.random_seeds) * max(FEWEST_MASKS, asked.masks // 3)
    judged = 2 * (asked.points + 1) * (3 + asked.random_maps)
    way = "ask for fewer masks or maps of chance, or choose the quick window, a smaller model or a shorter clip"
    what = f"{asked.masks} masks and all checks"
    check_time(masks * read + judged * (read + written), asked.time_limit, what, way)
    return heard


def _masked(reader: Rereader, heard: str, asked: _Asked, spoken: tuple[Segment, ...]) -> Steps[SpectrogramOcclusion]:
    """All masks, with a result that can be shown every few of them."""
    masks, rows, shown, result = _masks(reader, asked), [], 0, None
    neutral = float(reader.mel.numpy().mean()) if asked.neutral == "mean" else reader.quiet
    for batch in _impacts(reader, masks, neutral):
        rows.append(batch)
        done = sum(map(len, rows))
        if done - shown >= (BETWEEN_PICTURES if shown else FIRST_PICTURE) or done == len(masks):
            shown = done
            run = {"masks": masks.first(done), "neutral": neutral, "impacts": np.concatenate(rows)}
            result = _result(reader, heard, asked, spoken, **run)
        yield Step(0.6 * done / len(masks), f"mask {done} of {len(masks)}", partial=result)
    return result


def _masks(reader: Rereader, asked: _Asked) -> Masks:
    """The masks that are to come."""
    counts = [max(FEWEST_PATCHES, round(each * reader.clip.seconds)) for each in asked.patches_per_second]
    patches = np.stack([superpixels(reader.mel.numpy(), count) for count in counts])
    patches.flags.writeable = False
    return spectrogram_masks.drawn(patches, asked.masks, asked.share, asked.seed)


def _result(
    reader: Rereader,
    heard: str,
    asked: _Asked,
    spoken: tuple[Segment, ...],
    *,
    masks: Masks,
    neutral: float,
    impacts: np.ndarray,
) -> SpectrogramOcclusion:
    """The masks that have been run, what they paint with, and what they did."""
    text = reader.transcript
    words, first = text_words(text), len(text.prompt)
    said = listed(asked) | {"transcript": text.text, "language": text.language}
    origin = provenance(
        "spectrogram occlusion", reader.clip, reader.model, **said, transcript_given=text.given,
        segments=[[segment.label, segment.start, segment.end] for segment in spoken],
        seed_of_model=reader.model.seed, patches=[int(layout.max()) + 1 for layout in masks.patches],
    )  # fmt: skip
    return SpectrogramOcclusion(
        text=text.text,
        heard=heard,
        tokens=(*(piece.strip() or "·" for piece in text.token_texts), "(end)"),
        words=tuple(word.label for word in words),
        word_tokens=tuple(range(word.tokens.start - first, word.tokens.stop - first) for word in words),
        log_mel=read_only(reader.mel.numpy()),
        neutral=neutral,
        masks=masks,
        impacts=read_only(impacts),
        spoken=spoken,
        samples=read_only(reader.clip.samples, np.float32),
        filters=read_only(reader.model.front_end.mel_filters, np.float32),
        provenance=origin,
    )


@torch.inference_mode()
def _impacts(reader: Rereader, masks: Masks, neutral: float) -> Iterable[np.ndarray]:
    """Batch by batch, (masks, tokens + 1) divergence of each token's distribution from that of the whole clip."""
    whole = next(reader.log_probabilities(reader.unchanged)).double()
    for start in range(0, len(masks), reader.batch):
        numbers = range(start, min(start + reader.batch, len(masks)))
        hidden = torch.from_numpy(np.stack([masks.cells(number) for number in numbers]))
        states = reader.states(reader.mel.masked_fill(hidden, neutral))
        yield np.stack([divergence(whole, table) for table in reader.log_probabilities(states)])


# Is the map true?


def _judged(result: SpectrogramOcclusion, reader: Rereader, asked: _Asked) -> Steps[SpectrogramOcclusion]:
    """Deletion and insertion in the order of the sentence map, of loudness, and of maps of chance."""
    sizes, scores = len(result.masks.patches), result.scores()
    chance = [spectrogram_masks.shuffled(scores, sizes, seed) for seed in range(asked.random_maps)]
    maps = [result.map(), result.log_mel, *(spectrogram_masks.relevance(result.masks, dealt) for dealt in chance)]
    for number, values in enumerate(maps):
        name = ("the map's own order", "the loudest first")[number] if number < 2 else f"chance {number - 1}"
        yield Step(0.7 + 0.3 * number / len(maps), f"deletion and insertion: {name}", partial=result)
        trial = map_trial(reader, values, result.heard, result.neutral, asked.points)
        result = replace(result, trials=(*result.trials, trial))
    texts = []
    for step in range(asked.points + 1):
        yield Step(0.99, "what the model writes of the sounds that can be played", None if step else result)
        texts.append(reader.texts(reader.states(reader.mels([sound.samples for sound in result.sounds(step)]))))
    return replace(result, heard_sounds=tuple(tuple(text.strip() for text in pair) for pair in texts))
