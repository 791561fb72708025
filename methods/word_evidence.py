"""**Which words in the sound does the model need, and for which of its answers?**

Each word is taken out of the recording, and everything that the model says is asked again: every word of its
transcript, the language, the classes. A word that matters for an answer lowers it when it is gone. What takes the
word's place (silence, noise, the mean, nothing at all) is your choice, and every changed recording can be heard, with
the new transcript that the model makes of it.

*How to read it.* A row is an answer, a column is the word that was taken away. Red: the answer needed that word; blue:
the answer became likelier without it. Most should lie on the diagonal, where a word is its own evidence; what lies
beside it is context. Is it real? Random weights show what the architecture alone does, the agreement between
replacements shows what the replacement does, and the deletion curve must fall faster than in random orders, and than
when the loudest or the longest go first. (Of 4 to 12 words, noise beats 20 orders in 8 to 12% of cases, not 5.)

*What it cannot show.* A silence in the middle of a sentence is a sound that the model has rarely met, so part of an
effect may be surprise. Word times that are off by 50 ms leave a piece of the word behind: listen. Words that only
matter together (either of two would do) get no credit one by one.

*Source.* Pastor, Koudounas, Attanasio, Hovy & Baralis, Explaining Speech Classification Models via Word-Level Audio
Segments and Paralinguistic Features, EACL 2024 (arXiv 2309.07733); comprehensiveness and sufficiency: DeYoung et al.,
ACL 2020. The published code widens a word by 100 ms before and 40 ms after; a word in the first 100 ms makes it wrap
around to the end of the clip, which is not repeated here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from methods.core import alignment, frames
from methods.core.audio import SAMPLE_RATE, Clip, clip_from_samples
from methods.core.errors import UserError, counted
from methods.core.explain import answers as panels
from methods.core.explain import faithfulness, perturb
from methods.core.explain.answers import Panel
from methods.core.explain.faithfulness import Trial, Verdict
from methods.core.explain.perturb import MODES, Mode
from methods.core.figures import draw, signed
from methods.core.frames import Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import Window
from methods.core.options import analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import Provenance, Result, provenance, read_only
from methods.core.statistics import correlation

Margins = Literal["none", "published"]
Unit = Literal["nats", "probability"]
MARGINS: dict[Margins, tuple[float, float]] = {"none": (0.0, 0.0), "published": (0.1, 0.04)}  # s before and after
SENSE = {"random_orders": (0, 1000)}
ORDERS = ("this explanation", "loudest first", "longest first")  # then random ones


@dataclass(frozen=True, eq=False)
class WordControls:
    """Whether the effects are real; what is None may come, or was not asked for."""

    random_base: np.ndarray | None = None  # (seeds so far, targets) nats, random weights, the first mode
    random_without: np.ndarray | None = None  # (seeds so far, words, targets) nats
    orders: np.ndarray | None = None  # (orders so far, words) int: this explanation, loudest, longest, then random
    taken: np.ndarray | None = None  # (steps + 1,) int, how many words were taken at each step
    share: np.ndarray | None = None  # (orders, steps + 1) the same as a share of all words' time, 0 to 1
    deletion: np.ndarray | None = None  # (orders, steps + 1) nats, without these words
    insertion: np.ndarray | None = None  # (orders, steps + 1) nats, with no other words


@dataclass(frozen=True, eq=False, kw_only=True)
class WordEvidence(Result):
    """What each answer loses with each word. Scores are natural logarithms: of probabilities, or of odds."""

    targets: tuple[str, ...]  # (targets,) answers that were asked about
    odds: np.ndarray  # (targets,) bool, True where the score is a log-odds, False where it is a log-probability
    words: tuple[str, ...]  # (words,) what was taken away
    starts: np.ndarray  # (words,) s
    ends: np.ndarray  # (words,) s
    modes: tuple[str, ...]  # what took the words' place, the chosen one first
    base: np.ndarray  # (targets,) nats, of the unchanged clip
    without: np.ndarray  # (modes, words, targets) nats, without each word; NaN where not run yet
    heard: str  # what the model says of the unchanged clip
    answers: tuple[tuple[str, ...], ...]  # (modes, words) what it says without each word; "" where not run yet
    main: int  # the target that orders are tested on
    samples: np.ndarray  # (n,) float32, the clip, so that its changed versions can be heard
    controls: WordControls | None = None  # None until the first of them is there

    def effects(self, mode: str | None = None, unit: Unit = "nats") -> np.ndarray:
        """(words, targets) what each answer loses without each word; in nats, or in probability (-1 to 1)."""
        return self._lost(self.base, self.without[self.modes.index(mode or self.modes[0])], unit)

    def random_effects(self, unit: Unit = "nats") -> np.ndarray | None:
        """(seeds so far, words, targets) the same with random weights, for the first mode; None: no seed."""
        if self.controls is None or self.controls.random_base is None:
            return None
        return self._lost(self.controls.random_base[:, None], self.controls.random_without, unit)

    def _lost(self, base: np.ndarray, without: np.ndarray, unit: Unit) -> np.ndarray:
        if unit == "nats":
            return base - without
        return panels.probability(base, self.odds) - panels.probability(without, self.odds)

    def sound(self, word: int, mode: str | None = None) -> Clip:
        """The recording without this word, as the model heard it."""
        gone = Segment(self.words[word], self.starts[word], self.ends[word])
        return _changed(self.samples, gone, mode or self.modes[0], self.provenance)

    def mode_agreement(self) -> np.ndarray:
        """(modes, modes) Spearman correlation of the words' effects on the main target; NaN where undefined."""
        done = {mode: self.effects(mode)[:, self.main] for mode in self.modes}
        return correlation.agreement(done)

    def verdict(self) -> Verdict | None:
        """The order by this explanation against the loudest words first and random orders; None: not run yet."""
        trials = self._trials()
        return Verdict(trials[0], trials[1], tuple(trials[len(ORDERS) :])) if len(trials) > len(ORDERS) else None

    def longest(self) -> Trial | None:
        """The trial of taking the longest words first."""
        trials = self._trials()
        return trials[2] if len(trials) > 2 else None

    @property
    def tested(self) -> bool:
        """Whether any order has been tried."""
        return self.controls is not None and self.controls.orders is not None

    def _trials(self) -> list[Trial]:
        if not self.tested:
            return []
        known = self.controls
        rows = zip(known.orders, known.share, known.deletion, known.insertion, strict=True)
        return [Trial(order, known.taken, *curves) for order, *curves in rows]

    def table(self) -> pd.DataFrame:
        """One line per replacement, word and answer."""
        mode, word, target = np.indices(self.without.shape).reshape(3, -1)
        said = np.array([list(row) for row in self.answers], object)
        columns = {"replacement": np.array(self.modes, object)[mode], "word_index": word}
        columns |= {"word": np.array(self.words, object)[word], "start_s": self.starts[word], "end_s": self.ends[word]}
        columns |= {"target": np.array(self.targets, object)[target]}
        columns |= {"scale": np.where(self.odds, "log-odds", "log-probability")[target], "base": self.base[target]}
        columns |= {"without": self.without.ravel()}
        for name, unit in (("effect_nats", "nats"), ("effect_probability", "probability")):
            columns[name] = np.concatenate([self.effects(each, unit).ravel() for each in self.modes])
        random = self.random_effects()
        seeds = self.provenance["options"]["random_seeds"]
        for seed, values in zip(seeds, () if random is None else random, strict=False):
            columns[f"random_{seed}_effect_nats"] = np.where(mode == 0, values[word, target], np.nan)
        return pd.DataFrame({**columns, "heard": self.heard, "heard_without": said[mode, word]})


@analysis(SENSE)
def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    transcript: str | None = None,
    language: str | None = None,
    mode: Mode = "silence",
    margins: Margins = "none",
    target: str | None = None,
    window: Window = "full",
    modes: Sequence[Mode] = tuple(MODES),
    random_seeds: Sequence[int] = (0, 1, 2),
    random_orders: int = faithfulness.RANDOM_ORDERS,
    seed: int = 0,
) -> Steps[WordEvidence]:
    """What does every answer of the model lose when one word is taken out of the sound?

    `segments` are the words (default: the model's own, by cross-attention); `transcript` replaces the text that the
    decoder is forced to read; `mode` is what takes a word's place and `modes` are the others to compare with;
    `margins` widen a word by 100 ms before and 40 ms after ("published"); `target` is the answer on which orders are
    tested, by its label (default: the whole transcript, or the likeliest class); `window="clip"` feeds Whisper only
    the clip's own frames, which is quicker and not what it was trained on. Raises UserError for a silent clip, words
    beyond its end, a target that is not there, or a model without words and classes.
    """
    yield Step(0.0, "what the model says of the unchanged clip")
    perturb.check_audible(clip.samples)
    panel = panels.build(clip, model, transcript=transcript, language=language, window=window)
    said = _words(clip, model, segments, transcript, language)
    words = tuple(replace(word, end=min(word.end, clip.seconds)) for word in said)
    modes = (mode, *(other for other in modes if other != mode))
    origin = provenance(
        "word evidence", clip, model, mode=mode, margins=margins, seed=seed,
        transcript=panel.transcript and panel.transcript.text, window=panel.window, transcript_given=bool(transcript),
        language=language, segments=[[word.label, word.start, word.end] for word in said],
        target=panel.labels[chosen_target(panel.labels, target)], modes=list(modes),
        random_seeds=list(random_seeds), random_orders=random_orders,
    )  # fmt: skip
    rounds = len(modes) + len(random_seeds) + 5  # the orders take about as long as five replacements
    result = yield from _effects(panel, words, origin, len(modes) / rounds)
    for number, random_seed in enumerate(random_seeds):
        begin, end = ((len(modes) + number + part) / rounds for part in (0, 1))
        name = f"random weights, seed {random_seed}"
        yield Step(begin, name, partial=result)
        result = yield from within(_with_twin(result, panel.twin(random_seed)), begin, end, None, name)
    return (yield from _try_orders(result, panel, random_orders, 1 - 5 / rounds))


def _words(
    clip: Clip, model: SpeechModel, segments: Sequence[Segment] | None, transcript: str | None, language: str | None
) -> tuple[Segment, ...]:
    pieces = frames.without_overlap(segments or alignment.words(clip, model, transcript=transcript, language=language))
    late = next((piece for piece in pieces if piece.start >= clip.seconds), None)
    if late is not None:
        raise UserError(
            f"“{late.label}” begins at {late.start:.2f} s but the clip ends at {clip.seconds:.2f} s; these times "
            "probably belong to another recording: use the alignment of this clip."
        )
    if not pieces:
        raise UserError("No word was found, so none can go; give the transcript.", mend={"segments": "words"})
    return tuple(pieces)


def _changed(samples: np.ndarray, gone: Segment, mode: Mode, origin: Provenance) -> Clip:
    """A recording without a word, by the margins and seed that its result remembers."""
    before, after = MARGINS[origin["options"]["margins"]]
    seed = origin["options"]["seed"]
    changed = perturb.replaced(samples, [gone], mode, before=before, after=after, seed=seed)
    return clip_from_samples(changed, SAMPLE_RATE, f"{origin['clip']} without {gone.label}, {mode}")


def chosen_target(labels: Sequence[str], wanted: str | None) -> int:
    """Which of the answers has this name? The first if none is named; quotation marks and capitals do not matter."""
    if wanted is None:
        return 0
    plain = [label.strip("“”").casefold() for label in labels]
    if wanted.strip("“” ").casefold() not in plain:
        raise UserError(f"The model was not asked about “{wanted}”; choose one of: {', '.join(labels)}.")
    return plain.index(wanted.strip("“” ").casefold())


def _effects(panel: Panel, words: tuple[Segment, ...], origin: Provenance, part: float) -> Steps[WordEvidence]:
    """Every word taken away, by every replacement; `part` is the share of the whole work that this is."""
    modes, count, result = origin["options"]["modes"], len(words), None
    without = np.full((len(modes), count, len(panel.labels)), np.nan)
    answers = [[""] * count for _ in modes]
    for place in range(len(modes) * count):
        row, number = divmod(place, count)
        # The first replacement is shown word by word, another as a whole: drawing takes a while.
        shown = result if bool(row) != bool(number) else None
        step = f"without “{words[number].label}” ({modes[row]})"
        yield Step(part * place / (len(modes) * count), step, partial=shown)
        changed = _changed(panel.clip.samples, words[number], modes[row], origin)
        without[row, number], answers[row][number] = panel.heard(changed.samples)
        result = _result(panel, words, origin, without, answers)
    return result


def _result(
    panel: Panel, words: tuple[Segment, ...], origin: Provenance, without: np.ndarray, answers: list[list[str]]
) -> WordEvidence:
    base, heard = panel.heard(panel.clip.samples)
    return WordEvidence(
        targets=panel.labels,
        odds=read_only([scale == "log-odds" for scale in panel.scales], bool),
        words=tuple(word.label for word in words),
        starts=read_only([word.start for word in words]),
        ends=read_only([word.end for word in words]),
        modes=tuple(origin["options"]["modes"]),
        base=read_only(base),
        without=read_only(without),
        heard=heard,
        answers=tuple(map(tuple, answers)),
        main=panel.labels.index(origin["options"]["target"]),
        samples=read_only(panel.clip.samples, np.float32),
        provenance=origin,
    )


def _with_twin(result: WordEvidence, twin: Panel) -> Steps[WordEvidence]:
    known, base, effects = result.controls or WordControls(), [], []
    yield Step(0.0, "the unchanged clip")
    base.append(twin.scores(result.samples))
    for number, word in enumerate(result.words):
        yield Step((1 + number) / (1 + len(result.words)), f"without “{word}”")
        effects.append(twin.scores(result.sound(number).samples))
    without = [effects]
    if known.random_base is not None:
        base, without = [*known.random_base, *base], [*known.random_without, *without]
    controls = replace(known, random_base=read_only(base), random_without=read_only(without))
    return replace(result, controls=controls)


@dataclass(frozen=True)
class _Column:
    """One answer of a panel, as the one number that a game is about."""

    panel: Panel
    number: int

    @property
    def base(self) -> float:
        return self.score(self.panel.clip.samples)

    def score(self, samples: np.ndarray) -> float:
        return float(self.panel.scores(samples)[self.number])


def _try_orders(result: WordEvidence, panel: Panel, draws: int, done: float) -> Steps[WordEvidence]:
    """Words taken away one after the other, in the order of their effects and in others; pauses stay."""
    words = tuple(map(Segment, result.words, result.starts, result.ends))
    before, after = MARGINS[result.provenance["options"]["margins"]]
    seed = result.provenance["options"]["seed"]
    game = perturb.Game(_Column(panel, result.main), result.samples, words, result.modes[0], before, after, seed)
    random = np.random.default_rng(seed)
    keys = [result.effects()[:, result.main], perturb.energies(result.samples, words), game.sizes]
    orders = [*(faithfulness.ranking(key) for key in keys), *(random.permutation(len(words)) for _ in range(draws))]
    trials: list[Trial] = []
    for number, order in enumerate(orders):
        name = ORDERS[number] if number < len(ORDERS) else f"random order {number - len(ORDERS) + 1} of {draws}"
        steps = faithfulness.trial_in_steps(game.value, order, game.sizes, name=f"words taken away: {name}")
        begin, end = (done + (1 - done) * (number + part) / len(orders) for part in (0, 1))
        trials.append((yield from within(steps, begin, end, result)))
        curves = {name: read_only([getattr(t, name) for t in trials]) for name in ("share", "deletion", "insertion")}
        tried = read_only([t.order for t in trials], np.int64)
        controls = replace(result.controls or WordControls(), orders=tried, taken=trials[0].taken, **curves)
        result = replace(result, controls=controls)
    return result


def plot(result: WordEvidence, *, mode: str | None = None, unit: Unit = "nats") -> Figure:
    """Answers by words, the same with random weights, the agreement of replacements, and the deletion curves."""
    effects = result.effects(mode, unit).T
    limit = signed.limit_of(effects)
    width = min(max(0.55 * len(result.words), 3.2), 12.0)
    height = min(max(0.3 * len(result.targets), 2.4), 9.0)
    figure = draw.new_figure(2 * width + 3.0, height + 3.6)
    axes = figure.subplots(2, 2, height_ratios=(height, 2.6))
    mesh = signed.signed_map(axes[0, 0], effects, result.targets, result.words, limit)
    axes[0, 0].set_title(f"trained; words replaced by {mode or result.modes[0]}", fontsize=9)
    control = result.random_effects(unit)
    shown, seeds = (np.full_like(effects, np.nan), 0) if control is None else (control.mean(0).T, len(control))
    signed.signed_map(axes[0, 1], shown, result.targets, result.words, limit)
    axes[0, 1].set_title(f"random weights, mean of {counted(seeds, 'seed')} ({result.modes[0]})", fontsize=9)
    figure.colorbar(mesh, ax=axes[0].tolist(), label=f"lost without the word ({unit})", shrink=0.8)
    signed.signed_map(axes[1, 0], result.mode_agreement(), result.modes, result.modes, 1.0, cells=True)
    axes[1, 0].set_title("agreement of replacements (Spearman)", fontsize=9)
    deletion_curves(axes[1, 1], result)
    return figure


def deletion_curves(ax: Axes, result: WordEvidence, ink: str = draw.INK) -> None:
    """The main answer against the share of words' time that is gone: this explanation, its rivals, random orders."""
    if result.tested:
        signed.order_curves(ax, result.controls.share, result.controls.deletion, ORDERS, ink)
    ax.set_xlabel("share of the words' time taken away", color=ink)
    ax.set_ylabel(f"{draw.written(result.targets[result.main], draw.LONG)} (nats)", color=ink)
