"""**Which patches of the spectrogram does each written word rest on?**

The spectrogram that Whisper reads is cut into small patches that follow its own edges, at three sizes. Again and
again about half of the patches are painted over with a neutral value, and the decoder is made to read its own
transcript once more. How far its next-token distribution moves away at each token (Kullback-Leibler divergence, in
nats) is the harm that this mask did. A cell's relevance for a token is the mean harm of the masks that hid it.

*How to read it.* Relevance is in standard deviations of the harm: 0 is an average cell, red is above it.
Look first at the **split-half correlation**: two maps made from half of the masks each must agree far
better than maps of chance, or the picture is noise and wants more masks. The curves say whether the map is true: take
its best cells away and the text should break sooner than with random cells or with the loudest ones. **Random
weights**: a map that correlates as much with an untrained network's map shows the sound rather than the model.
**Size** is the share of the picture that is relevant: smaller than chance's is sharp, whether or not it is true.

*What you hear.* A masked spectrogram is no sound. The players turn the hidden cells of the clip down to silence and
keep its own phase: a sound that no mask of the test had, so the model is asked again what it hears in exactly that.

*What it cannot show.* Painting over makes spectrograms that no microphone records, and the neutral value is a choice
(nothing in speech is absent; 0 is not neutral for Whisper). With few masks only coarse patches can be trusted. By
default the network reads the clip with 6 s of silence instead of its 30 s window, which is quicker and not quite the
same input; the exact window can be chosen.

*Source.* SPES: Fucci, Gaido, Savoldi, Negri, Cettolo & Bentivogli 2024 (arXiv 2411.01710). Superpixels: Achanta et
al., SLIC, IEEE TPAMI 2012.
"""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from methods.core import draw, masked_sound, models, occlusion_figure, spectrogram_masks
from methods.core.audio import Clip
from methods.core.cue import text_words
from methods.core.errors import UserError
from methods.core.faithfulness import Verdict
from methods.core.frames import Segment
from methods.core.map_trials import MapTrial, best_cells, map_trial
from methods.core.network import SpeechModel
from methods.core.options import check_options
from methods.core.perturb import check_audible
from methods.core.rereading import Rereader
from methods.core.results import Step, Steps, finish, provenance, read_only
from methods.core.spectrogram_masks import Masks
from methods.core.stages import Window
from methods.core.superpixels import superpixels
from methods.core.time_needed import TIME_LIMIT, check_time
from methods.core.token_divergence import divergence, hidden_text

Neutral = Literal["mean", "padding"]
Level = Literal["token", "word", "sentence"]
FEWEST_MASKS, MOST_MASKS = 24, 20_000
FEWEST_PATCHES = 8
SENSE = {
    "masks": (FEWEST_MASKS, MOST_MASKS),
    "patches_per_second": (0.1, 1000),
    "share": (0.01, 0.99),
    "points": (1, 100),
    "random_maps": (0, 100),
    "time_limit": (0, math.inf),
}
SHUFFLES = 20  # maps of chance whose size is known; they run no model
BETWEEN_PICTURES = 24  # masks from one partial result to the next


@dataclass(frozen=True, eq=False)
class Twin:
    """The same masks and the same text with random weights."""

    seed: int
    impacts: np.ndarray  # (masks, tokens + 1) nats


@dataclass(frozen=True, eq=False)
class SpectrogramOcclusion:
    """What each mask did to each token; maps are made from it on demand."""

    text: str  # forced upon the decoder: the model's own, unless another one was given
    heard: str  # what the model writes of the unchanged clip in the window that was used
    tokens: tuple[str, ...]  # (tokens + 1,) of the text, and its end
    words: tuple[str, ...]  # (words,)
    word_tokens: tuple[range, ...]  # (words,) the tokens of each word
    log_mel: np.ndarray  # (mels, mel frames) what the model reads: log10 power scaled by Whisper to about -1 to 1.5
    neutral: float  # what patches are painted with, in the same unit
    masks: Masks  # of those that have been run
    impacts: np.ndarray  # (masks, tokens + 1) Kullback-Leibler divergence of each token's distribution, nats, >= 0
    text_impacts: np.ndarray  # (tokens + 1, tokens) divergence, nats, when an earlier token is hidden; else NaN
    random: tuple[Twin, ...]  # random-weights controls
    spoken: tuple[Segment, ...]  # words with their times, for the eye alone; () if they are not known
    trials: tuple[MapTrial, ...]  # deletion and insertion by the sentence map, by loudness, and by maps of chance
    heard_sounds: tuple[tuple[str, str], ...]  # (points + 1,) what the model writes of `sounds` at each step
    samples: np.ndarray  # (n,) float32, the clip
    filters: np.ndarray  # (bins, mels) of the model's log-mel
    provenance: dict[str, Any]

    def relevance(self, token: int) -> np.ndarray:
        """(mels, mel frames) mean divergence, in nats, of a token where each cell was hidden; never below 0."""
        return spectrogram_masks.relevance(self.masks, self.impacts[:, token])

    def scores(self, level: Level = "sentence", number: int = 0) -> np.ndarray:
        """(masks,) how much each mask harms a token, word or the sentence: mean over tokens, standardised each."""
        return _scores(self.impacts, self.tokens_of(level, number))

    def map(self, level: Level = "sentence", number: int = 0) -> np.ndarray:
        """(mels, mel frames) relevance in standard deviations of the harm; 0 is an average cell."""
        return spectrogram_masks.relevance(self.masks, self.scores(level, number))

    def tokens_of(self, level: Level, number: int) -> range:
        """Which tokens make up this token, word or the sentence (without its end)."""
        if level == "token":
            return range(number, number + 1)
        return self.word_tokens[number] if level == "word" else range(len(self.tokens) - 1)

    def split_half(self, level: Level = "sentence", number: int = 0) -> float:
        """Correlation of two maps from half of the masks each."""
        return spectrogram_masks.split_half(self.masks, self.scores(level, number))

    def convergence(self, level: Level = "sentence", number: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(points,) masks, (points,) split-half correlation with so many, and (3, points) the same by chance."""
        scores, sizes = self.scores(level, number), len(self.masks.patches)
        counts = np.unique(np.linspace(FEWEST_MASKS, len(self.masks), 6).astype(int))
        dealt = [spectrogram_masks.shuffled(scores, sizes, seed) for seed in range(3)]
        rows = [
            [spectrogram_masks.split_half(self.masks.first(count), values[:count]) for count in counts]
            for values in (scores, *dealt)
        ]
        return counts, read_only(rows[0]), read_only(rows[1:])

    def random_agreement(self) -> np.ndarray:
        """(seeds,) correlation of the sentence map with that of random weights, which know no speech."""
        own = self.map()
        maps = (_map(self.masks, twin.impacts, self.tokens_of("sentence", 0)) for twin in self.random)
        return np.array([spectrogram_masks.correlation(own, other) for other in maps])

    def size(self, level: Level = "sentence", number: int = 0) -> tuple[float, np.ndarray]:
        """Share of cells that are relevant (`spectrogram_masks.compactness`), and (SHUFFLES,) the same by chance."""
        return spectrogram_masks.size_and_chance(self.masks, self.scores(level, number), SHUFFLES)

    def sounds(self, step: int) -> tuple[Clip, Clip]:
        """The clip without the cells that go first in the deletion curve, up to a step, and with nothing else."""
        best = best_cells(self.map(), int(self.trials[0].trial.taken[step]))
        return masked_sound.parted(self.samples, self.filters, best, self.provenance["clip"])

    @property
    def verdict(self) -> Verdict | None:
        """The sentence map's trial beside those of loudness and chance; None while they are not there."""
        if len(self.trials) < 2:
            return None
        own, energy, *chance = (each.trial for each in self.trials)
        return Verdict(own, energy, tuple(chance))

    def table(self) -> pd.DataFrame:
        """One line per cell of the spectrogram: its level, and its relevance for the sentence and for each word."""
        mel, frame = np.indices(self.log_mel.shape).reshape(2, -1)
        columns = {"mel_band": mel, "time_s": frame * 0.01, "log_mel": self.log_mel.ravel()}
        columns["sentence"] = self.map().ravel()
        for number, word in enumerate(self.words):
            columns[f"word_{number + 1}_{word}"] = self.map("word", number).ravel()
        return pd.DataFrame(columns)


def _scores(impacts: np.ndarray, tokens: range) -> np.ndarray:
    return spectrogram_masks.standardised(impacts[:, tokens.start : tokens.stop]).mean(1)


def _map(masks: Masks, impacts: np.ndarray, tokens: range) -> np.ndarray:
    return spectrogram_masks.relevance(masks.first(len(impacts)), _scores(impacts, tokens))


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


def plot(result: SpectrogramOcclusion, *, level: Level = "sentence", number: int = 0) -> Figure:
    """The spectrogram, the map of one token, word or the sentence, and what tells whether the map can be trusted."""
    figure = draw.new_figure(max(7.0, 2.2 * result.provenance["seconds"]), 9.0)
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=(1, 1, 1.3))
    occlusion_figure.draw_spectrogram(top.subplots(), result)
    occlusion_figure.draw_map(middle.subplots(), result, level, number)
    axes = bottom.subplots(1, 3)
    occlusion_figure.draw_convergence(axes[0], result.convergence(level, number))
    for ax, side in zip(axes[1:], ("deletion", "insertion"), strict=True):
        occlusion_figure.draw_trials(ax, result.trials, side)
    return figure
