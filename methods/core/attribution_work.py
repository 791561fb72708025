"""The work behind an attribution: the map first, then each of its tests as a step of its own."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from methods.core import (
    ctc_words,
    evidence,
    faithfulness,
    input_stability,
    mixing,
    perturb,
    seed_agreement,
    shapley,
    zeroing,
)
from methods.core.alignment import words as timed_words
from methods.core.attribution_options import Options, Pieces
from methods.core.attribution_result import Attribution, Played
from methods.core.audio import Clip
from methods.core.cue import find_words, text_words
from methods.core.errors import UserError
from methods.core.evidence import random_like, strongest
from methods.core.faithfulness import Verdict
from methods.core.frames import Segment, without_overlap
from methods.core.perturb import PAUSE, Game, Mode
from methods.core.results import Step, Steps, provenance, read_only
from methods.core.targets import Target

SEEDED = ("LIME", "SmoothGrad")  # methods that always draw random numbers
REPEATS = 3
RANDOM_MAPS = 3
FEWEST_ORDERS = 3  # what a spread can be told from


def segments_of(
    goal: Target, given: Sequence[Segment] | None, pieces: Pieces, transcript: str | None, language: str | None
) -> tuple[Segment, ...]:
    """The words (or phones) of the clip; () where it is cut into windows and nobody has named any."""
    if given is not None:
        return without_overlap(given)
    if pieces == "phones":
        raise UserError("The times of the phones are needed for pieces of that size; align the transcript first.")
    if pieces == "windows" and not goal.model.writes_text:
        return ()
    return without_overlap(timed_words(goal.clip, goal.model, transcript=transcript, language=language))


@dataclass(eq=False)
class Work:
    """The parts of an analysis. Each takes a result and returns a fuller one; between its steps it can be stopped."""

    goal: Target
    options: Options
    games: dict[Mode, Game] = field(default_factory=dict)

    def first(self, segments: tuple[Segment, ...]) -> Steps[Attribution]:
        """The map and the scores of the pieces."""
        seconds = self.goal.clip.seconds
        cut = perturb.windows(seconds) if self.options.pieces == "windows" else perturb.partition(seconds, segments)
        self._check_enough(cut)
        self.games = {mode: Game(self.goal, self.goal.clip.samples, cut, mode, seed=self.options.seed)
                      for mode in {self.options.replacement, *self.options.modes}}  # fmt: skip
        own = yield from _part(
            evidence.evidence(self.goal, self.game, self.options.recipe, self.options.time_limit), 0.0, 0.25, None
        )
        maps = [random_like(own.curve, seed) for seed in range(RANDOM_MAPS)]
        empty = read_only(np.zeros((0, len(cut))))
        return Attribution(
            target=self.goal.label,
            unit=self.goal.unit,
            whole=self.goal.base,
            nothing=self.game.value(np.zeros(len(cut), bool)),
            labels=tuple(piece.label for piece in cut),
            starts=read_only([piece.start for piece in cut]),
            ends=read_only([piece.end for piece in cut]),
            own=own,
            words=marked(self.goal, segments) if self.options.pieces != "phones" else (),
            random_maps=read_only([evidence.pooled(curve, own.times, cut, "mean") for curve in maps]),
            verdict=None,
            others={},
            random_weights=empty,
            repeats=empty,
            modes={},
            steady=None,
            heads=None,
            mixing=None,
            played=None,
            refused={},
            provenance=self._origin(segments),
        )

    @property
    def game(self) -> Game:
        """The target's number with any pieces taken away."""
        return self.games[self.options.replacement]

    def played(self, result: Attribution) -> Steps[Attribution]:
        """What the model makes of the strongest part alone, and of all but that, in its exact window."""
        yield Step(0.26, f"only the strongest {self.options.share:.0%}, and all but that", result)
        goal, clip = replace(self.goal, window="full"), self.goal.clip
        best = strongest(result.own, result.pieces, self.options.share)
        options = {"mode": self.options.replacement, "seed": self.options.seed}
        only = perturb.only(clip.samples, best, **options)
        rest = perturb.replaced(clip.samples, best, **options)
        played = Played(
            share=sum(part.end - part.start for part in best) / clip.seconds,
            strongest=best,
            only=Clip(only, f"{clip.name}, strongest part only"),
            without=Clip(rest, f"{clip.name}, without its strongest part"),
            answer=goal.answer(clip.samples),
            answer_only=goal.answer(only),
            answer_without=goal.answer(rest),
            score_only=self.goal.score(only),
            score_without=self.goal.score(rest),
        )
        return replace(result, played=played)

    def judged(self, result: Attribution) -> Steps[Attribution]:
        """Deletion and insertion beside random orders and loudness."""
        energy = perturb.energies(self.goal.clip.samples, result.pieces)
        steps = faithfulness.verdict_in_steps(
            self.game.value,
            result.own.scores,
            self.game.sizes,
            energy=energy,
            draws=self._affordable_orders(),
            seed=self.options.seed,
        )
        verdict = yield from _part(steps, 0.3, 0.6, lambda found: _each_fifth(result, found))
        return replace(result, verdict=verdict)

    def rivals(self, result: Attribution) -> Steps[Attribution]:
        """Other methods on the same pieces, and what an attribution must not be: loudness or length."""
        others = {
            "loudness": perturb.energies(self.goal.clip.samples, result.pieces),
            "length": result.ends - result.starts,
        }
        named, refused = [name for name in self.options.compared if name != self.options.method], dict(result.refused)
        for number, name in enumerate(named):
            low, high = (0.6 + 0.2 * (number + part) / len(named) for part in (0, 1))
            shown = replace(result, others=dict(others)) if number else result
            recipe = replace(self.options.recipe, method=name, samples=None)
            try:
                steps = evidence.evidence(self.goal, self.game, recipe, self.options.time_limit)
                others[name] = (yield from _part(steps, low, high, _once(shown), name)).scores
            except UserError as reason:  # a rival that is too slow here must not take the map away
                refused[name] = str(reason)
        return replace(result, others={name: read_only(scores) for name, scores in others.items()}, refused=refused)

    def mixed(self, result: Attribution) -> Steps[Attribution]:
        """The word's own row of value zeroing in each encoder layer, for words of a model that has it."""
        spoken = [number for number, label in enumerate(result.labels) if label != PAUSE]
        place = [number for number, index in enumerate(spoken) if _same(result.pieces[index], result.words)]
        if not place or len(spoken) < 2:
            return result
        yield Step(0.8, "value zeroing of the same word", result)
        pieces = [result.pieces[index] for index in spoken]
        passage = mixing.passage(self.goal.clip, self.goal.model, segments=pieces, stacks=("encoder",))
        rows = [
            zeroing.site_distances(site, passage.spans, passage.spans)[place].mean(0)
            for site in passage.sites("encoder")
        ]
        shares = np.full((len(rows), len(result.labels)), np.nan)
        shares[:, spoken] = mixing.row_shares(np.array(rows))
        return replace(result, mixing=read_only(shares))

    def untrained(self, result: Attribution) -> Steps[Attribution]:
        """The same method asked of networks that have learnt nothing."""
        found, refused = [], dict(result.refused)
        for number, seed in enumerate(self.options.random_seeds):
            low, high = (0.82 + 0.1 * (number + part) / len(self.options.random_seeds) for part in (0, 1))
            shown = replace(result, random_weights=_rows(found, result))
            goal, name = self.goal.twin(seed), f"random weights, seed {seed}"
            game = Game(goal, goal.clip.samples, self.game.pieces, self.options.replacement, seed=self.options.seed)
            try:
                steps = evidence.evidence(goal, game, self.options.recipe, self.options.time_limit)
                found.append((yield from _part(steps, low, high, _once(shown), name)).scores)
            except UserError as reason:  # such as integrated gradients whose sum is missed there
                refused[name] = str(reason)
        return replace(result, random_weights=_rows(found, result), refused=refused)

    def repeated(self, result: Attribution) -> Steps[Attribution]:
        """The same method with other random numbers, if it draws any."""
        many = len(result.labels) > shapley.EXACT_PIECES or self.options.samples is not None
        if self.options.method not in SEEDED and not (self.options.method == "Shapley" and many):
            return result
        found: list[np.ndarray] = []
        for number in range(1, REPEATS + 1):
            recipe = replace(self.options.recipe, seed=self.options.seed + number)
            shown = replace(result, repeats=_rows(found, result))
            steps = evidence.evidence(self.goal, self.game, recipe, self.options.time_limit)
            name = f"other random numbers, {number} of {REPEATS}"
            found.append((yield from _part(steps, 0.92, 0.94, _once(shown), name)).scores)
        return replace(result, repeats=_rows(found, result))

    def steadied(self, result: Attribution) -> Steps[Attribution]:
        """The same method asked of the clip a little earlier and later, and with faint noise."""
        if not self.options.variants:
            return result
        steps = input_stability.measure(
            self.game, self.options.recipe, result.own, self.options.variants, self.options.time_limit
        )
        found, reasons = yield from _part(steps, 0.94, 0.97, _once(result), "the clip changed a little")
        return replace(result, steady=found, refused={**result.refused, **reasons})

    def replaced(self, result: Attribution) -> Steps[Attribution]:
        """Leave one out with each replacement: how much of the map is the replacement's?"""
        found: dict[str, np.ndarray] = {}
        for number, mode in enumerate(self.options.modes):
            low, high = (0.97 + 0.03 * (number + part) / len(self.options.modes) for part in (0, 1))
            shown = replace(result, modes=dict(found))
            steps = shapley.leave_one_out(self.games[mode].value, len(self.game))
            scores = yield from _part(steps, low, high, _once(shown), f"leave one out, {mode}")
            found[mode] = read_only(scores.values)
        return replace(result, modes=found)

    def headed(self, result: Attribution) -> Steps[Attribution]:
        """Heads of our own on the same network, explained for the same clip, on request."""
        given = [Segment(*each) for each in result.provenance["options"]["segments"]]
        by_phones = self.options.pieces == "phones"
        steps = seed_agreement.measure(
            self.goal.clip,
            self.goal.model,
            self.options.heads,
            words=() if by_phones else given,
            phones=given if by_phones else self.options.phones or (),
            seed=self.options.seed,
        )
        low = 1.0 if self.options.checks else 0.25
        try:
            found = yield from _part(steps, low, 1.0, lambda heads: heads and replace(result, heads=heads), "heads")
        except UserError as reason:  # a model without heads of ours must not lose its map
            return replace(result, refused={**result.refused, "heads": str(reason)})
        return replace(result, heads=found)

    def _affordable_orders(self) -> int:
        """As many random orders as were asked for, or as the time limit allows; the result says how many there are."""
        each = 2 * (len(faithfulness.steps_of(len(self.game))) - 1) * self.goal.seconds
        return min(self.options.orders, max(FEWEST_ORDERS, int(self.options.time_limit / each) - 2))

    def _check_enough(self, cut: tuple[Segment, ...]) -> None:
        spoken = sum(piece.label != PAUSE for piece in cut)
        if self.options.method == "LIME" and spoken < 2:
            raise UserError(
                f"LIME compares pieces with each other and this clip has {spoken} word(s); "
                "cut it into windows of 70 ms, or choose a longer clip."
            )

    def _origin(self, segments: Sequence[Segment]) -> dict[str, Any]:
        text = self.goal.transcript
        said = {"transcript": text.text, "transcript_given": text.given, "language": text.language} if text else {}
        spoken = [[segment.label, segment.start, segment.end] for segment in segments]
        seed = {"model_seed": self.goal.model.seed, "segments": spoken}
        seed["phones"] = [[p.label, p.start, p.end] for p in self.options.phones or ()] or None
        return provenance("attribution", self.goal.clip, self.goal.model, **{**asdict(self.options), **said, **seed})


def marked(goal: Target, segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """When the explained word is said; () if that is unclear.

    By time for a CTC model, which may hear other words than these; by its place in the text where there are as many
    segments as words, since a model may spell a word in its own way; by its label elsewhere.
    """
    if goal.word is None or not segments:
        return ()
    if goal.kind in ("ctc", "contrast") and goal.transcript is None:
        heard = [word for word in ctc_words.heard(goal.clip, goal.model) if word.label == goal.word]
        place = (goal.occurrence or 1) - 1
        return ctc_words.spoken_as(segments, heard[place]) if place < len(heard) else ()
    words = [word.label for word in text_words(goal.transcript)] if goal.transcript else []
    labels = words if len(words) == len(segments) else [segment.label for segment in segments]
    occurrence = goal.occurrence
    if occurrence is None and goal.kind != "token":
        occurrence = 1  # the first of several longest ones was taken
    try:
        found = find_words(labels, goal.word, "target", occurrence)
    except UserError:  # the times belong to another text
        return ()
    return tuple(segments[found.start : found.stop])


def _same(piece: Segment, words: Sequence[Segment]) -> bool:
    middle = (piece.start + piece.end) / 2
    return any(word.start <= middle < word.end for word in words)


def _rows(found: Sequence[np.ndarray], result: Attribution) -> np.ndarray:
    return read_only(np.reshape(found, (len(found), len(result.labels))))


def _each_fifth(result: Attribution, verdict: Verdict | None) -> Attribution | None:
    """Not every random order is worth drawing all anew."""
    worth = verdict is not None and verdict.energy is not None and len(verdict.random) % 5 == 0
    return replace(result, verdict=verdict) if worth else None


def _once(result: Attribution) -> Callable[[Any], Attribution | None]:
    """Shows a result with the first of many steps that add nothing to it."""
    waiting = [result]
    return lambda _: waiting.pop() if waiting else None


def _part(
    steps: Steps, low: float, high: float, shown: Callable[[Any], Attribution | None] | None, name: str = ""
) -> Steps[Any]:
    """A part of a longer piece of work: its steps as a share of the whole, with what can be shown meanwhile."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        text = f"{name}: {step.text}" if name else step.text
        yield Step(low + (high - low) * step.done, text, shown(step.partial) if shown else None)
