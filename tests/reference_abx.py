"""Slow, plain definitions of ABX and dynamic time warping, written from the papers; they import nothing of ours."""

import itertools
import math

import numpy as np


def dtw(costs):
    """Mean cost on the cheapest path through one lattice, by full table and tracing back."""
    rows, columns = costs.shape
    total = np.full((rows, columns), math.inf)
    for i, j in itertools.product(range(rows), range(columns)):
        if i == j == 0:
            before = 0.0
        else:
            ways = [(i - 1, j), (i, j - 1), (i - 1, j - 1)]
            before = min(total[p] for p in ways if min(p) >= 0)
        total[i, j] = costs[i, j] + before
    i, j, cells = rows - 1, columns - 1, 1
    while i or j:
        up = total[i - 1, j] if i else math.inf
        left = total[i, j - 1] if j else math.inf
        both = total[i - 1, j - 1] if i and j else math.inf
        if both <= up and both <= left:
            i, j = i - 1, j - 1
        elif left <= up:
            j -= 1
        else:
            i -= 1
        cells += 1
    return total[-1, -1] / cells


def cheapest_by_all_paths(costs):
    """The sum along the cheapest of all monotone paths, every one of them tried."""
    rows, columns = costs.shape
    if rows == columns == 1:
        return costs[0, 0]
    ways = []
    if rows > 1:
        ways.append(cheapest_by_all_paths(costs[:-1]))
    if columns > 1:
        ways.append(cheapest_by_all_paths(costs[:, :-1]))
    if rows > 1 and columns > 1:
        ways.append(cheapest_by_all_paths(costs[:-1, :-1]))
    return costs[-1, -1] + min(ways)


def abx(distance, on, whose, by, *, recording, mode, apart):
    """(error, {(A, B): error of that ordered pair}) by going through every triple of tokens."""
    cells = {}
    for a, b, x in itertools.permutations(range(len(on)), 3):
        if on[a] != on[x] or on[b] == on[x] or not by[a] == by[b] == by[x]:
            continue
        fits = {
            "any": True,
            "within": whose[a] == whose[b] == whose[x],
            "across": whose[a] == whose[b] != whose[x],
            "against": whose[a] != whose[x] == whose[b],
        }[mode]
        if not fits or (apart and recording[x] in (recording[a], recording[b])):
            continue
        wrong = 1.0 if distance[a][x] > distance[b][x] else 0.5 if distance[a][x] == distance[b][x] else 0.0
        speaker = "" if mode == "any" else whose[a]
        other = "" if mode == "any" else (whose[x], whose[b])
        cells.setdefault((on[a], on[b], speaker, (by[a], other)), []).append(wrong)
    values = {key: sum(found) / len(found) for key, found in cells.items()}
    for _ in range(2):  # over circumstances, then over speakers
        outer = {}
        for key, value in values.items():
            outer.setdefault(key[:-1], []).append(value)
        values = {key: sum(found) / len(found) for key, found in outer.items()}
    return sum(values.values()) / len(values), values, sum(len(found) for found in cells.values())
