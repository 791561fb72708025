"""How phone focus is computed: where each layer looks to recognise a phone."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

import numpy as np
import torch

from methods.core import models
from methods.core.corpus import Corpus, Utterance
from methods.core.corpus.items import Items, phone_items, phone_reading
from methods.core.errors import UserError
from methods.core.frames import FrameGrid, Segment
from methods.core.models.speech_model import SpeechModel
from methods.core.models.stages import at, batch
from methods.core.options import analysis
from methods.core.progress import Step, Steps, within
from methods.core.results import Provenance, corpus_provenance, read_only
from methods.core.speech.phone_alphabets import listed
from methods.phone_focus import readout as phone_readout
from methods.phone_focus.readout import PhoneReadout
from methods.phone_focus.result import REACH, PhoneFocus

STEP = 0.01  # s between frames of the spectrogram
OWN_GROUPS = ("accent", "group")  # columns of one's own tables, which the bundled corpora lack
SENSE = {"group_by": ("speaker", "sex", "language", *OWN_GROUPS), "most": (1, math.inf)}


@analysis(SENSE)
def analyse(
    corpus: Corpus,
    model: SpeechModel,
    *,
    group_by: str = "speaker",
    most: int = 20,
    matched: bool = True,
    random_seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
) -> Steps[PhoneFocus]:
    """Where does the gradient of each phone lie, for each group of recordings and each layer?

    `group_by` is a column of the corpus: "speaker", "sex", "language" or, where its tables have them, "accent" and
    "group"; `most` phones of each group are drawn with `seed`. `matched` takes each kind of phone equally often from
    every group, lest groups differ by what they say. Whisper is fed the clip's own frames only. Raises UserError for a
    model without a phone head, where there are no phones, and for a column that these recordings lack.
    """
    readout = phone_readout.phone_readout(model)
    items = chosen_items(corpus, readout, group_by, most, matched, seed)
    origin = corpus_provenance(
        "phone focus", corpus, model, group_by=group_by, most=most, matched=matched, seed=seed,
        random_seeds=list(random_seeds), window="clip", unmapped=list(phone_reading(corpus).unmapped),
    )  # fmt: skip
    total = 1 + len(random_seeds)

    def shown(done: Measured) -> PhoneFocus:
        measured, found = done
        return _result(corpus, readout, items.only(measured), found, origin)

    found = yield from within(_measured(corpus, model, readout, items, group_by), 0.0, 1 / total, show=shown)
    result = shown((np.arange(len(items)), found))
    random: list[tuple[np.ndarray, np.ndarray]] = []
    for number, each in enumerate(random_seeds, 1):
        twin = models.random_twin(model, each)
        yield Step(number / total, f"random weights, seed {each}", partial=result)
        work = _measured(corpus, twin, readout, items, group_by)
        random.append((yield from within(work, number / total, (number + 1) / total)))
        shares, distances = map(read_only, zip(*random, strict=True))
        result = replace(result, random_shares=shares, random_distances=distances)
    return result


def chosen_items(
    corpus: Corpus, readout: PhoneReadout, group_by: str, most: int, matched: bool, seed: int = 0
) -> Items:
    """The phones that are looked at, grouped: labels are the groups."""
    items, known = phone_items(corpus), phone_reading(corpus)
    items = items.labelled(np.array([known.of(str(label)) for label in items.label], dtype=str))
    items = items.only(np.isin(items.label, list(readout.symbols)))
    if not len(items):
        raise UserError(
            "These recordings have no phones with times that this model knows (of English, in ARPAbet, IPA or "
            f"X-SAMPA{f'; not known: {listed(known.unmapped)}' if known.unmapped else ''}); choose a "
            "bundled corpus, or align the clip first."
        )
    if group_by not in items.columns:
        raise UserError(
            f"These recordings have no “{group_by}”; write it into a column of that name in the index.csv or "
            "segments.csv of a corpus of your own, or compare by speaker, sex or language."
        )
    groups = items.columns[group_by]
    random, names = np.random.default_rng(seed), np.unique(groups)
    order = random.permutation(len(items))
    wanted: dict[str, int] = {}
    for phone in np.unique(items.label):
        counts = [int(((items.label == phone) & (groups == name)).sum()) for name in names]
        wanted[str(phone)] = min(counts) if matched else max(counts)
    kept: list[int] = []
    for name in names:
        mine = [i for i in order if groups[i] == name]
        left = dict(wanted)
        # The same kinds of phone for every group: the first `most` of one shuffled list of kinds.
        plan = np.random.default_rng(seed).permutation([p for p, count in left.items() for _ in range(count)])[:most]
        for phone in plan:
            found = next((i for i in mine if items.label[i] == phone and i not in kept), None)
            kept += [] if found is None else [found]
    if not kept:
        raise UserError("The groups have no kind of phone in common; choose other recordings, or do not match phones.")
    return items.only(np.array(sorted(kept)))


def _result(
    corpus: Corpus,
    readout: PhoneReadout,
    items: Items,
    measured: tuple[np.ndarray, np.ndarray],
    origin: Provenance,
) -> PhoneFocus:
    names = items.columns[origin["options"]["group_by"]]
    groups = tuple(str(name) for name in np.unique(names))
    seconds = np.array([corpus.utterances[number].clip.seconds for number in items.utterance])
    even = []
    for number, segment in zip(items.utterance, items.segments, strict=True):
        grid = mel_grid(corpus.utterances[number].clip.seconds)
        spread = np.full(grid.frames, 1 / grid.frames)
        even.append(phone_readout.earth_mover(spread, grid.span(segment), STEP))
    return PhoneFocus(
        layers=readout.names,
        groups=tuple(name or "(not known)" for name in groups),
        group=read_only([groups.index(str(name)) for name in names], np.int64),
        phone=tuple(str(label) for label in items.label),
        utterance=read_only(items.utterance, np.int64),
        starts=read_only(items.start),
        ends=read_only(items.end),
        seconds=read_only(seconds),
        even=read_only((items.end - items.start) / seconds),
        even_distance=read_only(even),
        shares=read_only(measured[0]),
        distances=read_only(measured[1]),
        head=readout.label,
        provenance=origin,
    )


def mel_grid(seconds: float) -> FrameGrid:
    """Where the spectrogram's frames of 10 ms are."""
    return FrameGrid(0.0, STEP, max(int(np.ceil(seconds / STEP)), 1), seconds)


Measured = tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]  # which phones, and their shares and distances


def _measured(
    corpus: Corpus, model: SpeechModel, readout: PhoneReadout, items: Items, group_by: str
) -> Steps[tuple[np.ndarray, np.ndarray]]:
    """(layers, phones, 2 · REACH + 1) shares and (layers, phones) distances; what is known so far is shown on the way.

    Groups take turns, so that all of them are seen early; as what is known doubles it is shown again.
    """
    shares = np.full((len(readout.names), len(items), 2 * REACH + 1), np.nan)
    distances = np.full(shares.shape[:2], np.nan)
    numbers = _in_turn(items, group_by)
    what = "trained" if model.trained else f"random weights, seed {model.seed}"
    known: list[int] = []
    for place, number in enumerate(numbers):
        done = np.sort(known)
        shown = (done, (shares[:, done], distances[:, done])) if place and not place & (place - 1) else None
        yield Step(place / len(numbers), f"{what}, recording {place + 1} of {len(numbers)}", shown)
        mine = np.flatnonzero(items.utterance == number)
        shares[:, mine], distances[:, mine] = _of_one(corpus.utterances[number], model, readout, items.only(mine))
        known += list(mine)
    return shares, distances


def _in_turn(items: Items, group_by: str) -> list[int]:
    """The recordings, the first of each group, the second of each group, and so on."""
    groups = items.columns[group_by]
    of_group = [list(dict.fromkeys(items.utterance[groups == name])) for name in np.unique(groups)]
    rounds = zip_longest(*of_group)
    return list(dict.fromkeys(int(number) for each in rounds for number in each if number is not None))


def _of_one(
    utterance: Utterance, model: SpeechModel, readout: PhoneReadout, items: Items
) -> tuple[np.ndarray, np.ndarray]:
    clip = utterance.clip
    steps = models.stages_of(clip, model, window="clip")
    own, grid = models.frame_grid(clip, model), mel_grid(clip.seconds)
    columns = [readout.symbols[str(label)] for label in items.label]
    spans = grid.spans(items.segments)
    around = [_neighbours(utterance.phones, segment, grid) for segment in items.segments]
    with model.lock, torch.enable_grad():
        samples = batch(model.network, clip.samples)
        entering = at(steps, "log-mel", samples).detach().requires_grad_()
        shares, distances = [], []
        for scores in readout.layers(model.network, entering, own.frames):
            found = phone_readout.gradient_shares(scores, entering, own.spans(items.segments), columns)
            gathered = [[row[list(f)].sum() for f in each] for row, each in zip(found, around, strict=True)]
            shares.append(gathered)
            distances.append([phone_readout.earth_mover(row, s, STEP) for row, s in zip(found, spans, strict=True)])
    return np.array(shares), np.array(distances)


def _neighbours(phones: Sequence[Segment], segment: Segment, grid: FrameGrid) -> list[range]:
    """Frames of the phones REACH before to REACH after; none where there is no such phone."""
    place = min(range(len(phones)), key=lambda i: abs(phones[i].start - segment.start))
    found = []
    for other in range(place - REACH, place + REACH + 1):
        inside = 0 <= other < len(phones)
        found.append(grid.span(phones[other]) if inside else range(0))
    return found
