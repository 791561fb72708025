"""How often is what has nothing in common significant, or beyond all shuffles? Simulations behind the rates in texts.

    python benchmarks/chance.py                                       # all, about half an hour of one processor
    python benchmarks/chance.py --kinds speakers drifts --trials 20

    speakers   RSA of two sides that tell speakers apart, each in its own way: share of p up to .05 with recordings
               shuffled over all speakers, and within them
    duration   RSA of two sides that both follow duration, each in its own bent way
    drifts     RSA of two unrelated drifts in one recording, with the end followed by the beginning, and as it is
    units      discrete units that are unrelated to the bundled prompts' phones: beyond all 20 shuffles of phones over
               everything, and among those of a recording that last about as long (1 in 21 is nominal)
    heads      loss and CAD of heads that have their layer in common: over all layers, and within them
    orders     an order of pieces made of what single ones cost, where values are noise; one made beforehand
    places     the best cell of a map of random places against 20 other random places in its layer (1 in 21)
    frames     mean debiased CKA of unrelated spaces of 10 dimensions, half of whose variance is the recordings' own
    apart      mean CCA in sample of two unrelated drifts in one recording of 300 items (neighbours .95 alike), as it
               is, moved along by half with the end followed by the beginning, and one half with the other

Shares of 300 trials (speakers, duration, drifts) and 400:

    speakers   12 recordings of 4 items by 2, 3, 4, 6 speakers; 24 of 3 by 4; 6 of 8 by 3 (the last and 6: moved along)
               partial over all .12 .22 .17 .11 .26 .13, within .05 .06 .06 .02 .05 .01
               residual over all .08 .08 .10 .12 .06 .12, within .05 .03 .05 .00 .03 .00
    duration   12 recordings of 4 items, 25 of 2, 50 of 1: partial 1 1 1, residual .02 .04 .03
    drifts     25 and 40 items .9 alike, 25 and 40 .95: around the end .26 .17 .40 .33, as it is .03 .04 .03 .07
    units      5, 10, 27 prompts: bits .15 .14 .14, now .04 .03 .03; PNMI .08 .08 .07, now .05 .04 .04
    heads      over all layers .30, within .06
    orders     4, 6, 8, 12, 20 pieces: of single losses (comprehensiveness) .08 .10 .12 .09 .04, beforehand .03 to .07
    places     4, 8, 16 places in layers .5 and .9 alike: .39 .57 .70 and .27 .45 .59
    frames     4 and 12 recordings: .36 .16
    apart      .53 .53 .65

Fixed seeds, so that each number comes again. Of 400 trials a share of .05 is known to .011 (standard error).
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ["SPEECH_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from scipy import signal, stats

from methods.cca import canonical
from methods.cka.kernels import alignment, grams
from methods.core import corpus as corpora
from methods.core.corpus.items import phone_items
from methods.core.explain import faithfulness
from methods.core.statistics import correlation, matching
from methods.discrete_units import counts, information
from methods.rsa import chance, similarity

Rates = Iterator[tuple[str, dict[str, float]]]  # what was simulated, and what came of it
DRAWS = 99  # shuffles of each trial
UNITS = 50
LAYERS, HEADS, IN_COMMON = 6, 8, 0.6  # of an encoder; the share of the variance that is the layer's


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    options.add_argument("--trials", type=int, default=400)
    chosen = options.parse_args()
    for kind in chosen.kinds:
        for what, rates in KINDS[kind](chosen.trials):
            print(f"{kind}, {what}: " + ", ".join(f"{name} {rate:.3f}" for name, rate in rates.items()), flush=True)


def mean_of(trial: Callable[[int], dict[str, float]], trials: int) -> dict[str, float]:
    found = [trial(seed) for seed in range(trials)]
    return {name: float(np.mean([each[name] for each in found])) for name in found[0]}


def significant(rows: np.ndarray, known: np.ndarray, null: np.ndarray) -> bool:
    return bool(chance.p_values(similarity.correlations(rows, known), null)[0] <= 0.05)


# RSA


def speakers(trials: int) -> Rates:
    for recordings, items, count in ((12, 4, 2), (12, 4, 3), (12, 4, 4), (24, 3, 4), (12, 4, 6), (6, 8, 3)):
        groups = np.repeat(np.arange(recordings), items)

        def trial(seed: int, groups: np.ndarray = groups, count: int = count) -> dict[str, float]:
            return one_of_speakers(np.random.default_rng([seed, count]), groups, groups % count, seed)

        yield f"{recordings} recordings of {items} items by {count} speakers", mean_of(trial, trials)


def one_of_speakers(rng: np.random.Generator, groups: np.ndarray, speaker: np.ndarray, seed: int) -> dict[str, float]:
    first, second = (voices(rng, groups, speaker, dim) for dim in (8, 4))
    same = [similarity.pairs(similarity.labels(speaker.tolist()))]
    sides = (similarity.vectors(first), similarity.vectors(second))
    rows, known = (similarity.without(similarity.pairs(side)[None], same) for side in sides)
    basis = similarity.item_basis([np.eye(speaker.max() + 1)[speaker][:, 1:]], len(groups))
    rest = similarity.pairs(similarity.vectors(first - basis @ (basis.T @ first), centred=False))[None]
    left = similarity.left(sides[1], basis)
    found = {}
    for name, within in (("over all", None), ("within", speaker)):
        orders = matching.orders(groups, DRAWS, seed, within)
        found[f"partial {name}"] = significant(rows, known[0], chance.shuffled(rows, known[0], orders))
        null = chance.shuffled_residuals(rest, left, basis, orders)
        found[f"residual {name}"] = significant(rest, similarity.pairs(left), null)
    return found


def voices(rng: np.random.Generator, groups: np.ndarray, speaker: np.ndarray, dim: int) -> np.ndarray:
    """(n, dim) items that have a speaker's voice, a recording's room, and something of their own."""
    voice, room = rng.normal(size=(speaker.max() + 1, dim)), rng.normal(size=(groups.max() + 1, dim))
    return 1.2 * voice[speaker] + 0.7 * room[groups] + rng.normal(size=(len(groups), dim))


def duration(trials: int) -> Rates:
    for recordings, items in ((12, 4), (25, 2), (50, 1)):
        groups = np.repeat(np.arange(recordings), items)
        rates = mean_of(lambda seed, groups=groups: one_of_durations(seed, groups), trials)
        yield f"{recordings} recordings of {items} items", rates


def one_of_durations(seed: int, groups: np.ndarray) -> dict[str, float]:
    rng, n = np.random.default_rng(seed), len(groups)
    log = rng.normal(-1.2, 0.5, n)
    seconds, rate = stats.zscore(np.exp(log)), stats.zscore(1 / (1 + 5 * np.exp(log)))
    first = np.outer(seconds, rng.normal(size=20)) + np.outer(rate, rng.normal(size=20)) + 2 * rng.normal(size=(n, 20))
    known = similarity.vectors(np.outer(stats.zscore(log), rng.normal(size=10)) + rng.normal(size=(n, 10)))
    orders, line = matching.orders(groups, DRAWS, seed), [similarity.pairs(similarity.durations(np.exp(log)))]
    rows = similarity.without(similarity.pairs(similarity.vectors(first))[None], line)
    partial = similarity.without(similarity.pairs(known)[None], line)[0]
    basis = similarity.item_basis([similarity.polynomial(log)], n)
    left = similarity.left(known, basis)
    rest = similarity.pairs(similarity.vectors(first - basis @ (basis.T @ first), centred=False))[None]
    null = chance.shuffled_residuals(rest, left, basis, orders)
    return {
        "partial": significant(rows, partial, chance.shuffled(rows, partial, orders)),
        "residual": significant(rest, similarity.pairs(left), null),
    }


def drifts(trials: int) -> Rates:
    for items, alike in ((25, 0.9), (40, 0.9), (25, 0.95), (40, 0.95)):
        rates = mean_of(lambda seed, items=items, alike=alike: one_of_drifts(seed, items, alike), trials)
        yield f"{items} items of one recording, neighbours {alike} alike", rates


def one_of_drifts(seed: int, items: int, alike: float) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    first, second = (signal.lfilter([1.0], [1.0, -alike], rng.normal(size=(items + 200, d)), axis=0) for d in (8, 4))
    rows = similarity.pairs(similarity.vectors(first[200:]))[None]
    known = similarity.pairs(similarity.vectors(second[200:]))
    around = np.array([np.roll(np.arange(items), by) for by in range(1, items)])
    ways = {"around the end": around, "without": matching.orders(np.zeros(items, int), DRAWS, seed)}
    return {name: significant(rows, known, chance.shuffled(rows, known, orders)) for name, orders in ways.items()}


# The others


def units(trials: int) -> Rates:
    every = phone_items(corpora.bundled("prompts"))
    code = np.unique(every.label, return_inverse=True)[1]
    last = np.maximum((every.end - every.start) // 0.02, 1).astype(int)
    for recordings in (5, 10, 27):

        def trial(seed: int, recordings: int = recordings) -> dict[str, float]:
            rng = np.random.default_rng([seed, recordings])
            kept = np.isin(every.utterance, rng.permutation(np.unique(every.utterance))[:recordings])
            token = np.repeat(np.arange(kept.sum()), last[kept])
            said = rng.choice(UNITS, kept.sum(), p=rng.dirichlet(np.ones(UNITS)))
            return one_of_units(rng, code[kept], said, every.utterance[kept], token, seed)

        yield f"{recordings} prompts", mean_of(trial, trials)


def one_of_units(
    rng: np.random.Generator, phone: np.ndarray, unit: np.ndarray, recording: np.ndarray, token: np.ndarray, seed: int
) -> dict[str, float]:
    def scores(phones: np.ndarray) -> np.ndarray:
        return np.array(information.scores(counts.tabulated(phones, unit[token], phone.max() + 1, UNITS)))[:2]

    own = scores(phone[token])
    free = [scores(rng.permutation(phone)[token]) for _ in range(counts.SHUFFLES)]
    alike = [scores(mixed) for mixed in counts.shuffles(phone[token], token, recording[token], seed)]
    beyond = [own > np.max(null, axis=0) for null in (free, alike)]
    return {f"{what} {way}": bool(each[place]) for way, each in zip(("free", "alike"), beyond, strict=True)
            for place, what in enumerate(("bits", "PNMI"))}  # fmt: skip


def heads(trials: int) -> Rates:
    def trial(seed: int) -> dict[str, float]:
        rng = np.random.default_rng(seed)
        sides = [np.sqrt(IN_COMMON) * rng.normal(size=(LAYERS, 1))
                 + np.sqrt(1 - IN_COMMON) * rng.normal(size=(LAYERS, HEADS)) for _ in range(2)]  # fmt: skip
        loss, cad = (stats.rankdata(side).reshape(LAYERS, HEADS) for side in sides)
        own = correlation.spearman(loss.ravel(), cad.ravel())
        mixed = {"over all": [rng.permutation(loss.ravel()) for _ in range(DRAWS)],
                 "within": [rng.permuted(loss, axis=1).ravel() for _ in range(DRAWS)]}  # fmt: skip
        null = {name: np.array([correlation.spearman(x, cad.ravel()) for x in drawn]) for name, drawn in mixed.items()}
        further = {name: np.abs(x - x.mean()) >= np.abs(own - x.mean()) - 1e-12 for name, x in null.items()}
        return {name: (1 + there.sum()) / (1 + DRAWS) <= 0.05 for name, there in further.items()}

    yield f"{LAYERS} layers of {HEADS}, of which the layer is {IN_COMMON} of the variance", mean_of(trial, trials)


def orders(trials: int) -> Rates:
    for pieces in (4, 6, 8, 12, 20):
        yield f"{pieces} pieces", mean_of(lambda seed, pieces=pieces: one_of_orders(seed, pieces), trials)


def one_of_orders(seed: int, pieces: int) -> dict[str, float]:
    rng, known = np.random.default_rng([seed, pieces]), {}

    def value(kept: np.ndarray) -> float:
        return known.setdefault(kept.tobytes(), rng.normal())

    sizes, single = rng.uniform(0.1, 0.5, pieces), ~np.eye(pieces, dtype=bool)
    cost = [value(np.ones(pieces, bool)) - value(kept) for kept in single]
    tried = [faithfulness.trial(value, order, sizes) for order in
             (faithfulness.ranking(cost), *(rng.permutation(pieces) for _ in range(21)))]  # fmt: skip
    made, before = (faithfulness.Verdict(tried[place], None, tuple(tried[2:])) for place in (0, 1))
    return {f"{name} {measure}": verdict.beaten(measure) == 1 for measure in faithfulness.MEASURES
            for name, verdict in (("made of single losses,", made), ("made beforehand,", before))}  # fmt: skip


def places(trials: int) -> Rates:
    for count in (4, 8, 16):
        for alike in (0.5, 0.9):

            def trial(seed: int, count: int = count, alike: float = alike) -> dict[str, float]:
                rng, size = np.random.default_rng([seed, count]), count + 20
                cells = np.sqrt(alike) * rng.normal(size=(1, size)) + np.sqrt(1 - alike) * rng.normal(size=(4, size))
                own, others = cells[:, :count], cells[:, count:]
                layer = int(own.max(1).argmax())
                return {"beyond all 20": bool(own[layer].max() > others[layer].max())}

            yield f"{count} places in 4 layers that are {alike} alike", mean_of(trial, trials)


def frames(trials: int) -> Rates:
    for recordings in (4, 12):
        groups = np.repeat(np.arange(recordings), 30)

        def trial(seed: int, groups: np.ndarray = groups) -> dict[str, float]:
            rng = np.random.default_rng(seed)
            sides = [rng.normal(size=(groups.max() + 1, 10))[groups] + rng.normal(size=(len(groups), 10))
                     for _ in range(2)]  # fmt: skip
            return {"mean": float(alignment(*(grams([side]) for side in sides)).debiased[0, 0])}

        yield f"{recordings} recordings", mean_of(trial, trials)


def apart(trials: int) -> Rates:
    def trial(seed: int) -> dict[str, float]:
        rng, items, half = np.random.default_rng(seed), np.zeros(300, int), 150
        first, second = (signal.lfilter([1.0], [1.0, -0.95], rng.normal(size=(500, d)), axis=0)[200:] for d in (8, 6))
        mine, other = matching.apart(items)
        sides = {"as it is": (first, second), "around": (first[mine], second[other]),
                 "halves": (first[:half], second[half:])}  # fmt: skip
        return {name: float(canonical.in_sample(*pair)) for name, pair in sides.items()}

    yield "one recording of 300 items", mean_of(trial, trials)


KINDS: dict[str, Callable[[int], Rates]] = {
    "speakers": speakers,
    "duration": duration,
    "drifts": drifts,
    "units": units,
    "heads": heads,
    "orders": orders,
    "places": places,
    "frames": frames,
    "apart": apart,
}

if __name__ == "__main__":
    main()
