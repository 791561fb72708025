"""**Does the model use what a probe can read?**

That a probe reads phones off a layer does not say that the model does. Here the label is erased: the smallest change
of the states after which no linear probe can tell it (LEACE). Then the changed states go on through the network, and
what counts is what the transcript loses in log-probability, and what the model now writes.

*How to read it.* Left: accuracy of a probe before; after, trained anew, it must be at the most frequent class. The
crosses are probes trained and tested on recordings that the eraser has not seen: what is above the dotted line there
it missed. Middle: nats that the text loses. It says something only if it is more than the same number of directions
cost that mean nothing: labels of other recordings, or drawn at random. Right: how large each change was, for a larger
one may cost more whatever it takes away. With random weights there is nothing to lose.

*What it cannot show.* Only what a linear probe could read is gone; the model may read the rest in a curved way.
Erasing a label takes away all that goes with it: energy with voicing, the word with its phones. A layer above may not
need what is erased, or find it again (only this layer's frames of the clip are changed). A change that costs nothing
was not needed for this text; one that costs much may only have moved the states off what the layers above know.

*Source.* Belrose et al., NeurIPS 2023 (LEACE, arXiv 2306.03819); Elazar, Ravfogel, Jacovi & Goldberg, TACL 2021
(amnesic probing with its controls, arXiv 2006.00995).
"""

from methods.erasure.analysis import SENSE, analyse
from methods.erasure.figure import draw_change, draw_losses, draw_probes, plot
from methods.erasure.frames import TARGETS
from methods.erasure.result import Erasure, ErasureControls

__all__ = [
    "SENSE",
    "TARGETS",
    "Erasure",
    "ErasureControls",
    "analyse",
    "draw_change",
    "draw_losses",
    "draw_probes",
    "plot",
]
