"""**What does a layer look like? Which sounds lie near each other when it is squeezed into a plane?**

Each point is one phone, vowel, word or frame of the recordings, at the place that a projection gives to its hidden
state. Press a point to hear it. Colour is its label, shape its speaker. Play moves through the layers; each map is
turned towards the one before, because only distances mean anything, not where up is.

*How to read it.* Look at the numbers beside the map before believing it. *Trustworthiness* tells whether points that
are neighbours on the map are neighbours in the full space (1: all). *Neighbours* is the share of a point's ten nearest
that have its label, in the plane and in the full space, against chance, MFCC and random weights. A phone's frames are
each other's neighbours because it lasts: for frames, chance is what the labels of whole phones dealt out anew would
give, in each space. LDA has seen the labels: it learns from half of the recordings (of each label, where a recording
has only one; else of each speaker) and shows the others, and its accuracy, on labels that it has learnt, stands beside
that of an LDA of shuffled labels.
For vowels, arrows show where F1 (opener mouth) and F2 (tongue further forward) rise, with how much of them the plane
explains.

*What it cannot show.* Sizes of clusters and gaps between them mean nothing in t-SNE and UMAP. Visible clusters are no
proof of learning language: look at the same map with random weights, and of MFCC. A plane holds only part of the
variance (given for PCA and classical MDS), and with several speakers the first axis often is the speaker.

*Source.* Dieck et al., Interspeech 2022, 5130–5134, and Choi & Yeo 2022 (arXiv 2210.15386) for vowels; van der Maaten
& Hinton, JMLR 2008; McInnes et al. 2018 (arXiv 1802.03426); Venna & Kaski 2001 for trustworthiness.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from methods.core import draw, embedding, features, models, projection_figures, projection_points
from methods.core.corpus import Corpus
from methods.core.embedding import QUALITY
from methods.core.features import Features
from methods.core.network import SpeechModel
from methods.core.options import check_options
from methods.core.projection_points import Asked, Mapped, Points
from methods.core.results import Step, Steps, corpus_provenance, finish, read_only, within

BASELINES = {"mfcc": "MFCC", "log-mel": "log-mel"}
SENSE = projection_points.SENSE


@dataclass(frozen=True, eq=False)
class Projection:
    """The same points on a map of every layer, of acoustic features, and of random weights."""

    method: str
    layers: tuple[str, ...]
    points: np.ndarray  # (layers, n, 2) unit-less, mean square radius 1, turned towards the layer before
    quality: np.ndarray  # (layers, 5) the numbers of QUALITY, shares; NaN where a label is alone
    chance: np.ndarray  # (layers, 2) neighbours with the same label by chance, in 2-D and in full
    explained: np.ndarray  # (layers,) share of the variance on the plane (PCA, classical MDS), else NaN
    stress: np.ndarray  # (layers,) stress-1 of MDS, else NaN
    accuracy: np.ndarray  # (layers, 2) of LDA on learnt labels, held out, and with shuffled training labels, else NaN
    formants: np.ndarray  # (n, 2) Hz, F1 and F2 of vowels; NaN for everything else
    directions: np.ndarray  # (layers, 2, 3) for F1 and F2: unit vector on the map, and R²; NaN where there is none
    baselines: tuple[str, ...]
    baseline_points: np.ndarray  # (baselines, n, 2)
    baseline_quality: np.ndarray  # (baselines, 5)
    baseline_chance: np.ndarray  # (baselines, 2)
    random_points: np.ndarray  # (random seeds so far, layers, n, 2)
    random_quality: np.ndarray  # (random seeds so far, layers, 5)
    random_chance: np.ndarray  # (random seeds so far, layers, 2)
    label: tuple[str, ...]  # (n,)
    name: tuple[str, ...]  # (n,) what each point is, such as the phone
    speaker: tuple[str, ...]  # (n,)
    utterance: np.ndarray  # (n,) int
    start: np.ndarray  # (n,) s
    end: np.ndarray  # (n,) s
    left_out: int  # items that there was no room for
    notes: tuple[str, ...]  # what was not done as asked, and why
    done: bool  # whether the controls are complete
    provenance: dict[str, Any]

    @property
    def spaces(self) -> tuple[str, ...]:
        """Names of all maps: layers, acoustic features, layers of the first random network."""
        random = tuple(f"random {name}" for name in self.layers) if len(self.random_points) else ()
        return (*(f"layer {name}" for name in self.layers), *self.baselines, *random)

    @property
    def all_points(self) -> np.ndarray:
        """(spaces, n, 2) in the order of `spaces`."""
        return np.concatenate([self.points, self.baseline_points, *self.random_points[:1]])

    @property
    def best(self) -> int:
        """The layer where neighbours in the full space share their label most."""
        return int(self.quality[:, 2].argmax())

    def table(self) -> pd.DataFrame:
        """One row per point and map, with what it is and where."""
        n, spaces = len(self.label), self.spaces
        points = self.all_points.reshape(-1, 2)
        columns = {
            "space": np.repeat(spaces, n), "x": points[:, 0], "y": points[:, 1],
            **{name: np.tile(getattr(self, name), len(spaces))
               for name in ("label", "name", "speaker", "utterance", "start", "end")},
        }  # fmt: skip
        return pd.DataFrame(columns)


def analyse(
    corpus: Corpus,
    model: SpeechModel,
    *,
    method: str = "pca",
    unit: str = "phones",
    label: str = "own",
    standardise: bool = True,
    metric: str = "euclidean",
    perplexity: float = 30.0,
    neighbours: int = 15,
    most: int = 600,
    window: str = "clip",
    subtract_silence: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Projection:
    """Where do the items of a corpus lie, on a 2-D map of every layer?

    `method` is one of `embedding.METHODS`; `unit` "phones", "vowels", "words" or "frames"; `label` "own" (the phone or
    word), a phonological class ("manner", "place", "voicing", "height", "backness"), or a column such as "speaker".
    At most `most` points, fewer of frequent labels. `standardise` brings every dimension to unit variance. `metric`
    is for MDS and UMAP, `perplexity` for t-SNE, `neighbours` for UMAP. `seed` draws the points, and the recordings
    that LDA learns from. `window` and `subtract_silence`: see `features.of_model`. Raises UserError if there are too
    few points, or LDA has nothing to learn from.
    """
    options = {name: value for name, value in locals().items() if name not in ("corpus", "model")}
    return finish(analyse_in_steps(corpus, model, **options))


def analyse_in_steps(corpus: Corpus, model: SpeechModel, **options: Any) -> Steps[Projection]:
    """The same with progress: the trained model first, then acoustic features and random weights."""
    check_options(analyse, options, SENSE)
    asked = Asked(**options)
    states = yield from within(_states(corpus, model, asked), 0.0, 0.3)
    chosen = projection_points.choose(corpus, states, asked)
    maps = yield from within(_maps(states, chosen, asked, "trained"), 0.3, 0.5)
    result = _first(corpus, model, states, chosen, maps, asked)
    yield Step(0.5, "acoustic features", result)
    result = _with_baselines(result, corpus, model, chosen, asked)
    for number, seed in enumerate(asked.random_seeds):
        begin, end = (0.55 + 0.45 * (number + part) / len(asked.random_seeds) for part in (0, 1))
        yield Step(begin, f"random weights, seed {seed}", result)
        twin = yield from within(_states(corpus, models.random_twin(model, seed), asked), begin, (begin + end) / 2)
        maps = yield from within(_maps(twin, chosen, asked, f"random weights, seed {seed}"), (begin + end) / 2, end)
        result = _with_random(result, maps)
    return replace(result, done=True)


def _states(corpus: Corpus, model: SpeechModel, asked: Asked) -> Steps[Features]:
    return features.of_model(corpus, model, window=asked.window, subtract_silence=asked.subtract_silence)


def _maps(states: Features, chosen: Points, asked: Asked, who: str) -> Steps[list[Mapped]]:
    found = []
    for number, (name, layer) in enumerate(zip(states.names, states.layers, strict=True)):
        yield Step(number / len(states.names), f"map of layer {name} ({who})")
        found.append(projection_points.mapped(layer, chosen, asked))
    return found


def _first(
    corpus: Corpus, model: SpeechModel, states: Features, chosen: Points, maps: list[Mapped], asked: Asked
) -> Projection:
    points = embedding.aligned([found.made.points for found in maps])
    formants = projection_points.formants(corpus, chosen)
    count, shown = points.shape[1], chosen.shown
    return Projection(
        method=asked.method, layers=states.names, points=read_only(points),
        quality=read_only([found.quality for found in maps]),
        chance=read_only([found.chance for found in maps]),
        explained=read_only([found.made.explained.sum() for found in maps]),
        stress=read_only([found.made.stress for found in maps]),
        accuracy=read_only([(found.made.accuracy, found.made.shuffled) for found in maps]),
        formants=read_only(formants), directions=read_only(projection_points.directions(points, formants)),
        baselines=(), baseline_points=read_only(np.zeros((0, count, 2))),
        baseline_quality=read_only(np.zeros((0, len(QUALITY)))), baseline_chance=read_only(np.zeros((0, 2))),
        random_points=read_only(np.zeros((0, len(maps), count, 2))),
        random_quality=read_only(np.zeros((0, len(maps), len(QUALITY)))),
        random_chance=read_only(np.zeros((0, len(maps), 2))),
        label=tuple(map(str, chosen.label[shown])), name=tuple(map(str, chosen.items.label[shown])),
        speaker=tuple(map(str, chosen.items.columns["speaker"][shown])),
        utterance=read_only(chosen.items.utterance[shown], np.int64),
        start=read_only(chosen.items.start[shown]), end=read_only(chosen.items.end[shown]),
        left_out=chosen.left_out, notes=projection_points.notes(chosen, asked), done=False,
        provenance=corpus_provenance("projection", corpus, model, **vars(asked), features_note=states.note),
    )  # fmt: skip


def _with_baselines(
    result: Projection, corpus: Corpus, model: SpeechModel, chosen: Points, asked: Asked
) -> Projection:
    maps = [
        projection_points.mapped(features.acoustic(corpus, model, kind).layers[0], chosen, asked) for kind in BASELINES
    ]
    towards = [embedding.aligned([result.points[0], found.made.points])[1] for found in maps]
    return replace(
        result,
        baselines=tuple(BASELINES.values()),
        baseline_points=read_only(towards),
        baseline_quality=read_only([found.quality for found in maps]),
        baseline_chance=read_only([found.chance for found in maps]),
    )


def _with_random(result: Projection, maps: list[Mapped]) -> Projection:
    towards = [embedding.aligned([own, found.made.points])[1] for own, found in zip(result.points, maps, strict=True)]
    scores, chance = [found.quality for found in maps], [found.chance for found in maps]
    return replace(
        result,
        random_points=read_only(np.concatenate([result.random_points, [towards]])),
        random_quality=read_only(np.concatenate([result.random_quality, [scores]])),
        random_chance=read_only(np.concatenate([result.random_chance, [chance]])),
    )


def plot(result: Projection, *, space: int | None = None) -> Figure:
    """One map (a number of `spaces`; default the best layer) large, and the quality of all."""
    space = result.best if space is None else space
    figure = draw.new_figure(11.0, 6.5)
    axes = figure.subplot_mosaic([["map", "near"], ["map", "trust"]], width_ratios=(1.7, 1))
    projection_figures.draw_map(axes["map"], result, space)
    projection_figures.draw_neighbours(axes["near"], result)
    projection_figures.draw_trust(axes["trust"], result)
    return figure
