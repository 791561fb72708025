"""Would the same map come out if the classifier had been trained a little differently?

Small heads learn the same question from other halves of the bundled recordings, on the frozen states of the network
above (`own_heads`). Each head's score for one clip is explained by the usual methods, and the maps of the heads are
compared at four sizes: frames of 20 ms, windows of 100 ms, phones, words (inter-seed agreement, Shen et al. 2025).
Methods that take pieces away do so at each size anew, with silence in their place; gradients are summed up over the
pieces. Beside each agreement stand that of random maps, that of heads whose labels were shuffled, and what is left of
it when the ranks of loudness and length are taken out.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from methods.attribution import map_agreement, own_heads
from methods.attribution.own_heads import Heads
from methods.core import models
from methods.core.audio import Clip
from methods.core.corpus import Corpus, bundled, features
from methods.core.errors import UserError
from methods.core.explain import attribution_map, gradients, perturb, removal
from methods.core.explain.perturb import Game
from methods.core.explain.targets import Target
from methods.core.frames import Segment, whisper_grid
from methods.core.models import stages
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import Step, Steps, finish, within
from methods.core.results import read_only
from methods.core.statistics import correlation

REMOVAL = ("leave one out", "LIME")
GRADIENTS = ("saliency", "input x gradient", "integrated gradients")
METHODS = (*REMOVAL, *GRADIENTS)
WIDTHS = {"20 ms": 0.02, "100 ms": 0.1}  # s
NUMBERS = ("spearman", "pearson", "given_loudness_and_length", "with_loudness", "random_maps", "random_maps_95",
           "shuffled_heads")  # fmt: skip
MOST_RUNS, LIMIT = 600, 60.0  # passes and seconds, for one method at one size
WINDOW = "clip"  # what the heads are trained on and explained in: hundreds of passes of 30 s would take too long


@dataclass(frozen=True, eq=False)
class SeedAgreement:
    """How far the maps of several heads agree, by method and size. NaN: not to be had, or not defined."""

    question: str  # what the heads tell
    corpus: str  # what they learnt from
    items: int  # phones in it
    accuracy: np.ndarray  # (heads,) on the recordings that each has not heard
    majority: float  # accuracy of always naming the more frequent class
    likeness: float  # mean cosine between two heads' weights
    scores: np.ndarray  # (heads,) nats, log-odds of the clip
    methods: tuple[str, ...]
    cuts: tuple[str, ...]
    pieces: Mapping[str, int]  # size -> how many pieces
    numbers: Mapping[str, np.ndarray]  # each of NUMBERS -> (methods, cuts), correlations
    maps: Mapping[str, np.ndarray]  # "method, size" -> (heads, pieces) nats
    refused: Mapping[str, str]  # "method, size" (or a size) -> why it could not be had, a sentence

    @property
    def complete(self) -> bool:
        """Whether every method has been tried at every size."""
        tried = {*self.maps, *self.refused}
        return all(method in tried or f"{method}, {cut}" in tried for method in self.methods for cut in self.cuts)

    def table(self) -> pd.DataFrame:
        """One line per method and size."""
        return pd.DataFrame(
            [
                {"method": method, "size": cut, "pieces": self.pieces[cut], "heads": len(self.scores)}
                | {name: values[row, column] for name, values in self.numbers.items()}
                for row, method in enumerate(self.methods)
                for column, cut in enumerate(self.cuts)
            ]
        )


@dataclass(eq=False)
class Pooled:
    """The mean of the network's last states over a sound: all that a head needs to know, so that one pass serves all.

    Stands where `perturb.Game` expects a target; its “number” is a vector.
    """

    clip: Clip
    model: SpeechModel

    @cached_property
    def steps(self) -> stages.Stages:
        return models.stages_of(self.clip, self.model, window=WINDOW)

    @cached_property
    def base(self) -> np.ndarray:
        """(dim,) for the clip as it is."""
        return self.score(self.clip.samples)

    @torch.inference_mode()
    def score(self, samples: np.ndarray) -> np.ndarray:
        """(dim,) for these samples."""
        sound = stages.batch(self.model.network, samples)
        with self.model.lock:
            return mean_state(stages.onward(self.steps, "waveform", sound), len(samples)).cpu().double().numpy()


def mean_state(states: torch.Tensor, samples: int) -> torch.Tensor:
    """(dim,) mean of (1, frames, dim) states over the frames of the sound itself."""
    return states[0, : whisper_grid(samples).frames].mean(0)


@dataclass(eq=False)
class SeedWork:
    """A clip, the heads that are explained for it, and the pieces at each size."""

    pooled: Pooled
    heads: Heads
    shuffled: Heads
    cuts: Mapping[str, tuple[Segment, ...]]
    corpus: str
    seed: int = 0
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    numbers: dict[str, tuple[float, ...]] = field(default_factory=dict)  # "method, size" -> as in NUMBERS
    refused: dict[str, str] = field(default_factory=dict)
    spent: float = 0.0  # s of one pass

    def removed(self, method: str, cut: str) -> Steps[None]:
        """The maps of one removal method at one size, for all heads by the same passes."""
        game = Game(self.pooled, np.asarray(self.pooled.clip.samples), self.cuts[cut], seed=self.seed)
        name, pieces = f"{method}, {cut}", len(game)
        runs = pieces if method == "leave one out" else max(removal.SAMPLES_PER_PIECE * pieces, 100)
        if runs > MOST_RUNS or runs * self.spent > LIMIT:
            self.refused[name] = (
                f"It needs {runs} passes of {self.spent:.2f} s, and the limit is {MOST_RUNS} passes or {LIMIT:.0f} s."
            )
            return
        found = []
        for heads in (self.heads, self.shuffled):
            for weights, offset in zip(heads.weights, heads.offsets, strict=True):
                value = _read(game, weights, offset)
                steps = removal.leave_one_out(value, pieces) if method == "leave one out" else removal.lime(
                    value, pieces, seed=self.seed
                )  # fmt: skip
                # After the first head every choice is known: its steps alone are worth telling.
                found.append((yield from steps) if not found else finish(steps))
        self._keep(name, cut, np.array([each.values for each in found]))  # noqa: PD011  its field, not pandas

    def followed(self, method: str) -> Steps[None]:
        """The maps of one gradient method, summed up at every size."""
        both = (self.heads,) if method == "integrated gradients" else (self.heads, self.shuffled)
        found: list[np.ndarray] = []
        count = sum(map(len, both))
        for heads in both:
            for weights, offset in zip(heads.weights, heads.offsets, strict=True):
                target = head_target(self.pooled, weights, offset)
                steps = gradients.gradient_map(target, "log-mel", method)
                found.append((yield from within(steps, len(found) / count, (len(found) + 1) / count)).values)
        where = np.arange(found[0].shape[1]) * 0.01
        for cut, pieces in self.cuts.items():
            scores = np.array([attribution_map.pooled(one, where, pieces, "sum") for one in found])
            self._keep(f"{method}, {cut}", cut, scores)

    def _keep(self, name: str, cut: str, scores: np.ndarray) -> None:
        """The maps of a method at a size, those of the shuffled heads last if there are any, and their numbers."""
        own, control = read_only(scores[: len(self.heads)]), scores[len(self.heads) :]
        pieces = self.cuts[cut]
        energy = perturb.energies(self.pooled.clip.samples, pieces)
        length = np.array([piece.end - piece.start for piece in pieces])
        mean, sure = map_agreement.by_chance(own, self.seed)
        self.maps[name] = own
        self.numbers[name] = (
            map_agreement.pairwise(own),
            map_agreement.pairwise(own, correlation.pearson),
            map_agreement.beyond(own, np.array([energy, length])),
            map_agreement.with_one(own, energy),
            mean,
            sure,
            map_agreement.pairwise(control) if len(control) else float("nan"),
        )

    def result(self) -> SeedAgreement:
        """What is known so far."""
        nothing = (float("nan"),) * len(NUMBERS)
        found = np.array([[self.numbers.get(f"{m}, {c}", nothing) for c in self.cuts] for m in METHODS])
        heads = self.heads
        return SeedAgreement(
            question=own_heads.QUESTION,
            corpus=self.corpus,
            items=heads.items,
            accuracy=heads.accuracy,
            majority=heads.majority,
            likeness=heads.likeness,
            scores=read_only(self.pooled.base @ heads.weights.T + heads.offsets),
            methods=METHODS,
            cuts=tuple(self.cuts),
            pieces={cut: len(pieces) for cut, pieces in self.cuts.items()},
            numbers={name: read_only(found[..., place]) for place, name in enumerate(NUMBERS)},
            maps=dict(self.maps),
            refused=dict(self.refused),
        )


def _read(game: Game, weights: np.ndarray, offset: float) -> Callable[[np.ndarray], float]:
    return lambda kept: float(game.value(kept) @ weights + offset)


def head_target(pooled: Pooled, weights: np.ndarray, offset: float) -> Target:
    """One head's log-odds for a clip, as a target that knows its gradient."""
    row, length = torch.tensor(weights, dtype=torch.float32), len(pooled.clip.samples)

    def readout(_model: SpeechModel, states: torch.Tensor) -> torch.Tensor:
        return mean_state(states, length) @ row.to(states.device) + offset

    return Target("class", own_heads.QUESTION, "nats", pooled.clip, pooled.model, readout, window=WINDOW)


def measure(
    clip: Clip,
    model: SpeechModel,
    count: int,
    *,
    words: Sequence[Segment] = (),
    phones: Sequence[Segment] = (),
    seed: int = 0,
    corpus: Corpus | None = None,
) -> Steps[SeedAgreement]:
    """Train `count` heads, explain each for this clip by every method, and compare the maps. Steps can be drawn.

    `words` and `phones` are those of the clip. `corpus` is what the heads learn from: all bundled recordings if None.
    Raises UserError for a model that is no Whisper.
    """
    if models.family_of(model).window_s is None:
        raise UserError(
            f"The heads are trained on states of Whisper's encoder, and {model.id} is of another family; choose a "
            "Whisper model."
        )
    perturb.check_audible(clip.samples)
    corpus = corpus or bundled("prompts").joined(bundled("voices"))
    work = yield from within(_prepared(clip, model, corpus, count, seed), 0.0, 0.2)
    work.cuts, work.refused = _sizes(clip, words, phones)
    tasks: list[tuple[str, Steps[None]]] = [
        *((f"{method}, {cut}", work.removed(method, cut)) for method in REMOVAL for cut in work.cuts),
        *((method, work.followed(method)) for method in GRADIENTS),
    ]
    for number, (name, steps) in enumerate(tasks):
        low, high = (0.2 + 0.8 * (number + part) / len(tasks) for part in (0, 1))
        yield Step(low, name, work.result())
        try:
            yield from within(steps, low, high)
        except UserError as reason:  # such as integrated gradients whose sum is missed for one head
            work.refused[name] = str(reason)
    return work.result()


def _prepared(clip: Clip, model: SpeechModel, corpus: Corpus, count: int, seed: int) -> Steps[SeedWork]:
    """The heads, trained, and how long a pass takes."""
    items, vowels = own_heads.vowels_and_consonants(corpus, clip)
    encoded = features.of_model(corpus, model, window=WINDOW, subtract_silence=False)
    states = yield from within(encoded, 0.0, 0.9)
    vectors = features.pooled(states, items)[-1]
    yield Step(0.9, f"training {2 * count} heads")
    heads, shuffled = (
        own_heads.train(vectors, vowels, items.utterance, count, seed, shuffled=mixed) for mixed in (False, True)
    )
    pooled = Pooled(clip, model)
    began = time.perf_counter()
    pooled.score(clip.samples)
    return SeedWork(pooled, heads, shuffled, {}, corpus.name, seed, spent=time.perf_counter() - began)


def _sizes(
    clip: Clip, words: Sequence[Segment], phones: Sequence[Segment]
) -> tuple[dict[str, tuple[Segment, ...]], dict[str, str]]:
    """The pieces at each size, and why a size is missing."""
    cuts, refused = {cut: perturb.windows(clip.seconds, width) for cut, width in WIDTHS.items()}, {}
    for name, given in (("phones", phones), ("words", words)):
        if given:
            cuts[name] = perturb.partition(clip.seconds, given)
        else:
            refused[name] = (
                f"The times of the clip's {name} are not known; align its transcript to compare at that size."
            )
    return cuts, refused
