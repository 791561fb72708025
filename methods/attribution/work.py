"""The work behind an attribution: the map first, then each of its tests as a step of its own."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from methods.attribution import input_stability, seed_agreement
from methods.attribution.options import Options, Pieces
from methods.attribution.result import Attribution, Played
from methods.attribution.target_places import marked, named
from methods.core import mixing
from methods.core.alignment import words as timed_words
from methods.core.audio import Clip
from methods.core.errors import UserError
from methods.core.explain import attribution_map, faithfulness, perturb, removal
from methods.core.explain.attribution_map import loudest, random_like, strongest
from methods.core.explain.faithfulness import Verdict
from methods.core.explain.perturb import PAUSE, Game, Mode
from methods.core.explain.targets import Target
from methods.core.frames import Segment, without_overlap
from methods.core.mixing import zeroing
from methods.core.progress import Step, Steps
from methods.core.results import provenance, read_only

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
        own_mode = self.options.replacement
        self.games = {own_mode: Game(self.goal, self.goal.clip.samples, cut, own_mode, seed=self.options.seed)}
        work = attribution_map.evidence(self.goal, self.game, self.options.recipe, self.options.time_limit)
        own = yield from _part(work, 0.0, 0.25, None)
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
            random_maps=read_only([attribution_map.pooled(curve, own.times, cut, "mean") for curve in maps]),
            choices=named(self.goal),
            verdict=None,
            longest=None,
            crossed=None,
            crossed_with="",
            others={},
            random_weights=empty,
            repeats=empty,
            modes={},
            modes_method="",
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
        yield Step(0.26, f"only the strongest {self.options.share:.0%}, all but that, and the loudest", result)
        goal, clip = replace(self.goal, window="full"), self.goal.clip
        best = strongest(result.own, result.pieces, self.options.share)
        loud = loudest(clip.samples, result.own, result.pieces, self.options.share)
        options = {"mode": self.options.replacement, "seed": self.options.seed}
        sounds = {
            "only": perturb.only(clip.samples, best, **options),
            "without": perturb.replaced(clip.samples, best, **options),
            "loudest": perturb.only(clip.samples, loud, **options),
        }
        names = {"only": "strongest part only", "without": "without its strongest part", "loudest": "loudest only"}
        played = Played(
            share=_length(best) / clip.seconds,
            share_loudest=_length(loud) / clip.seconds,
            strongest=best,
            answer=goal.answer(clip.samples),
            **{key: Clip(sounds[key], f"{clip.name}, {names[key]}") for key in sounds},
            **{f"answer_{key}": goal.answer(sounds[key]) for key in sounds},
            **{f"score_{key}": self.goal.score(sounds[key]) for key in sounds},
        )
        return replace(result, played=played)

    def judged(self, result: Attribution) -> Steps[Attribution]:
        """Deletion and insertion beside random orders, loudness and length."""
        yield Step(0.29, "the longest pieces first", result)
        long_first = faithfulness.trial(self.game.value, faithfulness.ranking(self.game.sizes), self.game.sizes)
        result = replace(result, longest=long_first)
        steps = faithfulness.verdict_in_steps(
            self.game.value,
            result.own.scores,
            self.game.sizes,
            energy=perturb.energies(self.goal.clip.samples, result.pieces),
            draws=self._affordable_orders(),
            seed=self.options.seed,
        )
        verdict = yield from _part(steps, 0.3, 0.6, lambda found: _each_fifth(result, found))
        return replace(result, verdict=verdict)

    def crossed(self, result: Attribution) -> Steps[Attribution]:
        """The same order judged with something else in place of what is gone: what built a map favours it."""
        mode = JUDGE[self.options.replacement]
        draws = min(CROSSED_ORDERS, self._affordable_orders(CROSSED_SHARE))
        game = self._game(mode)
        steps = faithfulness.verdict_in_steps(
            game.value, result.own.scores, game.sizes, draws=draws, seed=self.options.seed
        )
        verdict = yield from _part(steps, 0.99, 1.0, _once(result), f"judged with {mode}")
        return replace(result, crossed=verdict, crossed_with=mode)

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
                steps = attribution_map.evidence(self.goal, self.game, recipe, self.options.time_limit)
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
                steps = attribution_map.evidence(goal, game, self.options.recipe, self.options.time_limit)
                found.append((yield from _part(steps, low, high, _once(shown), name)).scores)
            except UserError as reason:  # such as integrated gradients whose sum is missed there
                refused[name] = str(reason)
        return replace(result, random_weights=_rows(found, result), refused=refused)

    def repeated(self, result: Attribution) -> Steps[Attribution]:
        """The same method with other random numbers, if it draws any."""
        many = len(result.labels) > removal.EXACT_PIECES or self.options.samples is not None
        if self.options.method not in SEEDED and not (self.options.method == "Shapley" and many):
            return result
        found: list[np.ndarray] = []
        for number in range(1, REPEATS + 1):
            recipe = replace(self.options.recipe, seed=self.options.seed + number)
            shown = replace(result, repeats=_rows(found, result))
            steps = attribution_map.evidence(self.goal, self.game, recipe, self.options.time_limit)
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
        """The map with each replacement: how much of it is the replacement's?

        By leave one out where the method takes nothing away, or would take too long.
        """
        recipe, found = self._by_mode(), {}
        for number, mode in enumerate(self.options.modes):
            low, high = (0.97 + 0.02 * (number + part) / len(self.options.modes) for part in (0, 1))
            if mode == self.options.replacement and recipe.method == result.own.method:
                found[mode] = result.own.scores
                continue
            shown = replace(result, modes=dict(found), modes_method=recipe.method)
            steps = attribution_map.evidence(self.goal, self._game(mode), recipe, self.options.time_limit)
            scores = (yield from _part(steps, low, high, _once(shown), f"{recipe.method}, {mode}")).scores
            found[mode] = read_only(scores)
        return replace(result, modes=found, modes_method=recipe.method if found else "")

    def _by_mode(self) -> attribution_map.Recipe:
        own, others = self.options.recipe, [mode for mode in self.options.modes if mode != self.options.replacement]
        each = attribution_map.passes(own, len(self.game), self.goal.clip.seconds) * self.goal.seconds
        affordable = each * len(others) <= MODES_SHARE * self.options.time_limit
        return own if own.method in removal.REMOVAL_METHODS and affordable else replace(own, method="leave one out")

    def _game(self, mode: Mode) -> Game:
        if mode not in self.games:
            self.games[mode] = Game(self.goal, self.goal.clip.samples, self.game.pieces, mode, seed=self.options.seed)
        return self.games[mode]

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

    def _affordable_orders(self, share: float = 1.0) -> int:
        """As many random orders as were asked for, or as the time limit allows; the result says how many there are."""
        each = 2 * (len(faithfulness.steps_of(len(self.game))) - 1) * self.goal.seconds
        return min(self.options.orders, max(FEWEST_ORDERS, int(share * self.options.time_limit / each) - 3))

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


def _length(parts: Sequence[Segment]) -> float:
    return sum(part.end - part.start for part in parts)


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
