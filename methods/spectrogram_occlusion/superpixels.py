"""A picture cut into patches that follow its own edges (superpixels), the same every time.

SLIC (Achanta et al., IEEE TPAMI 2012): k-means over position and brightness together, each cell choosing among the
nine patches that started nearest to it, then loose bits join a neighbour so that every patch hangs together.
"""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

ROUNDS = 10
AROUND = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1))


def superpixels(picture: np.ndarray, wanted: int, *, compactness: float = 0.1, smoothing: float = 1.0) -> np.ndarray:
    """(height, width) int patch of each cell, 0 to patches - 1; about `wanted` of them, never more.

    The picture is scaled to 0 to 1. `compactness` is the difference in brightness that weighs as much as a whole
    patch's width: small values follow edges, large ones give squares. `smoothing` (cells) is a Gaussian's width.
    """
    grey = np.asarray(picture, float)
    if grey.ndim != 2 or wanted < 1:
        raise ValueError(f"a picture of shape {grey.shape} cannot be cut into {wanted} patches")
    grey = (grey - grey.min()) / (np.ptp(grey) or 1.0)
    if smoothing:
        grey = ndimage.gaussian_filter(grey, smoothing)
    return _numbered(_joined(clusters(grey, wanted, compactness)))


def clusters(grey: np.ndarray, wanted: int, compactness: float) -> np.ndarray:
    """(height, width) the k-means alone: patches may still have loose bits."""
    height, width = grey.shape
    side = np.sqrt(height * width / wanted)
    rows, columns = _grid(height, width, side, wanted)
    y, x = np.indices(grey.shape)
    home_y, home_x = y * rows // height, x * columns // width  # the patch that a cell begins in
    features = np.stack((grey / compactness, y / side, x / side))
    chosen = home_y * columns + home_x
    for _ in range(ROUNDS):
        centres = _centres(features, chosen, rows * columns)
        moved = _nearest(features, centres.reshape(-1, rows, columns), home_y, home_x)
        if np.array_equal(moved, chosen):
            break
        chosen = moved
    return chosen


def _grid(height: int, width: int, side: float, wanted: int) -> tuple[int, int]:
    """How many patches to begin with, downward and across: nearly square ones, and at most as many as wanted."""
    rows = int(np.clip(round(height / side), 1, min(height, wanted)))
    return rows, int(np.clip(wanted // rows, 1, width))


def _centres(features: np.ndarray, chosen: np.ndarray, count: int) -> np.ndarray:
    """(features, patches) means; a patch that has lost all its cells moves out of reach."""
    sizes = np.bincount(chosen.ravel(), minlength=count)
    sums = np.stack([np.bincount(chosen.ravel(), f.ravel(), count) for f in features])
    return np.divide(sums, sizes, out=np.full(sums.shape, np.inf), where=sizes > 0)


def _nearest(features: np.ndarray, centres: np.ndarray, home_y: np.ndarray, home_x: np.ndarray) -> np.ndarray:
    """(height, width) the nearest of the nine patches around each cell's first one."""
    _, rows, columns = centres.shape
    best, nearest = np.full(home_y.shape, np.inf), np.zeros(home_y.shape, int)
    for down, right in AROUND:
        row, column = np.clip(home_y + down, 0, rows - 1), np.clip(home_x + right, 0, columns - 1)
        distance = ((features - centres[:, row, column]) ** 2).sum(0)
        closer = distance < best
        best[closer], nearest[closer] = distance[closer], (row * columns + column)[closer]
    return nearest


def _joined(chosen: np.ndarray) -> np.ndarray:
    """(height, width) the same with every loose bit given to the patch that it borders most.

    Only a patch's largest bit can take others in, so that nothing is given to what may move itself.
    """
    chosen = chosen.copy()
    while True:
        bits = _pieces(chosen)
        settled, loose = _settled(bits, chosen)
        if not len(loose):
            return chosen
        boxes, owners = ndimage.find_objects(bits + 1), np.where(settled, chosen, -1)
        for number in loose:
            box = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in boxes[number])
            inside = bits[box] == number
            borders = np.concatenate(list(_borders(inside, owners[box])))
            if (borders >= 0).any():
                chosen[box][inside] = np.bincount(borders[borders >= 0]).argmax()


def _pieces(chosen: np.ndarray) -> np.ndarray:
    """(height, width) int: which connected bit of one patch each cell is in."""
    number = np.arange(chosen.size).reshape(chosen.shape)
    pairs = [
        (number[a][chosen[a] == chosen[b]], number[b][chosen[a] == chosen[b]])
        for a, b in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:]))
    ]
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    graph = coo_array((np.ones(len(first), bool), (first, second)), (chosen.size,) * 2)
    return connected_components(graph, directed=False)[1].reshape(chosen.shape)


def _settled(bits: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(height, width) bool, whether a cell is in its patch's largest bit; and the numbers of the other bits."""
    sizes = np.bincount(bits.ravel())
    owner = np.zeros(len(sizes), int)
    owner[bits.ravel()] = chosen.ravel()
    order = np.argsort(-sizes, kind="stable")  # large ones first, ties in the order of the picture
    largest = order[np.unique(owner[order], return_index=True)[1]]
    main = np.isin(np.arange(len(sizes)), largest)
    return main[bits], np.flatnonzero(~main)


def _borders(inside: np.ndarray, chosen: np.ndarray) -> Iterator[np.ndarray]:
    """What stands right beside these cells, once per shared edge."""
    for a, b in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        yield chosen[a][~inside[a] & inside[b]]
        yield chosen[b][inside[a] & ~inside[b]]


def _numbered(chosen: np.ndarray) -> np.ndarray:
    return np.unique(chosen, return_inverse=True)[1].reshape(chosen.shape)
