"""**Where, and in which layer, is this word decided?**

The model hears two sounds of one length: the clip, and the clip spoilt (noise, a word silenced or replaced, another
recording). In the spoilt run the word becomes unlikely. Then one thing is put back as it was in the clean run, the
states of one layer at the frames of one word, and the layers above run on. What share of the loss comes back? The
other direction puts spoilt states into the clean run: the first asks what is enough, the second what is needed.

*How to read it.* 1: this place in this layer alone brings the whole word back; 0: nothing; below 0: it makes things
worse. In low layers a word is at its own frames; where a row fades while a higher one shines elsewhere, the news has
moved. *Together* and the *sum* differ where places only help jointly. Is it real? As much sound at random places
(mostly elsewhere) must do less than the place you look at, other noise must give the same map, and a network with
random weights (in the trained one's nats) nothing. Random places are as long as the map's in turn, so that a long
place is set against short ones too; and the best place of a map was chosen: of 8 that are random themselves it beats
20 others in about half of all cases. *All but the places* is what the pauses hold, and the silence that Whisper reads
behind a clip. Press a cell to read what the model then writes.

*What it cannot show.* A patched run mixes two sounds, which no model was trained on. Longer places hold more and bring
back more. What is brought back is brought back for this word, in this clip, against this way of spoiling it: try
another. A place that is not needed may still be used, where two of them say the same.

*Source.* Meng, Bau, Andonian & Belinkov, NeurIPS 2022 (ROME, arXiv 2202.05262); for speech Glazer et al. 2025 (arXiv
2508.15882) and Pouw, de Heer Kloots, Alishahi & Zuidema, Computational Linguistics 50(4), 2024.
"""

from methods.causal_tracing.analysis import LEAST_GAP, SENSE, analyse
from methods.causal_tracing.corruption import CORRUPTIONS
from methods.causal_tracing.figure import layer_curves, place_bars, plot
from methods.causal_tracing.result import CausalTracing, TracingControls

__all__ = [
    "CORRUPTIONS",
    "LEAST_GAP",
    "SENSE",
    "CausalTracing",
    "TracingControls",
    "analyse",
    "layer_curves",
    "place_bars",
    "plot",
]
