"""**If a layer's sounds are sorted into a few dozen drawers, do the drawers hold phones?**

K-means sorts the frames of each layer into *units*, as HuBERT does to make its training targets. It learns from half
of the recordings, without labels; everything below is counted on the other half. A wav2vec 2.0 checkpoint that still
has its quantiser brings units of its own.

By default every dimension is brought to unit variance before (a few large ones would decide alone), and clusters are
learnt in mini-batches. HuBERT's own recipe, states as they are and all frames at once, can be chosen. On the bundled
prompts with 50 units it gives a PNMI of .525 instead of .510 in layer 2 of whisper-tiny.en and .511 instead of .441 in
layer 3, but .458 instead of .466 in layer 1 of hama-ctc; with Whisper's states as they come (silence not subtracted)
it fails in layer 1 (.244 instead of .435), where little but position is large.

*How to read it.* Mutual information says how many bits a frame's unit tells of its phone; PNMI divides by all there is
to tell. *Phone purity* is the share of frames that a unit's commonest phone gets right, *cluster purity* the share
that a phone's commonest unit catches: more units raise the first and lower the second, so compare layers, never
numbers of units. With many units and few phones all of these rise by themselves, and only what lies above the shuffled
line counts: the same count with the labels of whole phones dealt out anew among those of a recording that last about
as long, the mean of 20 (of single frames it would be too low, for a phone's frames share a unit because both last).
What a phone's length or its recording tells of it is therefore chance: high in recordings of few phones, and the score
itself where each recording holds a single one. Chance tops the highest of the 20, the band's upper edge, once in 21
times. Random weights, MFCC and log-mel have shuffled lines of their own, in the CSV. The tree joins phones that use
the same units (square root of the Jensen-Shannon divergence, average linkage). Above it, the units run under the clip:
press one to hear it.

*What it cannot show.* Units are no phonemes: one phone usually takes several, and sounds that vary take more. Frames
near a boundary belong to one phone by the label alone. Labels are automatic (about ±20 ms). Two numbers of bits from
different recordings have different maxima.

*Source.* Hsu et al. 2021 (arXiv 2106.07447) for units, purities and PNMI; Pasad, Chou & Livescu, ASRU 2021 (arXiv
2107.04734) for mutual information over layers; Abdullah et al., Interspeech 2023 (arXiv 2306.02405) for the tree;
Baevski et al. 2020 (arXiv 2006.11477) for the quantiser.
"""

from methods.discrete_units.analysis import SENSE, analyse
from methods.discrete_units.figure import plot
from methods.discrete_units.result import SCORES, DiscreteUnits

__all__ = ["SCORES", "SENSE", "DiscreteUnits", "analyse", "plot"]
