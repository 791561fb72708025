"""**How early in the encoder is the sentence there, as far as the decoder can tell?**

Whisper's decoder is made to read the encoder's last layer. Here it reads every layer instead, after the encoder's
final LayerNorm, and writes down what it finds. Beside what it writes stands a steadier number: the log-probability
that it gives to each token of the final transcript when that text is forced upon it. The decoder has layers too: the
second part reads each of them out through the final norm and the unembedding, and says which one first knows a token.

*How to read it.* Words are coloured by an alignment with the final transcript. Trust the log-probability more than
the text, and only as far as it lies above its two baselines: the same layer of the same network hearing silence, and
the trained decoder reading an encoder with random weights. Two more curves ask what the decoder needs of the order of
frames. *Averaged*: all of the clip's frames hold their mean. *Shuffled*: what they hold beyond silence sits at other
places. Merely to swap whole states would change nothing, as cross-attention reads a set and knows no place: order
reaches the decoder inside the states. If shuffling costs little, it is told by their content, not by their position.

*What it cannot show.* A decoder that reads an earlier layer meets something it was never trained on. Fluent words
from a low layer may be its language model talking, and dots or loops do not prove that the sound is lost: only that
it is not written in the last layer's way. Probes ask the gentler question.

*Source.* Langedijk, Mohebbi, Sarti, Zuidema & Jumelet, DecoderLens, Findings of NAACL 2024 (arXiv 2310.03686); logit
lens: nostalgebraist 2020.
"""

from methods.decoder_lens.analysis import SHORTEST_CAP, analyse, shuffled
from methods.decoder_lens.figure import FLOOR, error_curves, logprob_curves, plot
from methods.decoder_lens.result import Against, DecoderLens, DecoderLensControls

__all__ = [
    "FLOOR",
    "SHORTEST_CAP",
    "Against",
    "DecoderLens",
    "DecoderLensControls",
    "analyse",
    "error_curves",
    "logprob_curves",
    "plot",
    "shuffled",
]
