"""Where whole kilohertz stand on Whisper's mel axis."""

import numpy as np

HIGHEST = 8000.0  # Hz, the end of the axis
NAMED = (500.0, 1000.0, 2000.0, 4000.0)  # Hz


def mel_ticks(bands: int) -> list[tuple[float, str]]:
    """(band, text) of some frequencies on an axis of so many bands up to 8 kHz (Slaney's scale)."""
    highest = _mel(HIGHEST)
    return [(_mel(hertz) / highest * bands, f"{hertz / 1000:g} kHz") for hertz in NAMED]


def _mel(hertz: float) -> float:
    """Slaney's scale: straight up to 1 kHz, logarithmic above."""
    return hertz * 3 / 200 if hertz < 1000.0 else 15.0 + 27.0 * np.log(hertz / 1000.0) / np.log(6.4)
