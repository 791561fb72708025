"""**Which layers hold the same geometry, and which of them still look like the sound, the phones or another model?**

CKA asks whether two spaces agree on which items are alike, whatever their axes: 1 if one is a rotated, shifted and
scaled copy of the other. Each cell compares two layers over the same frames (phones, words); the curves compare every
layer with acoustic features, phones, or the movements of the vocal tract. Whisper's states are mostly position, which
all layers share; so those of silence at the same positions are subtracted, and a map beside shows what that changes.

*How to read it.* The *debiased* value is 0 on average for unrelated, independent items. The usual, *biased* one is
not: five items of noise in 768 dimensions score .99. Its floor, the mean over all ways of shuffling the items, is
drawn beside it. But frames of one recording are alike in any space, so unrelated spaces score above 0 when the
recordings are few (where half of the variance in 10 dimensions is a recording's own, .36 with four of them and .16
with twelve). Grey is therefore the highest of 19 matchings of whole recordings at random: unrelated spaces exceed it
in at most 1 of 20 cells. With fewer than five recordings their items are moved along besides, and a trend or an event
that both spaces have at the same time is beyond it. Intervals leave out each recording once (jackknife). Random
weights say what the architecture alone gives.

*What it cannot show.* High CKA is no proof that two layers compute the same, and a few directions of large variance
decide it. It says nothing about what can be read off: see probing. Frames of one speaker's prompts are few witnesses.

*Source.* Kornblith, Norouzi, Lee & Hinton, ICML 2019 (arXiv 1905.00414); Székely & Rizzo 2014
(doi 10.1214/14-AOS1255) for the debiased form.
"""

from methods.cka.analysis import SENSE, analyse
from methods.cka.figure import ESTIMATORS, plot
from methods.cka.result import Cka, CkaControls

__all__ = ["ESTIMATORS", "SENSE", "Cka", "CkaControls", "analyse", "plot"]
