"""How spectrogram occlusion is computed: patches are hidden at random and the text is read again."""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

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
from methods.core.options import check_options
from methods.core.progress import TIME_LIMIT, Step, Steps, check_time, finish
from methods.core.results import provenance, read_only
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
BETWEEN_PICTURES = 24  # masks from one partial result to the next


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
) -> SpectrogramOcclusion:
    """Where in the spectrogram is what each token rests on?

    `masks` are shared among the patch sizes; each hides every patch with probability `share` behind the clip's mean
    value or the one that digital silence has. `points` steps make up the deletion and insertion curves, for
    `random_maps` maps of chance too. Random weights get a third of the masks each. `segments` are words with their
    times, which are only shown. Raises UserError for a model without a decoder, a silent clip, too few masks, and
    where it would take longer than `time_limit` seconds.
    """
    options = {
        "segments": segments,
        "transcript": transcript,
        "language": language,
        "masks": masks,
        "share": share,
        "neutral": neutral,
    }
    options |= {"patches_per_second": list(patches_per_second), "window": window, "seed": seed, "points": points}
    options |= {"random_maps": random_maps, "random_seeds": list(random_seeds), "time_limit": time_limit}
    return finish(analyse_in_steps(clip, model, **options))


def analyse_in_steps(clip: Clip, model: SpeechModel, **options: Any) -> Steps[SpectrogramOcclusion]:
    """`analyse`, with a partial result every few masks, for a page that shows progress and can stop."""
    options = {name: options.get(name, default) for name, default in analyse.__kwdefaults__.items()}
    check_options(analyse, options, SENSE)
    _check(clip, model, options)
    yield Step(0.0, f"{model.id} reads the clip")
    text = models.transcribe(clip, model, text=options["transcript"], language=options["language"])
    if not text.tokens:
        raise UserError(f"{model.id} writes no word for this clip, so there is none to explain; give a transcript.")
    reader = Rereader(clip, model, text, options["window"])
    heard = _first_reading(reader, options)
    result = yield from _masked(_empty(reader, heard, options), reader)
    result = replace(result, text_impacts=hidden_text(reader))
    for number, seed in enumerate(options["random_seeds"]):
        done = 0.6 + 0.1 * number / len(options["random_seeds"])
        yield Step(done, f"random weights, seed {seed}", partial=result)
        twin, rows = Rereader(clip, models.random_twin(model, seed), text, options["window"]), []
        for batch in _impacts(twin, result.masks.first(max(FEWEST_MASKS, len(result.masks) // 3)), result.neutral):
            rows.append(batch)
            yield Step(done, f"random weights, seed {seed}")
        result = replace(result, random=(*result.random, Twin(seed, read_only(np.concatenate(rows)))))
    return (yield from _judged(result, reader))


def _check(clip: Clip, model: SpeechModel, options: dict[str, Any]) -> None:
    if not model.writes_text:
        raise UserError(f"{model.id} writes no text token by token, which this needs; choose a Whisper model.")
    check_audible(clip.samples)
    if not options["patches_per_second"]:
        raise UserError("No size of patches was chosen, so there is nothing to hide; give at least one.")


def _first_reading(reader: Rereader, options: dict[str, Any]) -> str:
    """What the model writes; how long it takes, not counting waits for other runs, tells if all can be done."""
    start = time.thread_time()
    states = reader.states(reader.mel[None])
    read = time.thread_time() - start
    heard = reader.texts(states)[0]
    written = time.thread_time() - start - read
    masks = options["masks"] + len(options["random_seeds"]) * max(FEWEST_MASKS, options["masks"] // 3)
    judged = 2 * (options["points"] + 1) * (3 + options["random_maps"])
    way = "ask for fewer masks or maps of chance, or choose the quick window, a smaller model or a shorter clip"
    what = f"{options['masks']} masks and all checks"
    check_time(masks * read + judged * (read + written), options["time_limit"], what, way)
    return heard


def _empty(reader: Rereader, heard: str, options: dict[str, Any]) -> SpectrogramOcclusion:
    """The result before the first mask: the masks that are to come are drawn here."""
    text, mel = reader.transcript, reader.mel.numpy()
    counts = [max(FEWEST_PATCHES, round(each * reader.clip.seconds)) for each in options["patches_per_second"]]
    patches = np.stack([superpixels(mel, count) for count in counts])
    patches.flags.writeable = False
    first = len(text.prompt)
    words = text_words(text)
    spoken = tuple(options["segments"] or ())
    said = {"transcript": text.text, "transcript_given": text.given, "language": text.language}
    said["segments"] = [[segment.label, segment.start, segment.end] for segment in spoken]
    return SpectrogramOcclusion(
        text=text.text,
        heard=heard,
        tokens=(*(piece.strip() or "·" for piece in text.token_texts), "(end)"),
        words=tuple(word.label for word in words),
        word_tokens=tuple(range(word.tokens.start - first, word.tokens.stop - first) for word in words),
        log_mel=read_only(mel),
        neutral=float(mel.mean()) if options["neutral"] == "mean" else reader.quiet,
        masks=spectrogram_masks.drawn(patches, options["masks"], options["share"], options["seed"]),
        impacts=read_only(np.zeros((0, len(text.tokens) + 1))),
        text_impacts=read_only(np.zeros((0, len(text.tokens)))),
        random=(),
        spoken=spoken,
        trials=(),
        heard_sounds=(),
        samples=read_only(reader.clip.samples, np.float32),
        filters=read_only(reader.model.front_end.mel_filters, np.float32),
        provenance=provenance("spectrogram occlusion", reader.clip, reader.model, seed_of_model=reader.model.seed,
                              patches=[int(layout.max()) + 1 for layout in patches], **{**options, **said}),
    )  # fmt: skip


def _masked(empty: SpectrogramOcclusion, reader: Rereader) -> Steps[SpectrogramOcclusion]:
    """All masks, with a result that can be shown every few of them."""
    masks, rows, shown, result = empty.masks, [], 0, empty
    for batch in _impacts(reader, masks, empty.neutral):
        rows.append(batch)
        done = sum(map(len, rows))
        if done - shown >= BETWEEN_PICTURES or done == len(masks):
            shown, impacts = done, read_only(np.concatenate(rows))
            result = replace(empty, masks=masks.first(done), impacts=impacts)
        partial = result if len(result.impacts) else None
        yield Step(0.6 * done / len(masks), f"mask {done} of {len(masks)}", partial=partial)
    return result


@torch.inference_mode()
def _impacts(reader: Rereader, masks: Masks, neutral: float) -> Iterable[np.ndarray]:
    """Batch by batch, (masks, tokens + 1) divergence of each token's distribution from that of the whole clip."""
    whole = next(reader.log_probabilities(reader.states(reader.mel[None]))).double()
    for start in range(0, len(masks), reader.batch):
        numbers = range(start, min(start + reader.batch, len(masks)))
        hidden = torch.from_numpy(np.stack([masks.cells(number) for number in numbers]))
        states = reader.states(reader.mel.masked_fill(hidden, neutral))
        yield np.stack([divergence(whole, table) for table in reader.log_probabilities(states)])


# Is the map true?


def _judged(result: SpectrogramOcclusion, reader: Rereader) -> Steps[SpectrogramOcclusion]:
    """Deletion and insertion in the order of the sentence map, of loudness, and of maps of chance."""
    options, sizes, scores = result.provenance["options"], len(result.masks.patches), result.scores()
    chance = [spectrogram_masks.shuffled(scores, sizes, seed) for seed in range(options["random_maps"])]
    maps = [result.map(), result.log_mel, *(spectrogram_masks.relevance(result.masks, dealt) for dealt in chance)]
    for number, values in enumerate(maps):
        name = ("the map's own order", "the loudest first")[number] if number < 2 else f"chance {number - 1}"
        yield Step(0.7 + 0.3 * number / len(maps), f"deletion and insertion: {name}", partial=result)
        trial = map_trial(reader, values, result.heard, result.neutral, options["points"])
        result = replace(result, trials=(*result.trials, trial))
    texts = []
    for step in range(options["points"] + 1):
        yield Step(0.99, "what the model writes of the sounds that can be played", None if step else result)
        texts.append(reader.texts(reader.states(reader.mels([sound.samples for sound in result.sounds(step)]))))
    return replace(result, heard_sounds=tuple(tuple(text.strip() for text in pair) for pair in texts))
