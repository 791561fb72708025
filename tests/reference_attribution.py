"""Slow, independent oracles for attribution: Shapley by all orders, CTC by all paths, planted toys."""

from collections.abc import Callable
from itertools import permutations, product

import numpy as np
import torch
from torch import nn


def shapley_by_orders(value: Callable[[np.ndarray], float], pieces: int) -> np.ndarray:
    """Mean gain of each piece over every order in which the pieces can come."""
    gains = np.zeros(pieces)
    orders = list(permutations(range(pieces)))
    for order in orders:
        kept = np.zeros(pieces, bool)
        before = value(kept.copy())
        for piece in order:
            kept[piece] = True
            after = value(kept.copy())
            gains[piece] += after - before
            before = after
    return gains / len(orders)


def ctc_by_paths(log_probabilities: np.ndarray, labels: tuple[int, ...], blank: int) -> float:
    """ln of the summed probability of every path of one symbol per frame that collapses to `labels`."""
    frames, symbols = log_probabilities.shape
    total = -np.inf
    for path in product(range(symbols), repeat=frames):
        merged = [s for i, s in enumerate(path) if i == 0 or s != path[i - 1]]
        if tuple(s for s in merged if s != blank) == labels:
            total = np.logaddexp(total, sum(log_probabilities[f, s] for f, s in enumerate(path)))
    return float(total)


def area_by_hand(share: list[float], curve: list[float]) -> float:
    """Area under straight lines between points."""
    return sum((b - a) * (u + v) / 2 for a, b, u, v in zip(share, share[1:], curve, curve[1:], strict=False))


RATE = 16_000
CUE_HZ, DECOY_HZ = 2000.0, 500.0


def _burst(hertz: float, start: float, level: float) -> np.ndarray:
    """(16000,) a tone of 150 ms in a second of nothing."""
    time = np.arange(RATE) / RATE
    return level * np.sin(2 * np.pi * hertz * time) * ((time >= start) & (time < start + 0.15))


def planted_sound(random: np.random.Generator, *, cue: float | None, decoy: float) -> np.ndarray:
    """(16000,) float32 noise with a loud decoy tone at `decoy` s, and perhaps the softer cue at `cue` s."""
    sound = 0.02 * random.standard_normal(RATE) + _burst(DECOY_HZ, decoy, 0.4)
    return (sound if cue is None else sound + _burst(CUE_HZ, cue, 0.2)).astype(np.float32)


class CueDetector(nn.Module):
    """A small network that can learn to hear a tone: eight filters, their power over time, two classes."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Conv1d(1, 8, 32, stride=8)
        self.classes = nn.Linear(8, 2)

    def powers(self, samples: torch.Tensor) -> torch.Tensor:
        """(1, frames, 8) from (1, n)."""
        return self.filters(samples[:, None]).square().transpose(1, 2)

    def forward(self, powers: torch.Tensor) -> torch.Tensor:
        return self.classes((powers.mean(1) + 1e-4).log())


def trained_detector(rounds: int = 120) -> CueDetector:
    """Trained on noise with the decoy always and the cue half of the time: only the cue tells the classes apart."""
    random = np.random.default_rng(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = CueDetector()
    places, labels = 0.85 * random.random((48, 2)), torch.arange(48) % 2
    sounds = torch.tensor(
        np.array(
            [
                planted_sound(random, cue=cue if label else None, decoy=decoy)
                for (cue, decoy), label in zip(places, labels.tolist(), strict=True)
            ]
        )
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for number in range(rounds):
        chosen = slice(12 * (number % 4), 12 * (number % 4) + 12)
        loss = nn.functional.cross_entropy(network(network.powers(sounds[chosen])), labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval().requires_grad_(False)
