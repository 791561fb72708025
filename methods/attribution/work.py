"""The work behind an attribution: the map first, then each of its tests as a step of its own.

Every part takes a result and returns a fuller one; between its steps it can be stopped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from methods.attribution import input_stability, seed_agreement
from methods.attribution.options import Options, Pieces
from methods.attribution.result import Attribution, Played
from methods.attribution.target_places import marked, named
from methods.core import mixing
from methods.core.alignment import words as timed_words
from methods.core.audio import Clip
from methods.core.errors import UserError, counted
from methods.core.explain import attribution_map, faithfulness, perturb, removal
from methods.core.explain.attribution_map import Evidence, MapRecipe, loudest, random_like, strongest
from methods.core.explain.faithfulness import Verdict
from methods.core.explain.perturb import PAUSE, Game, Mode
from methods.core.explain.targets import Target
from methods.core.frames import Segment, without_overlap
from methods.core.mixing import zeroing
from methods.core.progress import Step, Steps, within
from methods.core.results import Provenance, listed, provenance, read_only

SEEDED = ("LIME", "SmoothGrad")  # methods that always draw random numbers
REPEATS = 3
RANDOM_MAPS = 3
FEWEST_ORDERS = 3  # what a spread can be told from
CROSSED_ORDERS = 10  # random orders for the second opinion: half as many, as it comes on top
CROSSED_SHARE = 0.25  # of the time limit
MODES_SHARE = 0.5  # of the time limit, that the chosen method may take with the other replacements
JUDGE: dict[Mode, Mode] = {  # what a map is built with -> with what it is judged again: quiet and loud, in turn
    "silence": "white noise", "mean": "white noise", "cut": "white noise", "white noise": "silence",
    "pink noise": "silence",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Explaining:
    """What every part needs."""

    goal: Target
    asked: Options
    segments: tuple[Segment, ...]  # words or phones, with their times
    games: Mapping[Mode, Game]  # what stands in -> the target's number with any pieces taken away

    @property
    def game(self) -> Game:
        """The one with the replacement that was asked for."""
        return self.games[self.asked.replacement]

    def evidence(self, game: Game, recipe: MapRecipe) -> Steps[Evidence]:
        """An attribution within the time limit; the game knows whose."""
        return attribution_map.evidence(game.target, game, recipe, self.asked.time_limit)


def segments_of(
    goal: Target, given: Sequence[Segment] | None, pieces: Pieces, transcript: str | None, language: str | None
) -> tuple[Segment, ...]:
    """The words (or phones) of the clip; () where it is cut into windows and nobody has named any."""
    if given is not None:
        return without_overlap(given)
    if pieces == "phones":
        raise UserError(
            "The times of the phones are needed for pieces of that size; align the transcript first.",
            mend={"segments": "phones", "pieces": "windows"},
        )
    if pieces == "windows" and not goal.model.writes_text:
        return ()
    return without_overlap(timed_words(goal.clip, goal.model, transcript=transcript, language=language))


def task(goal: Target, asked: Options, segments: tuple[Segment, ...]) -> Explaining:
    """The clip cut into pieces, and every way in which they are taken away."""
    seconds = goal.clip.seconds
    cut = perturb.windows(seconds) if asked.pieces == "windows" else perturb.partition(seconds, segments)
    spoken = sum(piece.label != PAUSE for piece in cut)
    if asked.method == "LIME" and spoken < 2:
        raise UserError(
            "LIME compares pieces with each other and this clip has "
            f"{counted(spoken, asked.pieces.removesuffix('s'))}; cut it into windows of 70 ms, or choose a longer "
            "clip.",
            mend={"pieces": "windows"},
        )
    modes = (asked.replacement, JUDGE[asked.replacement], *asked.modes)
    games = {mode: Game(goal, goal.clip.samples, cut, mode, seed=asked.seed) for mode in modes}
    return Explaining(goal, asked, segments, games)


def first(task: Explaining) -> Steps[Attribution]:
    """The map and the scores of the pieces."""
    goal, cut = task.goal, task.game.pieces
    own = yield from within(task.evidence(task.game, task.asked.recipe), 0.0, 0.25)
    maps = [random_like(own.curve, seed) for seed in range(RANDOM_MAPS)]
    return Attribution(
        target=goal.label,
        unit=goal.unit,
        whole=goal.base,
        nothing=task.game.value(np.zeros(len(cut), bool)),
        labels=tuple(piece.label for piece in cut),
        starts=read_only([piece.start for piece in cut]),
        ends=read_only([piece.end for piece in cut]),
        own=own,
        words=marked(goal, task.segments) if task.asked.pieces != "phones" else (),
        random_maps=read_only([attribution_map.pooled(curve, own.times, cut, "mean") for curve in maps]),
        choices=named(goal),
        provenance=_origin(task),
    )


def _origin(task: Explaining) -> Provenance:
    text, asked = task.goal.transcript, task.asked
    said = {"transcript": text.text, "transcript_given": text.given, "language": text.language} if text else {}
    said["phones"] = [[p.label, p.start, p.end] for p in asked.phones or ()] or None
    spoken = [[segment.label, segment.start, segment.end] for segment in task.segments]
    return provenance(
        "attribution", task.goal.clip, task.goal.model, **{**listed(asked), **said},
        model_seed=task.goal.model.seed, segments=spoken,
    )  # fmt: skip


def _with(result: Attribution, **found: Any) -> Attribution:
    return replace(result, controls=replace(result.controls, **found))


# Tests of the map


def played(task: Explaining, result: Attribution) -> Steps[Attribution]:
    """What the model makes of the strongest part alone, and of all but that, in its exact window."""
    share, clip = task.asked.share, task.goal.clip
    yield Step(0.26, f"only the strongest {share:.0%}, all but that, and the loudest", result)
    goal = replace(task.goal, window="full")
    best = strongest(result.own, result.pieces, share)
    loud = loudest(clip.samples, result.own, result.pieces, share)
    options = {"mode": task.asked.replacement, "seed": task.asked.seed}
    sounds = {
        "only": perturb.only(clip.samples, best, **options),
        "without": perturb.replaced(clip.samples, best, **options),
        "loudest": perturb.only(clip.samples, loud, **options),
    }
    names = {"only": "strongest part only", "without": "without its strongest part", "loudest": "loudest only"}
    found: dict[str, str | Clip | float] = {"answer": goal.answer(clip.samples)}
    for number, (key, samples) in enumerate(sounds.items()):
        done = 0.26 + 0.01 * number
        yield Step(done, f"what is heard: {names[key]}")
        found |= {key: Clip(samples, f"{clip.name}, {names[key]}"), f"answer_{key}": goal.answer(samples)}
        yield Step(done, f"how likely it is: {names[key]}")
        found[f"score_{key}"] = task.goal.score(samples)
    heard = Played(
        share=_length(best) / clip.seconds,
        share_loudest=_length(loud) / clip.seconds,
        strongest=best,
        **found,
    )
    return _with(result, played=heard)


def judged(task: Explaining, result: Attribution) -> Steps[Attribution]:
    """Deletion and insertion beside random orders, loudness and length."""
    game = task.game
    trying = faithfulness.trial_in_steps(game.value, faithfulness.ranking(game.sizes), game.sizes)
    longest = yield from within(trying, 0.29, 0.3, result, "the longest pieces first")
    result = _with(result, longest=longest)
    steps = faithfulness.verdict_in_steps(
        game.value,
        result.own.scores,
        game.sizes,
        energy=perturb.energies(game.samples, result.pieces),
        draws=_affordable_orders(task),
        seed=task.asked.seed,
    )
    verdict = yield from within(steps, 0.3, 0.6, show=lambda found: _each_fifth(result, found))
    return _with(result, verdict=verdict)


def crossed(task: Explaining, result: Attribution) -> Steps[Attribution]:
    """The same order judged with something else in place of what is gone: what built a map favours it."""
    mode = JUDGE[task.asked.replacement]
    draws = min(CROSSED_ORDERS, _affordable_orders(task, CROSSED_SHARE))
    game = task.games[mode]
    steps = faithfulness.verdict_in_steps(game.value, result.own.scores, game.sizes, draws=draws, seed=task.asked.seed)
    verdict = yield from within(steps, 0.99, 1.0, result, f"judged with {mode}")
    return _with(result, crossed=verdict, crossed_with=mode)


def rivals(task: Explaining, result: Attribution) -> Steps[Attribution]:
    """Other methods on the same pieces, and what an attribution must not be: loudness or length."""
    others = {
        "loudness": read_only(perturb.energies(task.game.samples, result.pieces)),
        "length": read_only(result.ends - result.starts),
    }
    methods = [name for name in task.asked.compared if name != task.asked.method]
    refused = dict(result.controls.refused)
    for number, name in enumerate(methods):
        low, high = (0.6 + 0.2 * (number + part) / len(methods) for part in (0, 1))
        shown = _with(result, others=dict(others)) if number else result
        try:
            steps = task.evidence(task.game, replace(task.asked.recipe, method=name, samples=None))
            others[name] = read_only((yield from within(steps, low, high, shown, name)).scores)
        except UserError as reason:  # a rival that is too slow here must not take the map away
            refused[name] = str(reason)
    return _with(result, others=others, refused=refused)


def mixed(task: Explaining, result: Attribution) -> Steps[Attribution]:
    """The word's own row of value zeroing in each encoder layer, for words of a model that has it."""
    spoken = [number for number, label in enumerate(result.labels) if label != PAUSE]
    place = [number for number, index in enumerate(spoken) if _same(result.pieces[index], result.words)]
    if not place or len(spoken) < 2:
        return result
    yield Step(0.8, "value zeroing of the same word", result)
    pieces = [result.pieces[index] for index in spoken]
    passage = mixing.passage(task.goal.clip, task.goal.model, segments=pieces, stacks=("encoder",))
    rows = [
        zeroing.site_distances(site, passage.spans, passage.spans)[place].mean(0) for site in passage.sites("encoder")
    ]
    shares = np.full((len(rows), len(result.labels)), np.nan)
    shares[:, spoken] = mixing.row_shares(np.array(rows))
    return _with(result, mixing=read_only(shares))


def untrained(task: Explaining, result: Attribution) -> Steps[Attribution]:
    """The same method asked of networks that have learnt nothing."""
    found, refused, seeds = [], dict(result.controls.refused), task.asked.random_seeds
    for number, seed in enumerate(seeds):
        low, high = (0.82 + 0.1 * (number + part) / len(seeds) for part in (0, 1))
        name, shown = f"random weights, seed {seed}", _with(result, random_weights=_rows(found))
        game = Game(
            task.goal.twin(seed), task.game.samples, task.game.pieces, task.asked.replacement, seed=task.asked.seed
        )
        try:
            steps = task.evidence(game, task.asked.recipe)
            found.append((yield from within(steps, low, high, shown, name)).scores)
        except UserError as reason:  # such as integrated gradients whose sum is missed there
            refused[name] = str(reason)
    return _with(result, random_weights=_rows(found), refused=refused)


def repeated(task: Explaining, result: Attribution) -> Steps[Attribution]:
    """The same method with other random numbers, if it draws any."""
    asked = task.asked
    many = len(result.labels) > removal.EXACT_PIECES or asked.samples is not None
    if asked.method not in SEEDED and not (asked.method == "Shapley" and many):
        return result
    found: list[np.ndarray] = []
    for number in range(1, REPEATS + 1):
        steps = task.evidence(task.game, replace(asked.recipe, seed=asked.seed + number))
        shown, name = _with(result, repeats=_rows(found)), f"other random numbers, {number} of {REPEATS}"
        found.append((yield from within(steps, 0.92, 0.94, shown, name)).scores)
    return _with(result, repeats=_rows(found))


def steadied(task: Explaining, result: Attribution) -> Steps[Attribution]:
    """The same method asked of the clip a little earlier and later, and with faint noise."""
    asked = task.asked
    if not asked.variants:
        return result
    steps = input_stability.measure(task.game, asked.recipe, result.own, asked.variants, asked.time_limit)
    found, reasons = yield from within(steps, 0.94, 0.97, result, "the clip changed a little")
    return _with(result, steady=found, refused={**result.controls.refused, **reasons})


def replaced(task: Explaining, result: Attribution) -> Steps[Attribution]:
    """The map with each replacement: how much of it is the replacement's?

    By leave one out where the method takes nothing away, or would take too long.
    """
    recipe, modes = by_mode(task), task.asked.modes
    found: dict[Mode, np.ndarray] = {}
    for number, mode in enumerate(modes):
        low, high = (0.97 + 0.02 * (number + part) / len(modes) for part in (0, 1))
        if mode == task.asked.replacement and recipe.method == result.own.method:
            found[mode] = result.own.scores
            continue
        shown = _with(result, modes=dict(found), modes_method=recipe.method)
        steps = within(task.evidence(task.games[mode], recipe), low, high, shown, f"{recipe.method}, {mode}")
        found[mode] = read_only((yield from steps).scores)
    return _with(result, modes=found, modes_method=recipe.method) if found else result


def by_mode(task: Explaining) -> MapRecipe:
    """How the map with each replacement is made."""
    own, others = task.asked.recipe, [mode for mode in task.asked.modes if mode != task.asked.replacement]
    each = attribution_map.passes(own, len(task.game), task.goal.clip.seconds) * task.goal.seconds
    affordable = each * len(others) <= MODES_SHARE * task.asked.time_limit
    return own if own.method in removal.REMOVAL_METHODS and affordable else replace(own, method="leave one out")


CHECKS = (played, judged, rivals, mixed, untrained, repeated, steadied, replaced, crossed)  # in this order


def headed(task: Explaining, result: Attribution) -> Steps[Attribution]:
    """Heads of our own on the same network, explained for the same clip, on request."""
    asked, by_phones = task.asked, task.asked.pieces == "phones"
    steps = seed_agreement.measure(
        task.goal.clip,
        task.goal.model,
        asked.heads,
        words=() if by_phones else task.segments,
        phones=task.segments if by_phones else asked.phones or (),
        seed=asked.seed,
    )
    low = 1.0 if asked.checks else 0.25
    try:
        found = yield from within(steps, low, 1.0, name="heads", show=lambda heads: _with(result, heads=heads))
    except UserError as reason:  # a model without heads of ours must not lose its map
        return _with(result, refused={**result.controls.refused, "heads": str(reason)})
    return _with(result, heads=found)


def _affordable_orders(task: Explaining, share: float = 1.0) -> int:
    """As many random orders as were asked for, or as the time limit allows; the result says how many there are."""
    each = 2 * (len(faithfulness.steps_of(len(task.game))) - 1) * task.goal.seconds
    return min(task.asked.orders, max(FEWEST_ORDERS, int(share * task.asked.time_limit / each) - 3))


def _length(parts: Sequence[Segment]) -> float:
    return sum(part.end - part.start for part in parts)


def _same(piece: Segment, words: Sequence[Segment]) -> bool:
    middle = (piece.start + piece.end) / 2
    return any(word.start <= middle < word.end for word in words)


def _rows(found: Sequence[np.ndarray]) -> np.ndarray | None:
    return read_only(found) if found else None


def _each_fifth(result: Attribution, verdict: Verdict) -> Attribution | None:
    """Not every random order is worth drawing all anew."""
    worth = verdict.energy is not None and len(verdict.random) % 5 == 0
    return _with(result, verdict=verdict) if worth else None
