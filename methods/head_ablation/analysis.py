"""How head ablation is computed: one run for every head with that head switched off, then the controls."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from methods.core import models
from methods.core.audio import Clip
from methods.core.cache import BoundedCache
from methods.core.errors import UserError
from methods.core.interventions.blocks import Fill
from methods.core.mixing import diagonality
from methods.core.models.sites import Stack
from methods.core.models.speech_model import SpeechModel
from methods.core.options import FOR_95, analysis
from methods.core.progress import Step, Steps
from methods.core.results import Provenance, provenance, read_only
from methods.core.statistics import correlation
from methods.head_ablation.heads import Head, Switchable, all_heads, by_name, named, switchable
from methods.head_ablation.result import AblationControls, HeadAblation

SENSE = {"draws": (0, 1000), "orders": (0, 1000)}
SHUFFLES = 1000  # of heads within their layers, for the null of the rank correlation with CAD
OTHER: dict[Fill, Fill] = {"zero": "mean", "mean": "zero"}
_ablated = BoundedCache(64 * 2**20)  # bytes: opening a head must not switch off all of them again


@dataclass(frozen=True)
class _Asked:
    """Everything that is asked but the opened head, under the options' own names."""

    transcript: str | None
    language: str | None
    fill: Fill
    off: tuple[str, ...]
    draws: int
    orders: int
    random_seeds: tuple[int, ...]
    seed: int


@analysis(SENSE)
def analyse(
    clip: Clip,
    model: SpeechModel,
    *,
    transcript: str | None = None,
    language: str | None = None,
    fill: Fill = "zero",
    opened: str | None = None,
    off: Sequence[str] = (),
    draws: int = FOR_95,
    orders: int = 5,
    random_seeds: Sequence[int] = (0,),
    seed: int = 0,
) -> Steps[HeadAblation]:
    """What does the model lose without each of its heads?

    `transcript` replaces the text whose log-probability is looked at (for CTC models the string of symbols). `fill`:
    a head that is off writes nothing ("zero") or its mean over the clip, or the tokens ("mean"). `opened` is a head
    by name ("cross 4.2": layer 4, head 2, from 1) without which the model also says what it hears; `off` are heads
    switched off together, beside `draws` random sets of as many in the same layers. `orders` random orders of all
    heads stand beside worst first and harmless first. Raises UserError for a head that is not there, and for a model
    that says nothing.
    """
    asked = _Asked(transcript, language, fill, tuple(off), draws, orders, tuple(random_seeds), seed)
    yield Step(0.0, "what the model hears")
    network = switchable(clip, model, transcript, language, fill)
    # The names stand in the result: nobody is given those of another's files.
    key = (model.key, model.id, clip.sha256, clip.name, network.tokens, asked)
    result = _ablated.peek(key)
    if result is None:
        made = yield from _switched_through(network, asked)
        result = _ablated.fetch(key, lambda: made, _bytes)
    if opened is None:
        return result
    head = by_name(opened, network.sizes)
    origin = result.provenance | {"options": result.provenance["options"] | {"opened": opened}}
    return replace(result, opened=named(head), opened_text=network.said([head]), provenance=origin)


def _bytes(result: HeadAblation) -> int:
    return 4 * sum(losses.nbytes for losses in result.losses.values())


class _Clock:
    """How many of all runs are done."""

    def __init__(self, heads: int, asked: _Asked) -> None:
        rounds = 2 + len(asked.random_seeds)
        self.all = heads * rounds + (asked.draws if asked.off else 0) + _steps(heads).size * (asked.orders + 2)
        self.done = 0

    def step(self, text: str, partial: HeadAblation | None = None) -> Step:
        self.done += 1
        return Step(min((self.done - 1) / self.all, 0.999), text, partial)


def _steps(heads: int) -> np.ndarray:
    """(steps,) int, how many heads are off: 0, then each time twice as many, then all."""
    return np.unique([0, *(2**power for power in range(heads.bit_length()) if 2**power < heads), heads])


def _switched_through(network: Switchable, asked: _Asked) -> Steps[HeadAblation]:
    yield Step(0.0, "the unchanged network")
    sizes = network.sizes
    chosen = [by_name(name, sizes) for name in asked.off]
    losses = {stack: np.full((*size, len(network.tokens)), np.nan) for stack, size in sizes.items()}
    yield Step(0.0, "the unchanged network")
    result = HeadAblation(
        fill=asked.fill, tokens=network.tokens, base=read_only(network.base), losses=_kept(losses),
        heard=network.said([]), aligned=_aligned(network.model), off=tuple(map(named, chosen)),
        provenance=_origin(network, asked),
    )  # fmt: skip
    clock = _Clock(len(all_heads(sizes)), asked)
    for stack, layer in _layers(sizes):
        for head in range(sizes[stack][1]):
            yield clock.step(f"without {named((stack, layer, head))}")
            losses[stack][layer, head] = network.loss([(stack, layer, head)])
        result = replace(result, losses=_kept(losses))
        yield Step(clock.done / clock.all, f"{stack}, layer {layer + 1} is done", result)
    if chosen:
        result = yield from _together(result, network, asked, chosen, clock)
    result = _with_diagonality(result, network, asked.seed)
    for part in (_other, _twins, _orders):
        result = yield from part(result, network, asked, clock)
    return result


def _layers(sizes: Mapping[Stack, tuple[int, int]]) -> Iterator[tuple[Stack, int]]:
    """Stacks and layers, the quickest first: decoders read little, and above the highest layers little is left."""
    for stack in reversed(sizes):
        for layer in reversed(range(sizes[stack][0])):
            yield stack, layer


def _kept(values: Mapping[Stack, np.ndarray]) -> dict[Stack, np.ndarray]:
    return {stack: read_only(each) for stack, each in values.items()}


def _aligned(model: SpeechModel) -> tuple[str, ...]:
    listed = model.decoding.alignment_heads if model.writes_text else ()
    return tuple(named(("cross", layer, head)) for layer, head in listed)


def _with(result: HeadAblation, **found: Any) -> HeadAblation:
    return replace(result, controls=replace(result.controls or AblationControls(), **found))


def _together(
    result: HeadAblation, network: Switchable, asked: _Asked, chosen: list[Head], clock: _Clock
) -> Steps[HeadAblation]:
    """Several heads at once, and as many others in the same layers."""
    if len(set(chosen)) < len(chosen):
        raise UserError("A head is named twice among those that are switched off together; name each once.")
    yield Step(clock.done / clock.all, "the chosen heads together", result)
    result = replace(result, off_losses=read_only(network.loss(chosen)), off_text=network.said(chosen))
    draw, found = np.random.default_rng(asked.seed), []
    for number in range(asked.draws):
        yield clock.step(f"as many random heads, {number + 1} of {asked.draws}", result if number == 0 else None)
        found.append(float(network.loss(_others(chosen, network.sizes, draw)).sum()))
    return _with(result, off_null=read_only(found)) if found else result


def _others(chosen: list[Head], sizes: Mapping[Stack, tuple[int, int]], draw: np.random.Generator) -> list[Head]:
    """As many heads in each of the same layers, drawn without looking at which were chosen."""
    places = sorted({(stack, layer) for stack, layer, _ in chosen})
    found: list[Head] = []
    for stack, layer in places:
        count = sum((stack, layer) == head[:2] for head in chosen)
        heads = draw.choice(sizes[stack][1], count, replace=False)
        found += [(stack, layer, int(head)) for head in heads]
    return found


def _with_diagonality(result: HeadAblation, network: Switchable, seed: int) -> HeadAblation:
    """How near to itself each encoder head looks, and what rank correlations with the loss chance gives."""
    sites = models.encoder_states(network.clip, network.model).sites
    cad = np.stack([diagonality.diagonality_of(site) for site in sites])
    loss, draw = result.total("encoder"), np.random.default_rng(seed)
    null = [correlation.spearman(draw.permuted(loss, axis=1).ravel(), cad.ravel()) for _ in range(SHUFFLES)]
    return _with(result, cad=read_only(cad), cad_null=read_only(null))


def _other(result: HeadAblation, network: Switchable, asked: _Asked, clock: _Clock) -> Steps[HeadAblation]:
    """The same with the other filling: is it the head's news that is missed, or any value of its usual size?"""
    yield Step(clock.done / clock.all, f"at {OTHER[asked.fill]}", result)
    other = replace(network, fill=OTHER[asked.fill])
    found = yield from _totals(other, clock, f"at {OTHER[asked.fill]}", result)
    return _with(result, other=_kept(found))


def _totals(network: Switchable, clock: _Clock, name: str, result: HeadAblation) -> Steps[dict[Stack, np.ndarray]]:
    """Stack -> (layers, heads) nats in all."""
    found = {stack: np.full(size, np.nan) for stack, size in network.sizes.items()}
    for number, (stack, layer, head) in enumerate(all_heads(network.sizes)):
        yield clock.step(f"{name}: without {named((stack, layer, head))}", None if number else result)
        found[stack][layer, head] = network.loss([(stack, layer, head)]).sum()
    return found


def _twins(result: HeadAblation, network: Switchable, asked: _Asked, clock: _Clock) -> Steps[HeadAblation]:
    """The same architecture with random weights on the same text."""
    found: list[dict[Stack, np.ndarray]] = []
    for seed in asked.random_seeds:
        yield Step(clock.done / clock.all, f"random weights, seed {seed}", result)
        twin = network.twin(seed)
        yield Step(clock.done / clock.all, f"random weights, seed {seed}")
        _ = twin.base
        found.append((yield from _totals(twin, clock, f"random weights, seed {seed}", result)))
        result = _with(result, twins={stack: read_only([each[stack] for each in found]) for stack in network.sizes})
    return result


def _orders(result: HeadAblation, network: Switchable, asked: _Asked, clock: _Clock) -> Steps[HeadAblation]:
    """Heads off one after the other: the worst first, the most harmless first, and in random orders."""
    heads = all_heads(network.sizes)
    total = np.concatenate([result.total(stack).ravel() for stack in network.sizes])
    worst, draw = np.argsort(-total, kind="stable"), np.random.default_rng(asked.seed)
    rows = [worst, worst[::-1], *(draw.permutation(len(heads)) for _ in range(asked.orders))]
    taken, found = _steps(len(heads)), []
    for number, order in enumerate(rows if asked.orders else ()):
        name = ("the worst first", "the most harmless first")[number] if number < 2 else f"random order {number - 1}"
        values = np.zeros(len(taken))
        for step, count in enumerate(taken[1:], start=1):
            yield clock.step(f"{name}: {count} heads off", result if step == 1 else None)
            values[step] = network.loss([heads[i] for i in order[:count]]).sum()
        found.append(values)
        result = _with(result, taken=read_only(taken, np.int64), orders=read_only(found))
    return result


def _origin(network: Switchable, asked: _Asked) -> Provenance:
    options = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(asked).items()}
    text = getattr(network, "text", None)
    said = {"transcript": asked.transcript if text is None else text.text, "transcript_given": bool(asked.transcript)}
    return provenance("head ablation", network.clip, network.model, **options | said, opened=None)
