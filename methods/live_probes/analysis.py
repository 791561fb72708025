"""How live probes is computed: ready-made probes read along a clip, layer by layer."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from methods.core import models
from methods.core.alignment.tiers import is_silence
from methods.core.audio import Clip
from methods.core.frames import FrameGrid, Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.options import analysis
from methods.core.progress import Step, Steps
from methods.core.results import provenance, read_only
from methods.core.speech import acoustics, praat
from methods.core.speech.phone_alphabets import PhoneReading, in_arpabet
from methods.live_probes import probe_set
from methods.live_probes.probe_set import CLASSIFIED, MEASURED, RANDOM_SEED, SILENCE, ProbeSet
from methods.live_probes.result import LiveProbes

TARGETS = (*CLASSIFIED, *MEASURED)


@analysis()
def analyse(clip: Clip, model: SpeechModel, *, phones: Sequence[Segment] = ()) -> Steps[LiveProbes]:
    """What do ready-made probes read off every layer at every frame?

    `phones` are the clip's own, if they are known (ARPAbet, IPA or X-SAMPA), to count how often the probes are right;
    those without a counterpart in ARPAbet are named and not counted. Raises UserError if there are no ready-made
    probes for this model.
    """
    probes = probe_set.probes_for(model)
    yield Step(0.1, "reading every layer")
    states = _states(clip, model)
    read = {target: _apply(probes, target, states) for target in TARGETS}
    yield Step(0.5, "the same with random weights")
    twin = _states(clip, models.random_twin(model, RANDOM_SEED))
    grid = models.frame_grid(clip, model)
    said = {name: probes.classes[name] for name in CLASSIFIED}
    known = in_arpabet(phone.label for phone in phones if not is_silence(phone.label))
    spoken = [[phone.label, phone.start, phone.end] for phone in phones]
    return LiveProbes(
        layers=probes.layers,
        times=read_only(grid.times),
        step=grid.step,
        phones=said["phone"],
        manners=said["manner"],
        voicings=said["voicing"],
        **{target: read_only(values) for target, values in read.items()},
        measured_f0=read_only(12 * np.log2(praat.f0(clip, grid.times) / 100)),
        measured_intensity=read_only(praat.intensity(clip, grid.times)),
        random_phone=read_only(_apply(probes, "phone", twin, random=True)),
        labels=_labels(grid, phones, known),
        alphabet=known.alphabet,
        unmapped=known.unmapped,
        card=probes.card,
        provenance=provenance("live probes", clip, model, phones=spoken, random_seed=RANDOM_SEED),
    )


def _states(clip: Clip, model: SpeechModel) -> list[np.ndarray]:
    """(frames, dim) of MFCC and of every layer."""
    return [acoustics.mfcc(clip, models.frame_grid(clip, model)), *models.encode(clip, model).hidden]


def _apply(probes: ProbeSet, target: str, states: list[np.ndarray], random: bool = False) -> np.ndarray:
    return np.stack([probes.apply(target, layer, values, random=random) for layer, values in enumerate(states)])


def _labels(grid: FrameGrid, phones: Sequence[Segment], known: PhoneReading) -> tuple[str, ...]:
    """The phone at each frame's centre, empty where it has no counterpart; nothing if none has."""
    if not known.phones:
        return ()
    labels = [SILENCE] * grid.frames
    for phone in phones:
        for frame in () if is_silence(phone.label) else grid.span(phone):
            labels[frame] = known.of(phone.label)
    return tuple(labels)


def runs(result: LiveProbes, target: str, layer: int) -> list[tuple[str, float, float, float]]:
    """Stretches of one class at one layer: (class, start s, end s, mean probability of that class)."""
    codes, values = result.best(target)[layer], getattr(result, target)[layer]
    edges = np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1, [len(codes)]])
    half, end = result.step / 2, result.provenance["seconds"]
    return [
        (
            result.classes(target)[codes[a]],
            float(np.clip(result.times[a] - half, 0, end)),
            float(np.clip(result.times[b - 1] + half, 0, end)),
            float(values[a:b, codes[a]].mean()),
        )
        for a, b in pairwise(edges)
        if np.clip(result.times[a] - half, 0, end) < np.clip(result.times[b - 1] + half, 0, end)
    ]
