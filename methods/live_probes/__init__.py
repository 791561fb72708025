"""**What does each layer hear at this moment? Ready-made probes read phone, manner, voicing, F0 and loudness live.**

For the bundled models the app brings linear probes that were trained beforehand, one per layer. They are applied to
every frame of your clip: one tier per layer says what that layer shows most plainly, and the map below gives the
probabilities of one layer. The lowest tier, MFCC, is a probe of the sound itself, without any model.

*How to read it.* Play the clip and watch where the tiers agree with the phones above them. The tables give how often
each probe was right on recordings that it was not trained on, on other speakers, and with random weights; where this
clip has phones of its own, how often it is right here, silent frames included; the dotted line is what always saying
the most frequent class (of numbers: the mean) would get. Phones take shape over the layers; F0 and loudness fade.

*What it cannot show.* The probes were trained on three minutes of English, most of it one woman: with other voices,
languages or noise they err. Probabilities of one frame are not those of a listener, and what can be read off a layer
need not be used by the model. The bundled clips share the prompts' speaker, so their scores are kind.

*Source.* Alain & Bengio 2016 (arXiv 1610.01644); probes and their card: `methods/live_probes/probes/README.md`.
"""

from methods.live_probes.analysis import TARGETS, analyse, runs
from methods.live_probes.figure import LOWEST, SIDES, curves, draw_curves, plot, unit
from methods.live_probes.result import LiveProbes

__all__ = [
    "LOWEST",
    "SIDES",
    "TARGETS",
    "LiveProbes",
    "analyse",
    "curves",
    "draw_curves",
    "plot",
    "runs",
    "unit",
]
