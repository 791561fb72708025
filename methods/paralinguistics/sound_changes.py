"""Changes of a whole recording that leave its words alone: level, noise, and the room that it is heard in."""

from functools import lru_cache

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from methods.core.audio import MAX_SECONDS, SAMPLE_RATE
from methods.core.errors import UserError

SPEED_OF_SOUND = 343.0  # m/s
ABSORPTION = 0.1  # share of the energy that a wall takes: painted concrete
TAIL = 0.5  # s of the room that is kept after the clip
SOURCE, LISTENER = (0.31, 0.42, 0.53), (0.67, 0.58, 0.46)  # places as shares of the room's side, on no symmetry
REFLECTED = 29  # images of the room on either side: echoes down to -37 dB whatever the room's size
LOWEST_HZ = 50.0  # all images have the same sign, which would pile up below the lowest voice


def louder(samples: np.ndarray, decibels: float) -> np.ndarray:
    """(n,) the same at another level, beyond full scale if need be: models read floats."""
    return samples * 10 ** (decibels / 20)


def with_noise(samples: np.ndarray, snr_db: float, seed: int = 0) -> np.ndarray:
    """(n,) with white noise this many dB below the mean power of the whole clip; none for infinity."""
    noise = np.random.default_rng(seed).standard_normal(len(samples))
    power = np.mean(np.square(samples, dtype=np.float64))
    return samples + noise * np.sqrt(power / np.mean(noise**2)) * 10 ** (-snr_db / 20)


def reverberated(samples: np.ndarray, side: float) -> np.ndarray:
    """(n + tail,) as heard in a cubic room whose side is `side` m, at the clip's own level; 0 m is no room.

    The direct sound keeps its time. Raises UserError for a room of under 1 m or over 20 m.
    """
    if side == 0:
        return np.asarray(samples)
    if not 1 <= side <= 20:
        raise UserError(f"A room of {side:g} m is out of reach; choose a side of 1 to 20 m.")
    length = min(len(samples) + round(TAIL * SAMPLE_RATE), round(MAX_SECONDS * SAMPLE_RATE))
    heard = fftconvolve(samples.astype(np.float64), room_response(side))[:length]
    powers = [np.mean(np.square(part, dtype=np.float64)) for part in (samples, heard[: len(samples)])]
    return heard * np.sqrt(powers[0] / powers[1]) if powers[1] > 0 else heard


@lru_cache(maxsize=16)
def room_response(side: float) -> np.ndarray:
    """(n,) what the listener hears of a click, by image sources (Allen & Berkley 1979); the direct sound is at 0.

    The walls mirror the room; each image of the source sounds after its distance, 1 / distance loud, and weaker by
    the walls that it is seen through. Delays are rounded to samples.
    """
    offsets, walls = zip(
        *(_images(s * side, m * side, side) for s, m in zip(SOURCE, LISTENER, strict=True)), strict=True
    )
    squares = [offset**2 for offset in offsets]
    distance = np.sqrt(squares[0][:, None, None] + squares[1][:, None] + squares[2])
    count = walls[0][:, None, None] + walls[1][:, None] + walls[2]
    direct = distance.min()
    reach = 2 * side * REFLECTED  # beyond, some images are missing
    heard = distance <= reach
    delays = np.round((distance[heard] - direct) / SPEED_OF_SOUND * SAMPLE_RATE).astype(int)
    loudness = (1 - ABSORPTION) ** (count[heard] / 2) * direct / distance[heard]
    response = sosfilt(butter(2, LOWEST_HZ, "highpass", fs=SAMPLE_RATE, output="sos"), np.bincount(delays, loudness))
    response.flags.writeable = False
    return response


def _images(source: float, listener: float, side: float) -> tuple[np.ndarray, np.ndarray]:
    """(images,) distances along one axis, and how many walls lie between."""
    rooms = np.arange(-REFLECTED, REFLECTED + 1)
    straight, mirrored = 2 * rooms * side + source - listener, 2 * rooms * side - source - listener
    walls = np.concatenate((2 * np.abs(rooms), np.abs(rooms - 1) + np.abs(rooms)))
    return np.concatenate((straight, mirrored)), walls
