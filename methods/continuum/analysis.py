"""How continua is computed: what each layer hears along the steps from one sound to another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from methods.continuum import series as continuum_series
from methods.continuum import two_sounds
from methods.continuum.result import Continuum
from methods.continuum.series import EXPERIMENTS, Request, Series
from methods.core import models
from methods.core.audio import Clip
from methods.core.corpus import Corpus
from methods.core.corpus.items import Items
from methods.core.frames import Segment
from methods.core.lenses import ctc_layers
from methods.core.lenses.ctc_layers import Head
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Step, Steps, of_the_whole, within
from methods.core.results import Provenance, corpus_provenance, listed, provenance, read_only

REACH = 0.03  # s on either side of a sound in which a head may name it: CTC's peaks often come a frame late
SENSE = continuum_series.SENSE


@analysis(SENSE)
def analyse(
    clip: Clip | Corpus,
    model: SpeechModel,
    *,
    segments: Sequence[Segment] | None = None,
    experiment: str = "l-r",
    first: int = 1,
    second: int = 2,
    amount: float = 1.5,
    count: int = 7,
    a: str = "",
    b: str = "",
    random_seeds: Sequence[int] = (0, 1, 2),
) -> Steps[Continuum]:
    """How much of one sound does each layer hear in each step on the way to another one?

    `experiment` is one of the bundled ones (`EXPERIMENTS`); "morph" for the `first` of the clip's `segments` (counting
    from 1) into the `second`; or "F1", "F2", "F3", "length": that property of both is multiplied by up to `amount`.
    `a` and `b` name the ends in ARPAbet (default: those of the experiment, or the segments' labels); a head or probe
    that does not know them is left out. A corpus in place of the clip holds the steps themselves (see `of_corpus`).
    """
    if not isinstance(clip, Corpus):  # whose steps are there already, whatever the experiment is called
        continuum_series.check_experiment(experiment)
    yield Step(0.0, "making the steps")
    request = Request(
        segments=tuple(segments or ()), experiment=experiment, first=first, second=second, amount=amount, count=count,
        a=a, b=b, random_seeds=tuple(random_seeds),
    )  # fmt: skip
    task, part = _task(clip, model, request), 1 / (len(random_seeds) + 1)
    result, twins = (yield from within(_measured(task, model), 0.0, part, show=of_the_whole)), []
    for number, seed in enumerate(random_seeds, start=1):
        twin = _measured(task, models.random_twin(model, seed))
        twins.append((yield from within(twin, number * part, (number + 1) * part, result)))
    return replace(result, random=tuple(twins))


@dataclass(frozen=True, eq=False)
class _Task:
    """What is asked of every network."""

    clip: Clip | Corpus
    request: Request
    series: tuple[Series, ...]
    a: str
    b: str
    head: Head | None  # of the trained model; None where there is none, or it does not know both sounds
    columns: tuple[int, ...]  # of the two sounds in that head
    learnt: Items | None  # what the probe learns from

    @property
    def sounds(self) -> list[tuple[Clip, Segment]]:
        return [pair for one in self.series for pair in zip(one.clips, one.places, strict=True)]


def _task(clip: Clip | Corpus, model: SpeechModel, request: Request) -> _Task:
    series, a, b, sources = continuum_series.asked_for(clip, request)
    head = ctc_layers.head_of(model) if ctc_layers.units(model) else None
    columns = tuple(ctc_layers.phone_column(head, sound) for sound in (a, b)) if head else (None,)
    if None in columns or len(set(columns)) < 2:
        head, columns = None, ()
    return _Task(clip, request, series, a, b, head, columns, two_sounds.examples(a, b, sources))


def _measured(task: _Task, model: SpeechModel) -> Steps[Continuum]:
    """Everything about one network; what is known is shown before all is read."""
    sounds, steps = task.sounds, len(task.series[0].clips)
    read: dict[int, dict[str, np.ndarray | None]] = {}  # by number of the sound
    few = _evenly_few(steps)
    order = [*few, *(number for number in range(len(sounds)) if number not in few)]
    who = model.id if model.trained else f"random weights, seed {model.seed}"
    for done, number in enumerate(order):
        known = _known(task, few, done)
        shown = _without_probe(known[0], model, [read[each] for each in known[1]]) if known else None
        yield Step(0.6 * done / len(sounds), f"{who}: sound {done + 1} of {len(sounds)}", shown)
        read[number] = _reading(*sounds[number], model, task)
    result = _without_probe(task, model, [read[number] for number in range(len(sounds))])
    yield Step(0.6, f"{who}: training the probe", result)
    if task.learnt is None:
        return result
    probe = yield from within(two_sounds.ask(task.learnt, task.a, sounds, model), 0.6, 1.0)
    share = _arranged(list(probe.share.T), (len(task.series), steps))
    return replace(result, probe=share, probe_accuracy=read_only(probe.accuracy))


def _evenly_few(steps: int) -> tuple[int, ...]:
    """The fewest steps, but three, that are evenly apart and hold both ends: they are read, and shown, first."""
    apart = max(gap for gap in range(1, max((steps - 1) // 2, 1) + 1) if not (steps - 1) % gap)
    return tuple(range(0, steps, apart))


def _known(task: _Task, few: tuple[int, ...], done: int) -> tuple[_Task, range | tuple[int, ...]] | None:
    """What can be shown after so many readings, and of which; None where it is no more than before."""
    steps = len(task.series[0].clips)
    if done == len(few) < steps:
        return replace(task, series=(task.series[0].only(few),)), few
    whole, rest = divmod(done, steps)
    return None if rest or not whole else (replace(task, series=task.series[:whole]), range(done))


def _without_probe(task: _Task, model: SpeechModel, readings: list[dict[str, np.ndarray | None]]) -> Continuum:
    """What the readings of all steps of the task's series tell."""
    sounds, shape = task.sounds, (len(task.series), len(task.series[0].clips))
    found = {name: _arranged([reading[name] for reading in readings], shape) for name in readings[0]}
    states = found.pop("states")
    return Continuum(
        **found,
        probe=None,
        probe_accuracy=None,
        nearness=read_only([two_sounds.nearness(of_context) for of_context in states]),
        a=task.a or "A",
        b=task.b or "B",
        contexts=tuple(one.context for one in task.series),
        layers=models.encode(sounds[0][0], model).layer_names,
        starts=read_only([[place.start for place in one.places] for one in task.series]),
        ends=read_only([[place.end for place in one.places] for one in task.series]),
        samples=read_only(np.concatenate([clip.samples for clip, _ in sounds]), np.float32),
        offsets=read_only(np.cumsum([0, *(len(clip.samples) for clip, _ in sounds)]), np.int64),
        provenance=_origin(task, model),
    )


def _origin(task: _Task, model: SpeechModel) -> Provenance:
    make = corpus_provenance if isinstance(task.clip, Corpus) else provenance
    options = listed(task.request) | {
        "segments": [[s.label, s.start, s.end] for s in task.request.segments],
        "a": task.a,
        "b": task.b,
        "head": task.head and task.head.label,
        "steps_sha256": [[step.sha256 for step in part.clips] for part in task.series],
    }
    origin = make("continuum", task.clip, model, seed=model.seed, **options)
    name = task.request.experiment
    # The clip has no part in a bundled experiment; its hash stays, for the lines of Python that make this again.
    return origin | ({"clip": f"bundled {name}"} if name in EXPERIMENTS else {})


def _reading(clip: Clip, place: Segment, model: SpeechModel, task: _Task) -> dict[str, np.ndarray | None]:
    """One step: (layers,) shares and evidence of the lenses, and (layers, dim) the mean state of the sound."""
    grid = models.frame_grid(clip, model)
    span = grid.span(place)
    raw, normed = ctc_layers.lens_states(clip, model)
    found: dict[str, np.ndarray | None] = dict.fromkeys(("lens", "tuned", "evidence"))
    found["states"] = raw[:, span.start : span.stop].double().mean(1).numpy()
    if task.head is None:
        return found
    wide = grid.span(Segment(place.label, max(place.start - REACH, 0.0), place.end + REACH))
    near, columns = slice(wide.start, wide.stop), list(task.columns)
    scores = np.stack([task.head.top(states)[near][:, columns] for states in normed])
    found["lens"], found["evidence"] = two_sounds.share_of_first(scores), np.exp(scores.max((1, 2)))
    if task.head.own is not None and model.trained:
        own = [task.head.own(states, layer)[near][:, columns] for layer, states in enumerate(raw)]
        found["tuned"] = two_sounds.share_of_first(np.stack(own))
    return found


def _arranged(values: list[np.ndarray | None], shape: tuple[int, int]) -> np.ndarray | None:
    """One (layers,) per sound -> (contexts, layers, steps); (layers, dim) -> (contexts, steps, layers, dim)."""
    if values[0] is None:
        return None
    stacked = np.stack(values).reshape(*shape, *values[0].shape)
    return read_only(np.moveaxis(stacked, 1, 2) if stacked.ndim == 3 else stacked)
